"""`nvs build`: posed images to a scene file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nvs.terminal import options, output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nvs.api.framing import Concern as ToldConcern
    from nvs.api.framing import Expectation, HeldOut
    from nvs.scene import Renderer
    from nvs.scene.concerns import Concern
    from nvs.scene.framing import Framing
    from nvs.scene.holdout import Comparison


def build(
    images: Annotated[Path, typer.Argument(help="A dataset: images with cameras.")],
    scene: options.Output,
    weights: options.Weights = None,
    size: options.Size = None,
    views: options.Views = None,
    framing: options.Framing = "auto",
    up: options.Up = None,
    convention: options.Convention = "opencv",
    holdout: options.Holdout = None,
    format: Annotated[
        str | None, typer.Option(help="Dataset layout, instead of recognising it.")
    ] = None,
    keep: Annotated[
        str, typer.Option(help="Precision of the scene file: bfloat16 or float32.")
    ] = "bfloat16",
    device: options.Device = None,
    devices: options.Devices = None,
    compile: options.Compile = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Print work, expected time and memory on this machine; build nothing.",
        ),
    ] = False,
    precision: options.PrecisionName = None,
    memory_gib: options.MemoryGiB = None,
    json: options.Json = False,
) -> None:
    """Build a scene file from posed images: one forward pass."""
    import time

    from nvs.errors import ConfigError, OutputError
    from nvs.model.weights import load_weights
    from nvs.parallel import launch
    from nvs.parallel.devices import own_device
    from nvs.parallel.meeting import joined
    from nvs.scene import Renderer, load_views, open_views
    from nvs.scene.datasets import read_dataset
    from nvs.scene.holdout import compare, split
    from nvs.scene.pictures import write_png
    from nvs.scene.plan import plan
    from nvs.scene.precision import DTYPES, pick_device

    if keep not in DTYPES:
        raise ConfigError(f"--keep is {keep!r}", remedy=f"Use {' or '.join(DTYPES)}.")
    if scene.is_dir():
        raise OutputError(
            f"{scene} is a folder", remedy="Name a file, such as chair.scene."
        )
    if dry_run and devices is not None:
        raise ConfigError(
            f"--dry-run is given beside --devices {devices}",
            remedy="It tells of one device: leave --devices out.",
        )
    if launch.started(devices):
        return
    with joined(pick_device(own_device(device, devices))) as group:
        chosen = options.parse_indices(views, "--views")
        with group.first_before_others():
            named = load_weights(weights)
        renderer = Renderer.from_weights(
            named,
            precision=precision,
            budget_bytes=options.budget_bytes(memory_gib),
            compile=compile and not dry_run,
            group=group,
        )
        wanted = options.parse_size(size)
        shape: Any = {
            "size": wanted or renderer.trained_on.default_size,
            "patch_size": renderer.config.patch_size,
            "format": format,
            "convention": convention,
        }
        kept_out: list[int] = []
        if holdout is not None:
            if chosen is None:
                chosen = list(range(len(read_dataset(images, format=format).frames)))
            chosen, kept_out = split(chosen, holdout)
        if dry_run:
            expected = plan(
                renderer,
                read_dataset(
                    images, format=format, views=chosen, convention=convention
                ).frames,
                size=shape["size"],
                dtype=DTYPES[keep],
            )
            output.print_result(expected, as_json=json, title=f"what {scene} takes")
            return
        posed = open_views(images, views=chosen, group=group, **shape)
        num_views = sum(group.share(len(posed)))
        framed = renderer.frame(posed, framing, up=options.parse_up(up))
        if group.is_first and framed.normalisation is None:
            say_concerns(framed.concerns[1:])  # the error says the first
        framed.required()
        with group.first_before_others():
            renderer.wait_compiled(
                posed.camera.height, posed.camera.width, output.say_nvs
            )
        start = time.perf_counter()
        if not group.is_first:
            renderer.prefill(posed, framing=framed)
            return
        if wanted is None:
            _say_size(renderer)
        large = renderer.trained_on.size_concern(
            renderer.model_id, posed.camera.height, posed.camera.width
        )
        if large:
            output.say(f"nvs: {large}")
        say_framing(framed)
        with output.progress(f"prefill {num_views} views", unit="groups") as update:
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
            inputs = posed
            if group.size > 1:
                inputs = open_views(images, views=chosen, **shape)
            held_out = load_views(images, views=kept_out, **shape)
            compared = compare(renderer, result, inputs, held_out)
            picture = scene.with_suffix(".holdout.png")
            write_png(picture, compared.picture)
            say_held_out(compared)
            quality = {**held_out_values(compared), "comparison": str(picture)}
        tokens = num_views * (result.height * result.width)
        output.print_result(
            {
                "scene": str(scene),
                "digest": digest,
                "weights": renderer.model_id,
                "views": num_views,
                "height": result.height,
                "width": result.width,
                "framing": result.normalisation.kind,
                "expect": framed.verdict,
                "device": devices or str(renderer.device),
                "precision": renderer.computes,
                "prefill_seconds": seconds,
                "tokens_per_second": tokens / renderer.config.patch_size**2 / seconds,
                "file_bytes": scene.stat().st_size,
                **quality,
            },
            as_json=json,
            title=f"built {scene}",
        )


def say_framing(framing: Framing | Expectation) -> None:
    """How a capture is framed and what to expect of that, a line each."""
    output.say(f"nvs: framing {framing.reason}")
    say_concerns(framing.concerns)


def say_concerns(concerns: Sequence[Concern | ToldConcern]) -> None:
    """What to expect of a build, a line a concern."""
    for concern in concerns:
        output.say(f"nvs: {concern.verdict}: {concern.problem}. {concern.remedy}")


def say_held_out(held_out: Comparison | HeldOut) -> None:
    """How close a build comes to the views that were kept out of it."""
    close = held_out.render
    numbers = [f"{close.psnr_db:.1f} dB"]
    numbers += [] if close.ssim is None else [f"SSIM {close.ssim:.3f}"]
    numbers += [] if close.lpips is None else [f"LPIPS {close.lpips:.3f}"]
    output.say(
        f"nvs: {held_out.num_views} views kept out: {', '.join(numbers)}; "
        f"{held_out.meaning}"
    )
    for note in held_out.notes:
        output.say(f"nvs: {note}")


def held_out_values(held_out: Comparison | HeldOut) -> dict[str, Any]:
    """The numbers of views that were kept out; what was left out is not there."""
    values: dict[str, Any] = {"held_out_views": held_out.num_views}
    for what, close in (
        ("held_out", held_out.render),
        ("nearest_input", held_out.nearest),
        ("flat_colour", held_out.flat),
    ):
        values[f"psnr_{what}"] = close.psnr_db
        if close.ssim is not None:
            values[f"ssim_{what}"] = close.ssim
        if close.lpips is not None:
            values[f"lpips_{what}"] = close.lpips
    return values


def _say_size(renderer: Renderer) -> None:
    size = renderer.trained_on.default_size
    if size is not None:
        text = f"{size[0]}×{size[1]}" if isinstance(size, tuple) else str(size)
        name = renderer.model_id
        output.say(f"nvs: size {text}, as {name} was trained; --size changes it")
