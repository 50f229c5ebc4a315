"""`nvs remote upload | pose | mask`: what a scene is made of."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nvs.cli.remote import bars, connection
from nvs.cli.remote.scenes import STATES
from nvs.errors import ConfigError, DatasetError, NvsError
from nvs.file_kinds import VIDEO_SUFFIXES
from nvs.terminal import options, output

if TYPE_CHECKING:
    from nvs.client import CamerasReport, Client

DOUBTFUL = 0.6
"""Agreement under which a mask should be looked at."""


def upload(
    path: Annotated[
        Path,
        typer.Argument(
            help="A dataset folder, camera file, .zip, .scene file, video, or a folder "
            "of photographs."
        ),
    ],
    scene: Annotated[
        str | None,
        typer.Option(help="Go on with this scene, sending only what it lacks."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the new scene; that of the folder.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help="Tag of the new scene; may be repeated.")
    ] = None,
    server: connection.Server = None,
    key_file: connection.KeyFile = None,
    json: options.Json = False,
) -> None:
    """Upload images with cameras, a scene file, or photographs or a video to pose."""
    if not path.exists():
        raise DatasetError(f"there is nothing at {path}", remedy="Check the path.")
    if scene is not None and (name is not None or tag):
        raise ConfigError(
            "--scene goes with neither --name nor --tag",
            remedy="They are for a new scene; leave them out.",
        )
    with connection.connect(server, key_file) as client:
        is_new = scene is None
        if scene is None:
            title = name or path.resolve().stem
            scene = client.create_scene(title, tags=tag or ()).id
        try:
            report = _send(client, scene, path)
        except KeyboardInterrupt:
            output.say(f"nvs: go on with: nvs remote upload {path} --scene {scene}")
            raise
        except NvsError:
            if is_new:
                _delete_if_empty(client, scene)
            raise
        result = client.scene(scene)
    state = STATES.get(result.state, result.state)
    values = {"scene": scene, "name": result.name, "state": state}
    if report is not None:
        values |= {
            "layout": report.layout,
            "images": result.num_images,
            "frames": report.num_frames,
            "missing": report.num_missing,
        }
        if report.missing:
            output.say(f"nvs: missing images: {', '.join(report.missing[:3])} …")
    elif result.state != "ready":
        values |= {"images": result.num_images, "video": result.has_video}
        output.say(f"nvs: no cameras yet; find them with: nvs remote pose {scene}")
    output.print_result(values, as_json=json, title=f"uploaded {path}")


def _delete_if_empty(client: Client, scene_id: str) -> None:
    """Leave nothing behind of an upload that was refused before anything was stored."""
    with contextlib.suppress(NvsError):
        if client.scene(scene_id).input_bytes == 0:
            client.delete_scene(scene_id)


def _send(client: Client, scene_id: str, path: Path) -> CamerasReport | None:
    """Send what is there; what its cameras say, if it has any."""
    from nvs.client.dataset_files import has_cameras

    if path.suffix == ".scene":
        with bars.transfer(path.name) as update:
            client.upload_scene_file(scene_id, path, on_progress=update)
        return None
    if path.suffix == ".zip":
        with bars.transfer(path.name) as update:
            return client.upload_zip(scene_id, path, on_progress=update)
    if path.suffix.lower() in VIDEO_SUFFIXES:
        with bars.transfer(path.name) as update:
            client.upload_video(scene_id, path, on_progress=update)
        return None
    if path.is_dir() and not has_cameras(path):
        with bars.files() as watch:
            client.upload_photos(scene_id, path, on_progress=watch)
        return None
    with bars.files() as watch:
        return client.upload_dataset(scene_id, path, on_progress=watch)


def pose(
    scene: connection.SceneId,
    matching: Annotated[
        str | None,
        typer.Option(help="Photographs to compare: exhaustive, sequential or auto."),
    ] = None,
    camera_model: Annotated[
        str | None,
        typer.Option(help="Lens: OPENCV, RADIAL, SIMPLE_RADIAL, or PINHOLE (renders)."),
    ] = None,
    max_image_px: Annotated[
        int | None, typer.Option(help="Longer side at which features are found.")
    ] = None,
    count: Annotated[
        int | None, typer.Option(help="Frames that are chosen of a video.")
    ] = None,
    masks: Annotated[
        bool, typer.Option(help="Features only where masks of photographs are white.")
    ] = True,
    server: connection.Server = None,
    key_file: connection.KeyFile = None,
    json: options.Json = False,
) -> None:
    """Find the cameras of uploaded photographs or a video; Ctrl-C cancels."""
    with connection.connect(server, key_file) as client:
        job = client.pose(
            scene,
            matching=matching,
            camera_model=camera_model,
            max_image_px=max_image_px,
            num_frames=count,
            use_masks=None if masks else False,
            wait=False,
        )
        bars.waited(client, job)
        found = client.scene(scene)
    report = found.posing
    if report is None:  # other cameras were uploaded meanwhile
        raise DatasetError(
            f"the cameras of {scene} are not those that were found",
            remedy="Pose it again, or build it as it is.",
        )
    for photo in report.left_out:
        output.say(f"nvs: left out: {photo.name}: {photo.reason}")
    for note in report.notes:
        output.say(f"nvs: {note}")
    values: dict[str, Any] = {"scene": scene, **report.model_dump(mode="json")}
    if not json:
        values |= {"left_out": len(report.left_out), "notes": len(report.notes)}
    output.print_result(values, as_json=json, title=f"posed {found.name}")


def mask(
    scene: connection.SceneId,
    accept: Annotated[
        str | None,
        typer.Option(
            help="Decide on masks that are proposed: all, none, or images by name: "
            "a.jpg,b.jpg."
        ),
    ] = None,
    previews: Annotated[
        Path | None,
        typer.Option(help="Folder for small pictures of the images, outlines drawn."),
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="grabcut, or rembg where the server has it.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace masks that are there.")
    ] = False,
    server: connection.Server = None,
    key_file: connection.KeyFile = None,
    json: options.Json = False,
) -> None:
    """Cut out what the cameras look at: proposes masks, or decides on them."""
    with connection.connect(server, key_file) as client:
        if accept is None:
            job = client.mask(scene, method=method, force=force or None, wait=False)
            bars.waited(client, job)
            made = (client.job(job.id).result or {})["masks"]
            doubtful = [one["image"] for one in made if one["agreement"] < DOUBTFUL]
            if doubtful:
                output.say(
                    f"nvs: {len(doubtful)} masks agree little with the others: "
                    f"{', '.join(doubtful)}"
                )
        if previews is not None:
            previews.mkdir(parents=True, exist_ok=True)
            for image in client.masks(scene).proposed:
                name = f"{image.replace('/', '_')}.jpg"
                (previews / name).write_bytes(client.mask_preview(scene, image))
        if accept is not None:
            chosen = {"all": None, "none": []}.get(accept, accept.split(","))
            client.decide_masks(scene, chosen)
        now = client.masks(scene)
    if now.proposed:
        output.say(f"nvs: use them with: nvs remote mask {scene} --accept all")
    values: dict[str, Any] = {
        "scene": scene,
        "proposed": now.proposed if json else len(now.proposed),
        "used": now.num_used,
        "previews": None if previews is None else str(previews),
    }
    output.print_result(values, as_json=json, title="masks")
