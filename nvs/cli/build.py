"""`nvs build`: posed images to a scene file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nvs.terminal import options, output

if TYPE_CHECKING:
    from nvs.scene import Renderer


def build(
    images: Annotated[Path, typer.Argument(help="A dataset: images with cameras.")],
    scene: options.Output,
    weights: options.Weights = None,
    size: options.Size = None,
    views: Annotated[
        str | None, typer.Option(help="Frames to use, such as 0,4,8-11; all.")
    ] = None,
    framing: Annotated[
        str,
        typer.Option(
            help="How poses are normalised: auto (as the weights expect), none, "
            "mean_camera, or object (a capture of an object at any scale)."
        ),
    ] = "auto",
    format: Annotated[
        str | None, typer.Option(help="Dataset layout, instead of recognising it.")
    ] = None,
    keep: Annotated[
        str, typer.Option(help="Precision of the scene file: bfloat16 or float32.")
    ] = "bfloat16",
    device: options.Device = None,
    precision: options.PrecisionName = None,
    memory_gib: options.MemoryGiB = None,
    json: options.Json = False,
) -> None:
    """Build a scene file from posed images: one forward pass."""
    import time

    from nvs.errors import ConfigError, OutputError
    from nvs.scene import Renderer, load_views
    from nvs.scene.precision import DTYPES

    if keep not in DTYPES:
        raise ConfigError(f"--keep is {keep!r}", remedy=f"Use {' or '.join(DTYPES)}.")
    if scene.is_dir():
        raise OutputError(
            f"{scene} is a folder", remedy="Name a file, such as chair.scene."
        )
    chosen = options.parse_indices(views, "--views")
    renderer = Renderer.from_weights(
        weights,
        device=device,
        precision=precision,
        budget_bytes=options.budget_bytes(memory_gib),
    )
    wanted = options.parse_size(size)
    posed = load_views(
        images,
        size=wanted or renderer.trained_on.default_size,
        patch_size=renderer.config.patch_size,
        views=chosen,
        format=format,
    )
    if wanted is None:
        _say_size(renderer)
    _say_if_large(posed.camera.height, posed.camera.width, renderer)
    start = time.perf_counter()
    with output.progress(f"prefill {len(posed)} views", unit="groups") as update:
        result = renderer.prefill(
            posed,
            framing=framing,
            dtype=DTYPES[keep],
            progress=update,
        )
    seconds = time.perf_counter() - start
    digest = result.save(scene)
    tokens = len(posed) * (result.height * result.width)
    output.print_result(
        {
            "scene": str(scene),
            "digest": digest,
            "weights": renderer.model_id,
            "views": len(posed),
            "height": result.height,
            "width": result.width,
            "framing": result.normalisation.kind,
            "device": str(renderer.device),
            "precision": renderer.precision.name,
            "prefill_seconds": seconds,
            "tokens_per_second": tokens / renderer.config.patch_size**2 / seconds,
            "file_bytes": scene.stat().st_size,
        },
        as_json=json,
        title=f"built {scene}",
    )


def _say_size(renderer: Renderer) -> None:
    size = renderer.trained_on.default_size
    if size is not None:
        text = f"{size[0]}×{size[1]}" if isinstance(size, tuple) else str(size)
        name = renderer.model_id
        output.say(f"nvs: size {text}, as {name} was trained; --size changes it")


def _say_if_large(height: int, width: int, renderer: Renderer) -> None:
    trained = renderer.trained_on.size
    if trained is not None and max(height, width) > 2 * max(trained):
        output.say(
            f"nvs: {height}×{width} is more than twice the {trained[0]}×{trained[1]} "
            f"that {renderer.model_id} was trained at; patches may show"
        )
