"""`nvs bench`: how fast this machine prefills, renders and makes training data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nvs.terminal import options, output

app = typer.Typer(
    help="Measure prefill and render, (`table`) at several sizes, (`data`) synthetic "
    "scenes or (`train`) training."
)


@app.callback(invoke_without_command=True)
def bench(
    context: typer.Context,
    weights: options.Weights = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Random weights of a preset instead, such as lact_l24_d768_ttt2x."
        ),
    ] = None,
    views: Annotated[int, typer.Option(help="Number of input views.")] = 8,
    size: options.Size = "256x256",
    repeats: Annotated[int, typer.Option(help="Timed prefills.")] = 3,
    device: options.Device = None,
    ranks: Annotated[
        str | None,
        typer.Option(
            help="Measure instead how several devices build a scene, named as for "
            "--devices: 4, cuda:0,cuda:1 or cpu:2."
        ),
    ] = None,
    precision: options.PrecisionName = None,
    compile: options.Compile = False,
    memory_gib: options.MemoryGiB = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="Say where the time goes, part by part.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Measure prefill and render, and their share of a matrix-product ceiling."""
    if context.invoked_subcommand is not None:
        return
    from nvs.config import preset as preset_config
    from nvs.errors import ConfigError
    from nvs.model.checkpoint import random_checkpoint
    from nvs.model.weights import load_weights
    from nvs.parallel import launch
    from nvs.parallel.devices import own_device
    from nvs.parallel.meeting import joined
    from nvs.scene import Renderer
    from nvs.scene.bench import bench as measure
    from nvs.scene.bench_ranks import bench_ranks
    from nvs.scene.precision import pick_device
    from nvs.scene.profile import profile as parts

    if views < 1 or repeats < 1:
        raise ConfigError(
            f"--views is {views}, --repeats is {repeats}",
            remedy="Both must be at least 1.",
        )
    if profile and compile:
        raise ConfigError(
            "--profile is given beside --compile",
            remedy="Give one of them: compiled blocks have no parts to be timed.",
        )
    if profile and ranks is not None:
        raise ConfigError(
            f"--profile is given beside --ranks {ranks}", remedy="Give one of them."
        )
    if launch.started(ranks):
        return
    parsed = options.parse_size(size)
    height, width = parsed if isinstance(parsed, tuple) else (parsed, parsed)
    shape = {"num_views": views, "height": height or 256, "width": width or 256}
    with joined(pick_device(own_device(device, ranks))) as group:
        if preset is not None:
            checkpoint = random_checkpoint(preset_config(preset))
            name = f"{preset} (random weights)"
        else:
            with group.first_before_others():
                loaded = load_weights(weights)
            checkpoint, name = loaded.checkpoint, loaded.name
        renderer = Renderer(
            checkpoint,
            model_id=name,
            precision=precision,
            budget_bytes=options.budget_bytes(memory_gib),
            compile=compile,
            group=group,
        )
        with group.first_before_others():
            renderer.wait_compiled(shape["height"], shape["width"], output.say_nvs)
        if profile:
            _print_parts(parts(renderer, **shape), as_json=json)
            return
        if group.size == 1:
            result = measure(renderer, **shape, repeats=repeats)
        else:
            result = bench_ranks(renderer, **shape, repeats=repeats)
        if group.is_first:
            output.print_result(result, as_json=json, title="nvs bench")


def _print_parts(measured: dict[str, Any], *, as_json: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    if as_json:
        output.print_result(measured, as_json=True, title="")
        return
    for work in ("prefill", "frame"):
        table = Table(title=f"nvs bench: {work}", title_justify="left")
        for column in ("part", "s", "share", "GFLOP", "MB", "floor s", "of floor"):
            table.add_column(column, justify="left" if column == "part" else "right")
        for row in measured[work]:
            table.add_row(
                row["part"],
                f"{row['seconds']:.3f}",
                f"{row['share']:.0%}",
                f"{row['flops'] / 1e9:,.1f}",
                f"{row['bytes'] / 1e6:,.0f}",
                f"{row['floor_seconds']:.3f}",
                f"{row['share_of_floor']:.0%}",
            )
        Console().print(table)
    output.say(
        f"ceilings: {measured['flops_per_second'] / 1e9:,.0f} GFLOP/s in products, "
        f"{measured['bytes_per_second'] / 1e9:.1f} GB/s in copies"
    )


@app.command("table")
def table(
    case: Annotated[
        list[str] | None,
        typer.Option(
            help="PRESET:VIEWS:HEIGHTxWIDTH. Repeatable; those of the released models."
        ),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Timed prefills.")] = 3,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="JSON file; the table goes beside it, as Markdown."
        ),
    ] = None,
    device: options.Device = None,
    precision: options.PrecisionName = None,
    memory_gib: options.MemoryGiB = None,
    json: options.Json = False,
) -> None:
    """Measure prefill and a frame at several sizes, each beside the ceiling."""
    from json import dumps

    from nvs.files import write_text
    from nvs.scene.bench_table import RELEASED, Case, bench_table, markdown

    rows = bench_table(
        [Case.parse(text) for text in case or RELEASED],
        device=device,
        precision=precision,
        budget_bytes=options.budget_bytes(memory_gib),
        repeats=repeats,
        report=output.say_nvs,
    )
    text = markdown(rows)
    if out is not None:
        write_text(out, dumps(rows, indent=1) + "\n")
        write_text(out.with_suffix(".md"), text)
    typer.echo(dumps(rows) if json else text)


@app.command("data")
def data(
    kind: Annotated[str, typer.Option(help="object or room.")] = "object",
    scenes: Annotated[int, typer.Option(help="Scenes a batch.")] = 8,
    views: Annotated[int, typer.Option(help="Views of each scene.")] = 10,
    size: options.Size = "64x64",
    photographs: Annotated[
        Path | None,
        typer.Option(help="A folder of photographs that some surfaces wear."),
    ] = None,
    repeats: Annotated[int, typer.Option(help="Timed batches.")] = 3,
    device: options.Device = None,
    json: options.Json = False,
) -> None:
    """Measure how fast synthetic training scenes are made."""
    from nvs.errors import ConfigError
    from nvs.scene.precision import pick_device
    from nvs.train.bench import bench_scenes
    from nvs.train.synthetic import load_photographs

    parsed = options.parse_size(size)
    if not isinstance(parsed, tuple):
        parsed = (parsed or 64, parsed or 64)
    if kind not in ("object", "room") or min(scenes, views, repeats) < 1:
        raise ConfigError(
            f"--kind is {kind}, --scenes {scenes}, --views {views}, "
            f"--repeats {repeats}",
            remedy="The kind is object or room; the others are at least 1.",
        )
    result = bench_scenes(
        kind,
        scenes=scenes,
        views=views,
        height=parsed[0],
        width=parsed[1],
        repeats=repeats,
        device=pick_device(device),
        photographs=None if photographs is None else load_photographs(photographs),
    )
    output.print_result(result, as_json=json, title="nvs bench data")


@app.command("train")
def train(
    preset: Annotated[str, typer.Option(help="A training preset.")] = "tiny",
    data: Annotated[
        str | None, typer.Option(help="The source of scenes, such as synthetic:room=1.")
    ] = None,
    inputs: Annotated[int, typer.Option(min=1, help="Input views of a scene.")] = 8,
    targets: Annotated[int, typer.Option(min=1, help="Its target views.")] = 12,
    size: Annotated[int, typer.Option(min=1, help="Image side in pixels.")] = 64,
    repeats: Annotated[int, typer.Option(min=1, help="Timed steps.")] = 5,
    device: options.Device = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any configuration value: key=value. Repeatable."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Measure a training step by part; with several processes under torchrun."""
    from nvs.process import keep_freed_memory
    from nvs.scene.precision import pick_device
    from nvs.train.bench import bench_training
    from nvs.train.data import parse_mixture
    from nvs.train.distributed import processes
    from nvs.train.presets import parse_overrides
    from nvs.train.presets import preset as training_preset

    keep_freed_memory()
    values = {"steps": 1000, "lpips_weight": 0} | parse_overrides(settings or [])
    values |= {} if data is None else {"data": data}
    config = training_preset(preset, values)
    mixture = parse_mixture(
        config.data, framing=config.framing, photographs=config.photographs
    )
    with processes(pick_device(device)) as group:
        result = bench_training(
            config,
            mixture,
            num_inputs=inputs,
            num_targets=targets,
            size=size,
            repeats=repeats,
            processes=group,
        )
    if group.is_first:
        output.print_result(result, as_json=json, title="nvs bench train")
