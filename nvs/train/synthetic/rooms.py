"""Random rooms and yards: an enclosure, furniture, clutter and a thing to look at."""

from __future__ import annotations

import torch
from torch import Tensor

from nvs.train.synthetic import shapes, styles
from nvs.train.synthetic.backdrop import draw_backdrop
from nvs.train.synthetic.centrepiece import draw_centrepiece
from nvs.train.synthetic.draws import Draws
from nvs.train.synthetic.fittings import draw_fittings, draw_sky
from nvs.train.synthetic.furnishing import draw_furnishing
from nvs.train.synthetic.groups import Group, concatenate, join
from nvs.train.synthetic.materials import draw_light
from nvs.train.synthetic.places import Place, draw_places
from nvs.train.synthetic.render import SceneBatch
from nvs.train.synthetic.styles import choose, draw_surfaces
from nvs.train.synthetic.textures import Textures
from nvs.train.synthetic.windows import draw_windows

_FACES = 6


def draw_rooms(draws: Draws, *, photographs: bool) -> tuple[SceneBatch, Place]:
    """One room or yard a scene, floor at z = 0, in metres."""
    place = draw_places(draws)
    faces = _draw_faces(draws, place, photographs)
    wall = faces.take(torch.full((draws.batch, 1), 3))
    windows, open_side = draw_windows(draws, place, wall, photographs=photographs)
    things = join(
        [
            draw_furnishing(draws, place, photographs=photographs),
            draw_fittings(draws, place, photographs=photographs),
            draw_centrepiece(draws, place, photographs=photographs),
            draw_backdrop(draws, place, open_side, photographs=photographs),
            windows,
            _shell(place, open_side, faces),
        ]
    )
    # Indoors the lamp is a little above or below the ceiling, outdoors it is the sun.
    distance = place.size[:, 2] * draws.uniform(low=0.6, high=1.3)
    nearness = torch.where(place.outdoors, 0.0, 1 / distance)
    horizon, zenith = draw_sky(draws).unbind(1)
    light = draw_light(draws, horizon, zenith, nearness)
    scenes = SceneBatch(solids=things.solids, textures=things.textures, light=light)
    return scenes, place


def _shell(place: Place, open_side: Tensor, faces: Textures) -> Group:
    """What encloses the place: open to the sky, to the window's side, or closed."""
    size = place.enclosure
    middle = size * size.new_tensor([0.0, 0.0, 0.5])
    affine = torch.cat([torch.diag_embed(size / 2), middle[..., None]], -1)[:, None]
    ratio = torch.where(place.outdoors, 1.0, torch.where(open_side, 2.0, 0.0))
    kind = torch.full((len(size), 1), shapes.SHELL)
    return Group.place(kind, ratio[:, None], affine, faces)


def _draw_faces(draws: Draws, place: Place, photographs: bool) -> Textures:
    """Floor, ceiling and walls, the walls mostly alike."""
    lengths = (place.enclosure / 2)[:, None].expand(-1, _FACES, -1)
    floor, ground = (
        draw_surfaces(draws, lengths[:, :1], style, photographs=photographs)
        for style in (styles.FLOOR, styles.GROUND)
    )
    walls, far = (
        draw_surfaces(draws, lengths[:, 1:], style, photographs=photographs)
        for style in (styles.WALL, styles.ENCLOSURE)
    )
    outside = place.outdoors[:, None]
    faces = concatenate([choose(outside, ground, floor), choose(outside, far, walls)])
    alike = draws.chance(1, probability=0.7)
    face = torch.arange(_FACES)
    return faces.take(torch.where(alike, face.clamp(max=2), face))
