"""The renderer: posed views to a scene, a scene and cameras to images."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import TypeVar

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Float16, UInt8
from torch import Tensor

from nvs.cameras import Camera, PoseNormalisation
from nvs.errors import CameraError, ConfigError, SceneFileError
from nvs.model import cost
from nvs.model.checkpoint import Checkpoint
from nvs.model.density_grid import surfaces
from nvs.model.fast_weight import FastWeights
from nvs.model.prefill import Embedded, Progress, prefill_in_groups
from nvs.model.ray_point import scene_pivot
from nvs.model.reprojection import Sources, distances, in_bytes, reproject
from nvs.model.tokens import posed_rays
from nvs.model.trained_on import Poses, TrainedOn
from nvs.model.weights import Weights, load_weights
from nvs.parallel.group import Group
from nvs.parallel.split import deal_directions
from nvs.process import keep_freed_memory
from nvs.scene.compiled import CompiledBlocks
from nvs.scene.densities import find_density
from nvs.scene.framing import Framing, choose
from nvs.scene.precision import Precision, pick_device
from nvs.scene.scene import Scene
from nvs.scene.views import Views, mostly_white

Made = TypeVar("Made")

DEFAULT_BUDGET_BYTES = 2**30
THUMBNAIL_PX = 96
RENDER_BATCH = 16
"""Most cameras rendered at once: enough to fill a device, few enough to stream."""


class Renderer:
    """A network ready to build and render scenes on one device, or on its part of them.

    On a CPU its process keeps freed memory (`nvs.process`).

    Prefill and rendering work through groups of views whose activations fit the memory
    budget; the group size changes results by float rounding only.

    Args:
        checkpoint: The weights.
        model_id: What to call them.
        trained_on: What they were trained on; nothing is known of it if absent.
        weights_hint: Where they lie, for its scenes to remember.
        device: `cpu`, `cuda`, …; without one, CUDA where there is some.
        precision: See `Precision.named`.
        budget_bytes: Memory for the activations of one group, beside the weights and
            the residual stream; without one, 1 GiB on the CPU and half of the free
            memory of a CUDA device.
        group: Ranks that build a scene together, each from its own views: they make
            their renderers, `frame` and `prefill` together, in the precision of the
            first. Its device is the renderer's.
        compile: Have blocks run compiled as soon as they are (`nvs.scene.compiled`),
            which changes results by rounding.

    Raises:
        ConfigError: If the device or the precision does not exist here.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        model_id: str,
        trained_on: TrainedOn | None = None,
        weights_hint: str | None = None,
        device: str | None = None,
        precision: str | None = None,
        budget_bytes: int | None = None,
        group: Group | None = None,
        compile: bool = False,
    ) -> None:
        self.group = group or Group.alone(pick_device(device))
        self.device = self.group.device
        if self.device.type == "cpu":
            keep_freed_memory()
        self.precision = self.group.of_first(Precision.named(precision, self.device))
        self.network = checkpoint.network().to(self.device).requires_grad_(False)
        self.precision.prepare(self.network)
        self.compiled: CompiledBlocks | None = None
        if compile:
            self.compiled = CompiledBlocks(self.network, self.precision, self.device)
        self.config = checkpoint.config
        self.model_id = model_id
        self.model_digest = checkpoint.digest
        self.trained_on = trained_on or TrainedOn()
        self.weights_hint = weights_hint
        if budget_bytes is None:
            budget_bytes = DEFAULT_BUDGET_BYTES
            if self.device.type == "cuda":
                budget_bytes = torch.cuda.mem_get_info(self.device)[0] // 2
        self.budget_bytes = budget_bytes

    def __repr__(self) -> str:
        return f"Renderer({self.model_id}, {self.precision.name}, {self.device})"

    @staticmethod
    def from_weights(
        weights: Weights | str | None = None,
        *,
        device: str | None = None,
        precision: str | None = None,
        budget_bytes: int | None = None,
        group: Group | None = None,
        compile: bool = False,
    ) -> Renderer:
        """A renderer of weights, of a name or path of them, or of the default ones.

        Raises:
            WeightsUnavailableError: If they cannot be found or fetched.
            CheckpointError: If they are damaged.
            ConfigError: If the device or the precision does not exist here.
        """
        if not isinstance(weights, Weights):
            weights = load_weights(weights)
        return Renderer(
            weights.checkpoint,
            model_id=weights.name,
            trained_on=weights.trained_on,
            weights_hint=None if weights.path is None else str(weights.path),
            device=device,
            precision=precision,
            budget_bytes=budget_bytes,
            group=group,
            compile=compile,
        )

    def among(self, group: Group) -> Renderer:
        """This renderer, with the same network, as one of a group's ranks.

        Raises:
            ConfigError: If the others compute in another precision.
        """
        names = group.share(self.precision.name)
        if len(set(names)) > 1:
            raise ConfigError(
                f"ranks of one group compute in {', '.join(names)}",
                remedy="Name one precision for all, instead of auto.",
            )
        other = copy.copy(self)
        other.group = group
        return other

    @property
    def poses(self) -> Poses:
        """The poses that the weights expect; `object` where that is not known."""
        return self.trained_on.poses or "object"

    def frame(
        self,
        views: Views,
        framing: str = "auto",
        *,
        up: Sequence[float] | None = None,
    ) -> Framing:
        """How views are brought to where the model expects them, and what to expect.

        Args:
            views: The inputs, of this rank.
            framing: See `nvs.scene.framing.choose`, as for `up`.
            up: Up axis in the user's world; found from the views if absent.

        Raises:
            ConfigError: If the framing is unknown.
            CameraError: If the up axis has no direction.
        """
        looks = self.trained_on.background == "white"
        white = self.group.share(views.border_white() if looks else torch.empty(0))
        return choose(
            Camera.cat(self.group.share(views.camera.to("cpu"))),
            self.trained_on,
            framing=framing,
            up=up,
            world_up=views.world_up,
            white_background=mostly_white(torch.cat(white)) if looks else None,
        )

    def wait_compiled(
        self, height: int, width: int, say: Callable[[str], None]
    ) -> None:
        """Wait until images of a size run compiled, if that was asked for and can be.

        Args:
            height: In pixels, as for the width.
            width: In pixels.
            say: Called with a line if there is something to wait for.
        """
        if self.compiled is None:
            return
        self.compiled.wait(cost.num_tokens(self.config, height, width), say)
        if self.config.has_density and self.poses == "object":
            self.compiled.wait(1, say)  # of what shows something

    @property
    def computes(self) -> str:
        """What it computes with, such as `bfloat16` or `bfloat16, compiled`."""
        is_compiled = self.compiled is not None and self.compiled.is_ready
        return self.precision.name + ", compiled" * is_compiled

    def group_size(self, height: int, width: int) -> int:
        """How many views of a size are worked on at once."""
        one = cost.activation_bytes_per_view(self.config, height, width)
        return max(1, self.budget_bytes // one)

    @torch.no_grad()
    def prefill(
        self,
        views: Views,
        *,
        framing: Framing | str = "auto",
        normalisation: PoseNormalisation | None = None,
        dtype: torch.dtype = torch.bfloat16,
        group_size: int | None = None,
        progress: Progress | None = None,
    ) -> Scene:
        """Build a scene.

        Args:
            views: The inputs, of this rank, in memory or on disk; height and width must
                be multiples of the patch.
            framing: What `frame` gave, or its argument; not used if `normalisation` is
                given.
            normalisation: From the user's world to the model's, if already known.
            dtype: Precision in which the scene keeps its fast weights.
            group_size: Views at once; follows from the memory budget if absent. Of an
                object whose surfaces are known they go one by one, since each keeps
                as many tokens as show something.
            progress: Called with (groups done, groups in all), as far as the slowest
                rank is; may raise to cancel, which stops all ranks that `joined`.

        Returns:
            The scene of all views, the same on every rank.

        Raises:
            CameraError, ConfigError: If the views do not fit the network, their
                cameras cannot be framed, or two ranks share a CUDA device.
            ImageError: If a view on disk cannot be read.
            StoppedError, RankError: If another rank fails or is lost.
        """
        height, width = views.camera.height, views.camera.width
        self._check_size(height, width)
        self.group.check_devices()
        if isinstance(framing, str):
            framing = self.frame(views, framing)
        if normalisation is None:
            normalisation = framing.required()
        camera = normalisation.apply(views.camera)
        everyone = self.group.share((views.camera.to("cpu"), views.names))
        input_camera = Camera.cat([one for one, _ in everyone])
        pivot = torch.zeros(3)
        if self.poses == "scene":
            pivot = scene_pivot(normalisation.apply(input_camera)).float()

        size = group_size or self.group_size(height, width)
        report = self.group.slowest(progress)
        density = None
        if self.network.density_net is not None:
            with self.precision.autocast(self.device):
                density = find_density(
                    self.network.density_net,
                    views,
                    camera,
                    poses=self.poses,
                    group_size=size,
                    group=self.group,
                    progress=report,
                )
        if density is not None and not density.any():
            density = None  # nothing is known of it
        if self._leaves_out(density):
            size = 1
        images = views.in_groups(size)
        thumbnails: list[UInt8[Tensor, "view thumb_height thumb_width 3"]] = []
        photographs: list[UInt8[Tensor, "view 3 height width"]] = []
        seen: list[Float16[Tensor, "view down across"]] = []
        keeps = self.config.reprojection and density is not None

        def embed(group: slice) -> Embedded:
            image = next(images)
            thumbnails.append(_thumbnails(image))
            posed = posed_rays(camera[group].to(self.device, torch.float32))
            surface = self._surface(density, posed)
            if keeps:
                assert surface is not None, "there are densities"
                photographs.append(in_bytes(image).cpu())
                seen.append(distances(surface[0]).to("cpu", torch.float16))
            tokens, points = self.network.embed_inputs(
                posed, image.to(self.device)[None], self._pivot(pivot), surface
            )
            return tokens.float(), points

        with closing(images), self.precision.autocast(self.device):
            blocks = prefill_in_groups(
                self.network,
                embed,
                num_views=len(views),
                group_size=size,
                direction=deal_directions(self.group),
                progress=report,
            )
            fast_weights = tuple(
                tuple(weight[0].to(dtype) for weight in block) for block in blocks
            )
        return Scene(
            fast_weights=fast_weights,
            normalisation=normalisation,
            pivot=pivot,
            density=density,
            photograph=self._of_all(photographs) if keeps else None,
            distance=self._of_all(seen) if keeps else None,
            up=framing.up,
            input_camera=input_camera,
            input_names=tuple(name for _, names in everyone for name in names),
            thumbnail=self._of_all(thumbnails),
            model_id=self.model_id,
            model_digest=self.model_digest,
            weights_hint=self.weights_hint,
            precision=self.precision.name,
        ).to(self.device)

    def render(
        self, scene: Scene, camera: Camera | Sequence[Camera]
    ) -> Float[Tensor, "view height width 3"]:
        """Images of cameras in the user's world, in [0, 1], on the renderer's device.

        Raises:
            SceneFileError: If other weights built the scene.
            CameraError: If a camera is unusable or its size does not fit the patch.
        """
        return torch.stack(list(self.render_iter(scene, camera)))

    @torch.no_grad()
    def render_iter(
        self, scene: Scene, camera: Camera | Sequence[Camera]
    ) -> Iterator[Float[Tensor, "height width 3"]]:
        """One image after another, so that long paths need no memory; see `render`."""
        self._check_scene(scene)
        camera = Camera.of(camera)
        self._check_size(camera.height, camera.width)
        camera = scene.normalisation.apply(camera.check())
        scene = scene.to(self.device, self.precision.compute)
        density = scene.density
        blocks: list[FastWeights] = [
            tuple(weight[None] for weight in block) for block in scene.fast_weights
        ]
        size = min(RENDER_BATCH, self.group_size(camera.height, camera.width))
        if self._leaves_out(density):
            size = 1
        pivot, sources = self._pivot(scene.pivot), self._sources(scene)
        for start in range(0, len(camera), size):
            group = camera[start : start + size].to(self.device, torch.float32)
            posed = posed_rays(group)
            surface = self._surface(density, posed)
            known = None
            if sources is not None and surface is not None:
                known = reproject(sources, group, surface[0])[None]
            with self.precision.autocast(self.device):
                image = self.network.render(blocks, posed, pivot, surface, known)
            yield from rearrange(image[0], "v c h w -> v h w c")

    def render_dealt(
        self, scene: Scene, camera: Camera, made_of: Callable[[Tensor], Made]
    ) -> Iterator[Made]:
        """Like `render_iter`, by all ranks together: the first yields all in order.

        Args:
            scene: The scene, on every rank.
            camera: All cameras, on every rank.
            made_of: Makes what is sent to the first rank of an image, where it was
                rendered.
        """
        ranks = self.group.size
        most = min(RENDER_BATCH, self.group_size(camera.height, camera.width))
        size = min(most, -(-len(camera) // ranks))
        scene = scene.to(self.device, self.precision.compute)
        for start in range(0, len(camera), size * ranks):
            first = start + size * self.group.rank
            own = camera[first : first + size]
            images = list(self.render_iter(scene, own)) if len(own) else []
            for rendered in self.group.gather([made_of(image) for image in images]):
                yield from rendered

    def _pivot(self, pivot: Float[Tensor, "3"]) -> Float[Tensor, "1 3"] | None:
        """What `LaCTNetwork.points` takes."""
        return pivot[None].to(self.device) if self.poses == "scene" else None

    def _leaves_out(self, density: Float[Tensor, "cell cell cell"] | None) -> bool:
        """Whether views keep different numbers of tokens, so each is on its own."""
        return density is not None and self.poses == "object"

    def _surface(
        self,
        density: Float[Tensor, "cell cell cell"] | None,
        posed: Float[Tensor, "1 view 9 height width"],
    ) -> Float[Tensor, "1 view 2 down across"] | None:
        """Where views' rays end; None if nothing is known of it."""
        if density is None:
            return None
        density = density[None].to(self.device, torch.float32)
        return surfaces(density, posed, self.poses, self.config.patch_size)

    def _sources(self, scene: Scene) -> Sources | None:
        """The inputs of a scene, if they are reprojected."""
        if not self.config.reprojection:
            return None
        if scene.photograph is None or scene.distance is None:
            return None
        camera = scene.normalisation.apply(scene.input_camera)
        return Sources(
            image=scene.photograph,
            camera=camera.to(self.device, torch.float32),
            distance=scene.distance,
            poses=self.poses,
        )

    def _of_all(self, groups: list[Tensor]) -> Tensor:
        """What all ranks have of their views, group by group."""
        return torch.cat(self.group.share(torch.cat(groups)))

    def _check_scene(self, scene: Scene) -> None:
        if scene.model_digest != self.model_digest:
            raise SceneFileError(
                f"the scene was built with {scene.model_id} "
                f"({scene.model_digest[:12]}…), not with {self.model_id} "
                f"({self.model_digest[:12]}…)",
                remedy="Render it with the weights that built it, or build it again.",
            )

    def _check_size(self, height: int, width: int) -> None:
        patch = self.config.patch_size
        if height % patch or width % patch:
            raise CameraError(
                f"an image size of {height}×{width} does not fit patches of "
                f"{patch} pixels",
                remedy=f"Use multiples of {patch}.",
            )


def _thumbnails(
    image: Float[Tensor, "view 3 height width"],
) -> UInt8[Tensor, "view thumb_height thumb_width 3"]:
    scale = min(1.0, THUMBNAIL_PX / max(image.shape[-2:]))
    size = [max(1, round(side * scale)) for side in image.shape[-2:]]

    def shrink(one: Float[Tensor, "3 height width"]) -> Tensor:
        small = F.interpolate(one[None].cpu(), size, mode="area")
        return rearrange((small * 255).round().to(torch.uint8), "1 c h w -> h w c")

    return torch.stack([shrink(one) for one in image])
