"""`nvs quickstart`: photographs or a video to a scene, a video and a sheet of it.

It runs `nvs data pose` (or `frames --pose`), `nvs data validate`, `nvs build` and
`nvs render`, each in a process of its own, and notes in OUT/quickstart.json what each
was asked and has answered. A step is done again only if what it is asked, the
photographs or a step before it has changed, or if what it made is gone.

    OUT/dataset/         photographs with cameras
    OUT/validation.html  what is wrong with them
    OUT/built.scene      the scene; beside it a picture of the views that were kept out
    OUT/video.mp4        around it, or along the capture
    OUT/sheet.png        the same, as one picture
"""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from nvs.terminal import options, output
from nvs_data.commands import shared

NOTES = "quickstart.json"
FRAMES_OF_A_VIDEO = 60
SHEET_FRAMES = "12"
WARNINGS = 1
"""What `nvs data validate` ends with after warnings."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One command of the chain."""

    name: str
    """What people call it."""
    command: tuple[str, ...]
    """Words after `nvs`."""
    source: Path
    """What it reads."""
    makes: tuple[str, Path]
    """The option that says where its result goes, and where."""
    settings: tuple[str, ...] = ()
    """Other options."""

    def key(self, before: str) -> str:
        """Equal where the step would do the same after one with the key `before`."""
        asked = [before, self.command, self.settings]
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()

    @property
    def words(self) -> list[str]:
        """The whole command, as it is typed."""
        option, path = self.makes
        return [*self.command, str(self.source), option, str(path), *self.settings]


def quickstart(
    photos: Annotated[
        Path, typer.Argument(help="A folder of photographs, or a video.")
    ],
    destination: shared.Folder,
    count: Annotated[
        int, typer.Option(help="Frames that are chosen of a video.")
    ] = FRAMES_OF_A_VIDEO,
    weights: options.Weights = None,
    size: options.Size = None,
    holdout: Annotated[
        int,
        typer.Option(help="Keep every n-th view out, to see how close it comes; or 0."),
    ] = 8,
    path: options.CameraPath = "auto",
    frames: options.NumFrames = 60,
    device: options.Device = None,
    precision: options.PrecisionName = None,
    compile: options.Compile = False,
    json: options.Json = False,
) -> None:
    """Pose photographs or a video, build the scene, render it. Resumes."""
    compute = (
        *_given({"--device": device, "--precision": precision}),
        "--compile" if compile else "--no-compile",
    )
    of_weights = _given({"--weights": weights})
    dataset, scene = destination / "dataset", destination / "built.scene"
    shown = (*_given({"--path": path}), *of_weights, *compute)
    steps = [
        _posing(photos, dataset, count),
        Step(
            name="validate",
            command=("data", "validate"),
            source=dataset,
            makes=("--report", destination / "validation.html"),
            settings=_given({"--for": weights}),
        ),
        Step(
            name="build",
            command=("build",),
            source=dataset,
            makes=("-o", scene),
            settings=(
                *_given({"--size": size, "--holdout": holdout or None}),
                *of_weights,
                *compute,
            ),
        ),
        Step(
            name="video",
            command=("render",),
            source=scene,
            makes=("-o", destination / "video.mp4"),
            settings=("--frames", str(frames), *shown),
        ),
        Step(
            name="sheet",
            command=("render",),
            source=scene,
            makes=("-o", destination / "sheet.png"),
            settings=("--frames", SHEET_FRAMES, *shown),
        ),
    ]
    with shared.resumable(f"finished steps are kept in {destination}"):
        results, reused = run_steps(steps, photos_digest(photos), destination)
    posed, built = results["pose"], results["build"]
    values: dict[str, Any] = {
        "photographs": posed["photographs"],
        "posed": posed["posed"],
        "reprojection_error_px": posed["reprojection_error_px"],
        "findings": len(results["validate"]["findings"]),
        **{name: built[name] for name in built if name.startswith("psnr_")},
        "expect": built["expect"],
        **{step.name: str(step.makes[1]) for step in steps},
        "reused": reused if json else ", ".join(reused) or "nothing",
    }
    output.print_result(values, as_json=json, title=f"quickstart of {photos}")


def photos_digest(photos: Path) -> str:
    """A digest of a video, or of the names and bytes of a folder's photographs.

    Raises:
        DatasetError: If it is neither.
    """
    from nvs.file_kinds import VIDEO_SUFFIXES
    from nvs.files import file_sha256
    from nvs_data.photos import list_photos

    is_video = photos.is_file() and photos.suffix.lower() in VIDEO_SUFFIXES
    files = [photos] if is_video else list_photos(photos)
    listed = [(file.name, file_sha256(file)) for file in files]
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def run_steps(
    steps: Sequence[Step], photos_digest: str, folder: Path
) -> tuple[dict[str, Any], list[str]]:
    """Do the steps that are not done yet.

    Returns:
        What each has answered, by its name; and the names of those done before.

    Raises:
        OutputError: If the folder holds something else.
        DatasetError: If the dataset has errors.
        typer.Exit: If a command ends badly; it has said why.
    """
    from nvs.files import check_new_folder, write_text

    notes = folder / NOTES
    if not notes.exists():
        check_new_folder(folder)
    known = _read_notes(notes)
    done: dict[str, Any] = {}
    reused: list[str] = []
    key = photos_digest
    for step in steps:
        key = step.key(key)
        made = step.makes[1]
        before: dict[str, Any] = known.get(step.name, {})
        is_same = before.get("key") == key
        result = before.get("result")
        if is_same and result is not None and made.exists():
            output.say(f"nvs: {step.name}: as before, {made}")
            done[step.name] = before
            reused.append(step.name)
            continue
        if not is_same or result is not None:  # else it was interrupted, and goes on
            _remove(made)
        known = {}  # what follows is to be done again
        done[step.name] = {"key": key, "result": None}
        write_text(notes, json.dumps(done, indent=1))
        done[step.name]["result"] = _run(step)
        write_text(notes, json.dumps(done, indent=1))
    return {name: note["result"] for name, note in done.items()}, reused


def _posing(photos: Path, dataset: Path, count: int) -> Step:
    is_video = photos.is_file()
    return Step(
        name="pose",
        command=("data", "frames" if is_video else "pose"),
        source=photos,
        makes=("-o", dataset),
        settings=("--count", str(count), "--pose") if is_video else (),
    )


def _given(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Options that have a value, with it."""
    pairs = ((name, value) for name, value in settings.items() if value is not None)
    return tuple(word for name, value in pairs for word in (name, str(value)))


def _run(step: Step) -> Any:
    """The JSON that a command prints; its bars and messages go to the terminal.

    The command is told of Ctrl-C once, and has the time it needs to end.
    """
    output.say(f"nvs: {step.name}: nvs {' '.join(step.words)}")
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "nvs.cli", *step.words, "--json"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            answer, _ = process.communicate()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            process.wait()
            raise
    if step.name == "validate" and answer:
        return _judged(json.loads(answer))
    if process.returncode != 0:
        raise typer.Exit(process.returncode)
    return json.loads(answer)


def _judged(validation: dict[str, Any]) -> dict[str, Any]:
    """Say what is wrong with a dataset.

    Raises:
        DatasetError: If that are errors.
    """
    from nvs.errors import DatasetError

    findings = validation["findings"]
    for finding in findings:
        output.say(f"nvs: {finding['severity']}: {finding['message']}")
    if validation["exit_code"] > WARNINGS:
        worst = next(found for found in findings if found["severity"] == "error")
        raise DatasetError(worst["message"], remedy=worst["remedy"])
    return validation


def _read_notes(file: Path) -> dict[str, Any]:
    """What the steps so far have answered; nothing where that cannot be read."""
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _remove(made: Path) -> None:
    if made.is_dir():
        shutil.rmtree(made)
    else:
        made.unlink(missing_ok=True)
