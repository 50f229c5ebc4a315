"""`nvs train`: train a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def train(
    out: Annotated[
        Path,
        typer.Option(
            *("-o", "--output", "--out"),
            help="Folder of the run: checkpoints, metrics, pictures.",
        ),
    ],
    preset: Annotated[
        str | None,
        typer.Option(help="Named run: tiny, small, object or scene. Default: tiny."),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Length in steps.")] = None,
    time_budget: Annotated[
        str | None,
        typer.Option(
            help="Length in time, such as 90m. With --steps: the most this session "
            "may take."
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="Sources and weights: synthetic:object=0.7,sets=0.3."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of weights and data.")] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on from the last checkpoint in its folder."),
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    context_parallel: Annotated[
        int,
        typer.Option(
            min=1, help="Processes of torchrun that share the views of each scene."
        ),
    ] = 1,
    nice: Annotated[
        int,
        typer.Option(min=0, max=19, help="Give way to other work: 19 most of all."),
    ] = 0,
    init: Annotated[
        str | None,
        typer.Option(help="Weights to begin with: a name, file or exported folder."),
    ] = None,
    export: Annotated[
        Path | None, typer.Option(help="Folder for the trained weights.")
    ] = None,
    shard_mib: Annotated[
        int | None, typer.Option(min=1, help="Largest size of an exported file.")
    ] = None,
    heldout: Annotated[
        Path | None,
        typer.Option(help="Posed set to evaluate on, never trained on."),
    ] = None,
    heldout_inputs: Annotated[
        str | None, typer.Option(help="Its input views, as start:stop:step.")
    ] = None,
    heldout_targets: Annotated[
        str | None, typer.Option(help="Its target views, as start:stop:step.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any configuration value: key=value. Repeatable."),
    ] = None,
) -> None:
    """Train a network on synthetic scenes, posed sets, or a mixture of them.

    On several devices: torchrun --nproc-per-node N -m nvs.cli train …
    """
    import os

    from nvs.errors import InterruptedWorkError
    from nvs.scene.precision import pick_device
    from nvs.train import session
    from nvs.train.heldout import HeldOutSet
    from nvs.train.presets import parse_overrides
    from nvs.train.schedule import parse_duration

    if nice:
        os.nice(nice)
    values: dict[str, Any] = parse_overrides(settings or [])
    given = {"steps": steps, "data": data, "seed": seed}
    values |= {key: value for key, value in given.items() if value is not None}
    if time_budget is not None:
        values["time_budget_seconds"] = parse_duration(time_budget)
    heldout_set = None
    if heldout is not None:
        heldout_set = HeldOutSet(
            folder=heldout, inputs=heldout_inputs, targets=heldout_targets
        )
    trainer = session.train(
        out,
        preset_name=preset,
        values=values,
        resume=resume,
        device=pick_device(device),
        context_parallel=context_parallel,
        init=init,
        export=export,
        shard_bytes=None if shard_mib is None else shard_mib * 2**20,
        heldout_set=heldout_set,
    )
    if trainer.interrupted:
        raise InterruptedWorkError(
            f"stopped at step {trainer.step}; {out} holds everything up to there",
            remedy="Go on with --resume.",
        )
