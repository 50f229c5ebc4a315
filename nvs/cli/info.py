"""`nvs info`: what a scene, a weights file or a dataset holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nvs.terminal import options, output

if TYPE_CHECKING:
    from nvs.cameras import Camera
    from nvs.scene import Scene

    Drawn = tuple[Camera, tuple[float, float, float]]
    """Cameras, and what is up in their world."""


def info(
    target: Annotated[
        str,
        typer.Argument(
            help="A scene file, weights (name, file or exported folder) or a dataset."
        ),
    ],
    picture: Annotated[
        Path | None, typer.Option(help="Also draw the cameras into this PNG.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Describe a scene file, weights or a dataset; can draw its cameras."""
    from nvs.errors import ConfigError
    from nvs.scene.pictures import draw_cameras

    values, drawn = _describe(target, as_json=json)
    if picture is not None:
        if drawn is None:
            raise ConfigError(
                f"{target} holds weights, which have no cameras",
                remedy="Leave out --picture.",
            )
        if picture.suffix != ".png":
            raise ConfigError(f"--picture is {picture}", remedy="Name a .png file.")
        camera, up = drawn
        title = f"{target}: {len(camera)} cameras"
        draw_cameras(camera, picture, title=title, up=up)
        values["picture"] = str(picture)
    output.print_result(values, as_json=json, title=target)


def _describe(target: str, *, as_json: bool) -> tuple[dict[str, Any], Drawn | None]:
    """What is known of it, and its cameras with what is up, if it has some."""
    from nvs.model.shards import MANIFEST, exported_file
    from nvs.model.weights import REGISTRY

    path = Path(target)
    if exported_file(path) is not None or path.name == MANIFEST:
        return describe_weights(target, as_json=as_json), None
    if path.is_dir() or path.suffix in (".json", ".zip"):
        return _views(path)
    if target in REGISTRY or path.suffix in (".safetensors", ".pt"):
        return describe_weights(target, as_json=as_json), None
    return _scene(path)


def _scene(path: Path) -> tuple[dict[str, Any], Drawn]:
    from nvs.scene import Scene

    scene = Scene.load(path)
    values = {
        "kind": "scene",
        "views": len(scene.input_camera),
        "height": scene.height,
        "width": scene.width,
        "weights": scene.model_id,
        "weights_digest": scene.model_digest,
        "weights_hint": scene.weights_hint,
        "blocks": len(scene.fast_weights),
        "dtype": str(scene.dtype).removeprefix("torch."),
        "fast_weight_bytes": scene.fast_weight_bytes,
        "framing": scene.normalisation.kind,
        "up": [round(value, 4) for value in scene.up],
        "precision": scene.precision,
        "created_with": scene.created_with,
    }
    if _is_unframed(scene):
        values["remedy"] = "built unframed: build it again"
    return values, (scene.input_camera, scene.up)


def _is_unframed(scene: Scene) -> bool:
    """Whether building it again would frame a scene that was left as it was."""
    from nvs.model.weights import REGISTRY, trained_on_of
    from nvs.scene.framing import is_unframed

    return scene.model_id in REGISTRY and is_unframed(
        scene.normalisation, scene.input_camera, trained_on_of(scene.model_id)
    )


def describe_weights(target: str, *, as_json: bool) -> dict[str, Any]:
    """What is known about weights, once they are loaded, for people or as JSON."""
    from nvs.model import cost
    from nvs.model.weights import load_weights

    weights = load_weights(target)
    checkpoint, record = weights.checkpoint, weights.trained_on
    return {
        "kind": "weights",
        "name": weights.name,
        "trained_on": record.to_json() if as_json else str(record),
        "parameters": cost.num_parameters(checkpoint.config),
        "fast_parameters": cost.num_fast_parameters(checkpoint.config),
        "digest": checkpoint.digest,
        **checkpoint.config.to_json(),
        **{
            f"about_{key}": value
            for key, value in checkpoint.about.items()
            if key not in ("trained_on", "poses")
        },
    }


def _views(path: Path) -> tuple[dict[str, Any], Drawn]:
    import math

    from nvs.cameras import Camera
    from nvs.model.trained_on import TrainedOn
    from nvs.scene.datasets import read_dataset
    from nvs.scene.framing import choose

    dataset = read_dataset(path)
    frames = dataset.frames
    for frame in frames:
        frame.camera.check([frame.name])
    sizes = sorted({(f.camera.height, f.camera.width) for f in frames})
    height, width = sizes[0]
    camera = Camera.cat([f.camera.resized(height, width) for f in frames])
    hfov = camera.hfov_radians * 180 / math.pi
    values = {
        "kind": "views",
        "views": len(frames),
        "missing": len(dataset.missing),
        "sizes": ", ".join(f"{height}×{width}" for height, width in sizes),
        "hfov_degrees": f"{hfov.min():.1f} to {hfov.max():.1f}",
        "center_low": [round(x, 4) for x in camera.center.amin(0).tolist()],
        "center_high": [round(x, 4) for x in camera.center.amax(0).tolist()],
        "first": frames[0].name,
        "last": frames[-1].name,
    }
    up = choose(camera, TrainedOn(), world_up=dataset.world_up).up
    return values, (camera, up)
