"""`nvs eval complexity`: how cost grows with the number of views."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from nvs.terminal import options, output
from nvs_eval.commands.shared import parse_sizes


def complexity(
    views: Annotated[str, typer.Option(help="Numbers of input views.")] = "4,8,16,32",
    size: Annotated[
        str, typer.Option(help="One size: 128 (a square) or 72x128.")
    ] = "128",
    preset: Annotated[str, typer.Option(help="Shape of all networks.")] = "lact_tiny",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Another shape: dim=64. Repeatable."),
    ] = None,
    networks: Annotated[
        str, typer.Option(help="Of lact, full_attention, register.")
    ] = "lact,full_attention,register",
    registers: Annotated[int, typer.Option(min=1, help="Number of registers.")] = 4096,
    repeats: Annotated[
        int, typer.Option(min=1, help="Rounds; the fastest counts.")
    ] = 3,
    clock: Annotated[
        str,
        typer.Option(
            help="wall; or cpu, this process's processor time, for a shared machine."
        ),
    ] = "wall",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Processor threads; all if absent.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--output", "--out", help="JSON file of the results."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="PNG or SVG file of prefill and frame time."),
    ] = None,
    device: options.Device = None,
    precision: options.PrecisionName = None,
    memory_gib: options.MemoryGiB = None,
    json: options.Json = False,
) -> None:
    """Measure state, prefill and frame time of networks with random weights."""
    from dataclasses import asdict
    from json import dumps

    import torch

    from nvs.config import ModelConfig
    from nvs.config import preset as preset_config
    from nvs.errors import ConfigError
    from nvs.files import write_text
    from nvs.scene.precision import pick_device
    from nvs_eval.complexity import CostSettings, exponents, measure
    from nvs_eval.report.charts import write_cost_growth
    from nvs_eval.report.complexity import complexity_markdown
    from nvs_eval.runs.opening import machine, versions

    sizes = parse_sizes(size) or []
    if plot is not None and plot.suffix.lower() not in (".png", ".svg"):
        raise ConfigError(f"--plot is {plot}", remedy="Name a .png or .svg file.")
    if len(sizes) != 1:
        raise ConfigError(f"--size is {size!r}", remedy="Give one size.")
    values = preset_config(preset).to_json()
    for setting in settings or []:
        key, _, value = setting.partition("=")
        if not value.isdigit():
            raise ConfigError(f"--set is {setting!r}", remedy="Give key=NUMBER.")
        values[key] = int(value)
    config = ModelConfig.from_json(values)
    chosen = CostSettings(
        view_counts=tuple(options.parse_indices(views, "--views") or []),
        height=sizes[0][0],
        width=sizes[0][1],
        networks=tuple(networks.split(",")),
        repeats=repeats,
        num_registers=registers,
        device=device,
        precision=precision,
        budget_bytes=options.budget_bytes(memory_gib),
        clock=clock,
    )
    if threads is not None:
        torch.set_num_threads(threads)
    rows = measure(
        config,
        chosen,
        report=lambda row: output.say(
            f"nvs: {row.network}, {row.num_views} views: "
            f"{row.prefill_seconds:.3f} s, {row.milliseconds_per_frame:.1f} ms a frame"
        ),
    )
    costs = [asdict(row) for row in rows]
    content = {
        "settings": asdict(chosen),
        "config": config.to_json(),
        "threads": torch.get_num_threads(),
        "machine": machine(pick_device(device)),
        "versions": versions(),
        "rows": costs,
        "exponents": [asdict(fit) for fit in exponents(rows)],
    }
    if out is not None:
        write_text(out, dumps(content, indent=1) + "\n")
    if plot is not None:
        write_cost_growth(plot, costs)
    if json:
        sys.stdout.write(dumps(content) + "\n")
        return
    typer.echo(complexity_markdown(content))
