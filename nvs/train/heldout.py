"""Scenes that are never trained on: synthetic ones and, if given, a posed set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import pad

from nvs.errors import DatasetError
from nvs.model import LaCTNetwork
from nvs.scene.datasets import read_dataset
from nvs.scene.pictures import to_uint8
from nvs.scene.quality import mean_psnr_db
from nvs.train.batch import Batch, Order, heldout_seed
from nvs.train.config import Stage, TrainConfig
from nvs.train.data import Mixture
from nvs.train.sets import SetSource, read_batch
from nvs.train.sources import SyntheticSource, load

NUM_SHOWN, GAP_PX = 4, 4
"""Of a picture: most inputs and targets of a scene, and the space between them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldOutSet:
    """A posed set that is only looked at."""

    folder: Path
    """The set."""
    inputs: str | None = None
    """Input views as `start:stop:step`; if absent, spread over all but the targets."""
    targets: str | None = None
    """Target views in the same form; if absent, spread over all but the inputs."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class HeldOutResult:
    """How a network did on a held-out scene."""

    name: str
    """The scene."""
    psnr_db: float
    """Mean over its target views of the PSNR of each."""
    inputs_psnr_db: float
    """The same over its input views, given back: no new view needs what is not kept of
    these."""
    batch: Batch
    """Its views."""
    rendered: Float[Tensor, "view 3 height width"]
    """The target views as rendered, on the CPU."""


def heldout_scenes(
    config: TrainConfig,
    mixture: Mixture,
    stage: Stage,
    given: HeldOutSet | None,
    device: torch.device,
) -> dict[str, Batch]:
    """Held-out scenes by name at a stage's resolution, the same for every run.

    Raises:
        DatasetError, CameraError, ImageError: If the given set cannot be read.
    """
    scenes: dict[str, Batch] = {}
    synthetic = [s for s in mixture.sources if isinstance(s, SyntheticSource)]
    for index in range(config.heldout_scenes if synthetic else 0):
        order = Order(
            seed=heldout_seed(index),
            num_scenes=1,
            num_inputs=config.heldout_inputs,
            num_targets=config.heldout_targets,
            height=stage.height,
            width=stage.width,
        )
        source = synthetic[index % len(synthetic)]
        scenes[f"{source.name}/{index}"] = load(source, order, device)
    if given is not None:
        inputs, targets = choose_views(config, given)
        batch = read_batch(
            given.folder,
            [*inputs, *targets],
            num_inputs=len(inputs),
            height=stage.height,
            width=stage.width,
            framing=config.framing,
        )
        scenes[given.folder.resolve().name] = batch.to(device)
    return scenes


def check_not_trained_on(given: HeldOutSet, mixture: Mixture) -> None:
    """Refuse a held-out set that is also a source of training scenes.

    Raises:
        DatasetError: Naming the set and the source.
    """
    folder = given.folder.resolve()
    for source in mixture.sources:
        if isinstance(source, SetSource) and folder in {
            trained_on.resolve() for trained_on in source.folders
        }:
            raise DatasetError(
                f"{given.folder} is held out and also one of the sets of {source.name}",
                remedy="Hold out another set, or list the training sets without it in "
                "a .txt file.",
            )


def choose_views(config: TrainConfig, given: HeldOutSet) -> tuple[list[int], list[int]]:
    """Input and target views of a held-out set.

    Raises:
        DatasetError: If a range is none, is empty, or inputs and targets overlap.
    """
    num_views = len(read_dataset(given.folder).frames)
    inputs = targets = None
    if given.inputs is not None:
        inputs = _slice(given.inputs, num_views, given.folder)
    if given.targets is not None:
        targets = _slice(given.targets, num_views, given.folder)
    if inputs is None:
        inputs = _spread(_others(num_views, targets), config.heldout_inputs, 0.0)
    if targets is None:
        targets = _spread(_others(num_views, inputs), config.heldout_targets, 0.5)
    if not inputs or not targets:
        raise DatasetError(
            f"{given.folder} has {num_views} views, which leaves no inputs or no "
            "targets",
            remedy="Hold out a set with more views, or choose smaller ranges.",
        )
    both = sorted(set(inputs) & set(targets))
    if both:
        raise DatasetError(
            f"{given.folder}: views {both} are held out as inputs and as targets",
            remedy="Choose ranges that do not overlap.",
        )
    return inputs, targets


@torch.no_grad()
def evaluate(
    network: LaCTNetwork,
    scenes: Mapping[str, Batch],
    autocast: AbstractContextManager[object],
) -> list[HeldOutResult]:
    """Render the target views of held-out scenes, and the inputs again."""
    results: list[HeldOutResult] = []
    for name, batch in scenes.items():
        with autocast:
            given = batch.repeating(batch.num_inputs)
            if network.density_net is not None:
                given = given.with_surfaces(network)
            both = network(*given.network_inputs())[0].float()
        rendered, again = both.tensor_split([batch.truth.shape[1]])
        results.append(
            HeldOutResult(
                name=name,
                psnr_db=mean_psnr_db(rendered, batch.truth[0]),
                inputs_psnr_db=mean_psnr_db(again, batch.image[0, : batch.num_inputs]),
                batch=batch,
                rendered=rendered.cpu(),
            )
        )
    return results


def picture_grid(
    results: Sequence[HeldOutResult],
) -> UInt8[np.ndarray, "height width 3"]:
    """Rows of input views, then pairs of truth and render of target views."""
    rows = [_row(result) for result in results]
    width = max(row.shape[-1] for row in rows)
    padded = [pad(row, (0, width - row.shape[-1]), value=1.0) for row in rows]
    return to_uint8(torch.cat(padded, dim=1).permute(1, 2, 0))


def _row(result: HeldOutResult) -> Float[Tensor, "3 height width"]:
    image, truths = result.batch.image[0].cpu(), result.batch.truth[0].cpu()
    num_inputs = min(result.batch.num_inputs, NUM_SHOWN)
    gap = torch.ones(3, image.shape[-2] + GAP_PX, 2 * GAP_PX)
    tiles = [_framed(view) for view in image[:num_inputs]]
    for truth, rendered in zip(truths[:NUM_SHOWN], result.rendered, strict=False):
        tiles += [gap, _framed(truth), _framed(rendered)]
    return torch.cat(tiles, dim=2)


def _framed(view: Tensor) -> Tensor:
    return pad(view, (GAP_PX // 2,) * 4, value=1.0)


def _others(num_views: int, chosen: list[int] | None) -> list[int]:
    return [view for view in range(num_views) if view not in (chosen or ())]


def _spread(views: list[int], count: int, offset: float) -> list[int]:
    count = min(count, (len(views) + 1) // 2)
    return [views[int((i + offset) * len(views) / count)] for i in range(count)]


def _slice(text: str, num_views: int, folder: Path) -> list[int]:
    try:
        parts = [int(part) if part else None for part in text.split(":")]
        chosen = list(range(num_views))[slice(*parts)] if len(parts) > 1 else []
    except (ValueError, TypeError):
        chosen = []
    if not chosen:
        raise DatasetError(
            f"{text!r} selects none of the {num_views} views of {folder}",
            remedy="Write it as start:stop:step, such as 16:32:2.",
        )
    return chosen
