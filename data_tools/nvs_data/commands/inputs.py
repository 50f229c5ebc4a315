"""Options that several data commands share, and how their values are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nvs.errors import ConfigError

if TYPE_CHECKING:
    from nvs.scene.frames import Dataset, Frame

DatasetPath = Annotated[
    Path, typer.Argument(metavar="DATASET", help="A dataset: images with cameras.")
]
Folder = Annotated[Path, typer.Option("-o", "--output", help="Folder to write.")]
Format = Annotated[
    str | None, typer.Option(help="Dataset layout, instead of recognising it.")
]
Convention = Annotated[
    str,
    typer.Option(
        help="Axes the poses were stored with: opencv, as the layout says; or opengl, "
        "which turns y and z of every camera round."
    ),
]
Seed = Annotated[int, typer.Option(help="Seed of k_means and random.")]

CONVENTIONS = ("opencv", "opengl")
METHODS = ("k_means", "farthest_point", "uniform", "random")
SEEDED = ("k_means", "random")


def check_choice(option: str, value: str, choices: Iterable[str]) -> None:
    """Raise unless a value is one of those there are.

    Raises:
        ConfigError: Naming the option, the value and the choices.
    """
    if value not in choices:
        raise ConfigError(
            f"{option} is {value!r}", remedy=f"Use one of {', '.join(choices)}."
        )


def check_at_least(option: str, value: float | None, low: int) -> None:
    """Raise if a value is given and too small.

    Raises:
        ConfigError: Naming the option and the value.
    """
    if value is not None and not value >= low:
        raise ConfigError(f"{option} is {value}", remedy=f"Use at least {low}.")


def check_new_folder(folder: Path) -> None:
    """Raise if a folder to write holds something.

    Raises:
        OutputError: If it does, or is a file.
    """
    from nvs.errors import OutputError

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(
            f"{folder} is there already and not empty", remedy="Name a new folder."
        )


def read(path: Path, format: str | None, convention: str = "opencv") -> Dataset:
    """The frames of a dataset, their axes turned round if the convention says so.

    Raises:
        ConfigError: If there is no such convention.
        DatasetError, CameraError: If the dataset cannot be read.
    """
    from nvs.scene.datasets import read_dataset
    from nvs_data.frame_edits import with_flipped_axes

    check_choice("--convention", convention, CONVENTIONS)
    dataset = read_dataset(path, format=format)
    if convention == "opengl":
        frames = tuple(with_flipped_axes(frame) for frame in dataset.frames)
        return replace(dataset, frames=frames)
    return dataset


def select_views(
    frames: Sequence[Frame], *, method: str, count: int, seed: int
) -> list[int]:
    """Indices of the frames that a method of `nvs_data.selection` chooses.

    Raises:
        ConfigError: If there are fewer views, or the count is not positive.
        CameraError: If a camera is unusable.
    """
    from nvs.cameras import Camera
    from nvs_data import selection

    for frame in frames:
        frame.camera.check([frame.name])
    first = frames[0].camera
    camera = Camera.cat([f.camera.resized(first.height, first.width) for f in frames])
    choose: Callable[..., list[int]] = getattr(selection, method)
    return choose(camera, count, **({"seed": seed} if method in SEEDED else {}))


def counted(frames: Sequence[Frame], update: Callable[[int, int], None]) -> list[Frame]:
    """Frames that report how many of them have been decoded."""
    done = 0

    def load(frame: Frame) -> Any:
        nonlocal done
        pixels = frame.load()
        done += 1
        update(done, len(frames))
        return pixels

    return [replace(frame, load=lambda f=frame: load(f)) for frame in frames]
