"""`nvs build`: posed images to a scene file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nvs.terminal import options, output

if TYPE_CHECKING:
    from nvs.scene import PosedViews, Renderer
    from nvs.scene.framing import Framing


def build(
    images: Annotated[Path, typer.Argument(help="A dataset: images with cameras.")],
    scene: options.Output,
    weights: options.Weights = None,
    size: options.Size = None,
    views: options.Views = None,
    framing: options.Framing = "auto",
    up: options.Up = None,
    holdout: Annotated[
        int | None,
        typer.Option(
            help="Keep every n-th view out, such as 8, render it, and say how close it "
            "comes; writes a picture beside the scene."
        ),
    ] = None,
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
    from nvs.scene.datasets import read_dataset
    from nvs.scene.holdout import compare, split
    from nvs.scene.pictures import write_png
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

    def loaded(views: list[int] | None) -> PosedViews:
        return load_views(
            images,
            size=wanted or renderer.trained_on.default_size,
            patch_size=renderer.config.patch_size,
            views=views,
            format=format,
        )

    kept_out: list[int] = []
    if holdout is not None:
        if chosen is None:
            chosen = list(range(len(read_dataset(images, format=format).frames)))
        chosen, kept_out = split(chosen, holdout)
    posed = loaded(chosen)
    if wanted is None:
        _say_size(renderer)
    large = renderer.trained_on.size_concern(
        renderer.model_id, posed.camera.height, posed.camera.width
    )
    if large:
        output.say(f"nvs: {large}")
    framed = renderer.frame(posed, framing, up=options.parse_up(up))
    _say_framing(framed)
    start = time.perf_counter()
    with output.progress(f"prefill {len(posed)} views", unit="groups") as update:
        result = renderer.prefill(
            posed,
            framing=framed,
            dtype=DTYPES[keep],
            progress=update,
        )
    seconds = time.perf_counter() - start
    digest = result.save(scene)
    quality: dict[str, Any] = {}
    if kept_out:
        compared = compare(renderer, result, posed, loaded(kept_out))
        picture = scene.with_suffix(".holdout.png")
        write_png(picture, compared.picture)
        output.say(
            f"nvs: {compared.num_views} views kept out: {compared.psnr_db:.1f} dB, "
            f"{compared.meaning}"
        )
        quality = {
            "held_out_views": compared.num_views,
            "psnr_held_out": compared.psnr_db,
            "psnr_nearest_input": compared.nearest_psnr_db,
            "psnr_flat_colour": compared.flat_psnr_db,
            "comparison": str(picture),
        }
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
            "expect": framed.verdict,
            "device": str(renderer.device),
            "precision": renderer.precision.name,
            "prefill_seconds": seconds,
            "tokens_per_second": tokens / renderer.config.patch_size**2 / seconds,
            "file_bytes": scene.stat().st_size,
            **quality,
        },
        as_json=json,
        title=f"built {scene}",
    )


def _say_framing(framing: Framing) -> None:
    output.say(f"nvs: framing {framing.reason}")
    for concern in framing.concerns:
        output.say(f"nvs: {concern.verdict}: {concern.problem}. {concern.remedy}")


def _say_size(renderer: Renderer) -> None:
    size = renderer.trained_on.default_size
    if size is not None:
        text = f"{size[0]}×{size[1]}" if isinstance(size, tuple) else str(size)
        name = renderer.model_id
        output.say(f"nvs: size {text}, as {name} was trained; --size changes it")
