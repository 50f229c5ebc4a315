"""`nvs data pose` and `frames`: photographs or a video to a dataset, by COLMAP."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from nvs.terminal import options, output
from nvs_data.commands import shared

if TYPE_CHECKING:
    from nvs_data.colmap_run import Progress
    from nvs_data.photos import Matching
    from nvs_data.posing import CameraModel, PosingReport

STAGES = {
    "decode": ("read", "photographs"),
    "features": ("find features", "photographs"),
    "matching": ("match", "pairs"),
    "mapping": ("place", "photographs"),
}


def pose(
    photos: Annotated[Path, typer.Argument(help="A folder of photographs.")],
    destination: shared.Folder,
    matching: Annotated[
        str,
        typer.Option(
            help="Photographs to compare: exhaustive (all pairs), sequential (those "
            "close in the order of names), or auto (by their number)."
        ),
    ] = "auto",
    camera_model: Annotated[
        str,
        typer.Option(help="Lens: OPENCV, RADIAL, SIMPLE_RADIAL, or PINHOLE (renders)."),
    ] = "OPENCV",
    max_image_px: Annotated[
        int, typer.Option(help="Longer side at which features are found.")
    ] = 1600,
    masks: Annotated[
        bool,
        typer.Option(help="Features only where masks in a folder `masks` are white."),
    ] = True,
    threads: Annotated[
        int | None, typer.Option(help="Threads; all cores if absent.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Find the cameras of photographs: a folder that `nvs build` reads. Resumes."""
    from nvs_data.posing import pose as pose_photos

    kept = f"features and matches found so far are kept in {destination}"
    with shared.resumable(kept), stages() as progress:
        report = pose_photos(
            photos,
            destination,
            matching=cast("Matching", matching),
            camera_model=cast("CameraModel", camera_model),
            max_image_px=max_image_px,
            use_masks=masks,
            num_threads=threads,
            progress=progress,
        )
    print_report(report, as_json=json)


@contextmanager
def stages() -> Generator[Callable[[Progress], None]]:
    """A bar for each stage of posing, one after another."""
    with ExitStack() as bars:
        stage: str | None = None
        update: Callable[[int, int | None], None]

        def report(progress: Progress) -> None:
            nonlocal stage, update
            if progress.stage != stage:
                bars.close()
                stage = progress.stage
                label, unit = STAGES[progress.stage]
                bar = output.progress(label, total=progress.total, unit=unit)
                update = bars.enter_context(bar)
            update(progress.done, progress.total)

        yield report


def print_report(report: PosingReport, *, as_json: bool) -> None:
    """What was posed and how well; what was not, or has another name, and why."""
    from nvs_data.photos import summary

    values = {
        "dataset": str(report.folder),
        "photographs": len(report.registered) + len(report.dropped),
        "posed": len(report.registered),
        "reprojection_error_px": report.mean_error_px,
    }
    if as_json:
        values |= {
            "registered": [asdict(photo) for photo in report.registered],
            "dropped": [asdict(photo) for photo in report.dropped],
            "left_out": [asdict(file) for file in report.left_out],
            "renamed": dict(report.renamed),
        }
    output.print_result(values, as_json=as_json, title="posed")
    if as_json:
        return
    for photo in report.dropped:
        typer.echo(f"dropped: {photo.name}: {photo.reason}")
    for line in summary(report.left_out):
        typer.echo(line)
    if report.renamed:
        name, original = next(iter(report.renamed.items()))
        typer.echo(
            f"renamed: {len(report.renamed)}, such as {original} to {name}; all are in "
            f"{report.folder / 'posing.json'}"
        )


def frames(
    video: Annotated[Path, typer.Argument(help="An mp4, mov or webm file.")],
    destination: shared.Folder,
    count: Annotated[
        int | None, typer.Option(help="How many frames, evenly spread in time.")
    ] = None,
    baseline: Annotated[
        float | None,
        typer.Option(
            help="Or how far the image moves from one to the next, over its longer "
            "side: 0.05 is usual."
        ),
    ] = None,
    pose: Annotated[
        bool, typer.Option("--pose/--no-pose", help="Also find their cameras.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Choose sharp, well-spread frames of a video, by time or by movement."""
    from nvs.files import atomic_output, check_new_folder
    from nvs_data.video import extract_frames, pose_video

    if pose:
        kept = f"frames, features and matches so far are kept in {destination}"
        with shared.resumable(kept), stages() as progress:
            report = pose_video(
                video, destination, count=count, baseline=baseline, progress=progress
            )
        print_report(report, as_json=json)
        return
    check_new_folder(destination)
    with (
        output.progress("choose frames", unit="frames") as update,
        atomic_output(destination) as folder,
    ):
        files = extract_frames(video, folder, count=count, baseline=baseline)
        update(len(files), len(files))
    names = [file.name for file in files]
    values = {"photographs": str(destination), "frames": len(names)}
    values |= {"names": names} if json else {"first": names[0], "last": names[-1]}
    output.print_result(values, as_json=json, title="chose frames")
