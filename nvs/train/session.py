"""A session of a run: what to train, where from, and what to leave behind."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nvs.config import ModelConfig
from nvs.errors import CheckpointError, ConfigError, OutputError
from nvs.files import atomic_output, remove_file, remove_leftovers, write_text
from nvs.model.checkpoint import (
    Checkpoint,
    check_config,
    load_checkpoint,
    save_checkpoint,
)
from nvs.model.shards import MANIFEST, WEIGHTS, remove_shards, split_file
from nvs.model.weights import get_weights
from nvs.process import keep_freed_memory
from nvs.train import runtime
from nvs.train.config import TrainConfig
from nvs.train.data import Mixture, check_sources, parse_mixture
from nvs.train.distributed import Processes, processes
from nvs.train.grow import GROWING, can_grow, grow
from nvs.train.heldout import HeldOutSet, check_not_trained_on, choose_views
from nvs.train.loop import Trainer
from nvs.train.presets import preset, with_model
from nvs.train.state import TrainState, list_states, load_state

DEFAULT_PRESET = "tiny"


def train(
    out: Path,
    *,
    preset_name: str | None = None,
    values: Mapping[str, Any] | None = None,
    resume: bool = False,
    device: torch.device | None = None,
    context_parallel: int = 1,
    init: Path | str | None = None,
    export: Path | None = None,
    shard_bytes: int | None = None,
    heldout_set: HeldOutSet | None = None,
    mixture: Mixture | None = None,
    quiet: bool = False,
) -> Trainer:
    """Train, from the start or from the last checkpoint, and export at the end.

    Args:
        out: The run's folder: checkpoints, metrics, pictures.
        preset_name: A named run; `tiny`, or that of the checkpoint, if absent.
        values: Other configuration values, over those of the preset or checkpoint.
        resume: Go on from the last checkpoint in `out`, if there is one.
        device: What to train on; under `torchrun`, `cuda` is each process's own.
        context_parallel: How many processes share the views of each scene.
        init: Weights to begin with: a registered name, a file, or a folder that
            `export` wrote.
        export: Folder for the trained weights (their running mean, in bfloat16); not
            written if a signal ends the session before the run is done.
        shard_bytes: Largest size of an exported file.
        heldout_set: A posed set to evaluate on beside the synthetic scenes.
        mixture: Where scenes come from, instead of what the configuration says.
        quiet: Print nothing.

    Returns:
        The trainer as it stands at the end.

    Raises:
        NvsError: Naming what is wrong and the remedy.
    """
    started = time.monotonic()
    keep_freed_memory()
    resumed = _last_state(out, resume=resume)
    try:
        config = _config(preset_name, values or {}, resumed)
    except ConfigError as error:
        if resume and resumed is None:
            raise ConfigError(
                f"{out} holds no checkpoint to go on from, and for a new run "
                f"{error.problem}",
                remedy=error.remedy,
            ) from error
        raise
    mixture = mixture or parse_mixture(
        config.data, framing=config.framing, photographs=config.photographs
    )
    check_sources(config, mixture)
    if heldout_set is not None:
        choose_views(config, heldout_set)
        check_not_trained_on(heldout_set, mixture)
    begun_with = None
    if init is not None and resumed is None:
        path = get_weights(str(init))
        begun_with = load_checkpoint(path)
        if not can_grow(begun_with.config, config.model):
            position = begun_with.config.fast_position
            check_config(
                path,
                begun_with.config,
                dataclasses.replace(
                    config.model,
                    fast_position=position,
                    reprojection=begun_with.config.reprojection,
                ),
            )
            check_config(path, begun_with.config, config.model)
        config = dataclasses.replace(config, initial_digest=begun_with.digest)
    if resumed is None:
        _check_densities(config, begun_with)
    with processes(device or torch.device("cpu"), context_parallel) as group:
        _check_same_step(group, out, resumed)
        if group.is_first:
            remove_leftovers(out, ".checkpoint-")
            text = json.dumps(config.to_json(), indent=1) + "\n"
            write_text(out / "config.json", text)
        trainer = Trainer(
            config,
            out,
            mixture=mixture,
            processes=group,
            heldout_set=heldout_set,
            initial=None if begun_with is None else _initial(begun_with, config),
            resumed=resumed,
            started=started,
            quiet=quiet,
        )
        trainer.report.say(runtime.describe(config, group))
        if begun_with is not None and begun_with.config != config.model:
            trainer.report.say(f"the weights of {init} {_changes(begun_with, config)}")
        if resume:
            where = (
                f"step {resumed.step}" if resumed else "the start: no checkpoint yet"
            )
            trainer.report.say(f"{out}  going on from {where}")
        trainer.run()
        if trainer.interrupted and export is not None:
            trainer.report.say("the weights are unfinished and not exported")
        elif export is not None and group.is_first:
            paths = export_weights(
                export,
                config.model,
                trainer.learner.mean.network.state_dict(),
                about=trainer.about(),
                shard_bytes=shard_bytes,
            )
            trainer.report.say(f"weights: {', '.join(str(path) for path in paths)}")
    return trainer


def export_weights(
    folder: Path,
    config: ModelConfig,
    state: Mapping[str, Tensor],
    *,
    about: Mapping[str, Any],
    shard_bytes: int | None,
    dtype: torch.dtype = torch.bfloat16,
) -> list[Path]:
    """Write weights to a folder and check that they read back.

    They take the place of what was exported there before, in either form. Whenever
    this is interrupted, the folder gives the old weights or the new ones.

    Args:
        folder: Where to write `weights.safetensors`, or its shards and their manifest.
        config: The network.
        state: Its weights.
        about: What is known about them.
        shard_bytes: Largest size of a file; one file whatever its size if absent.
        dtype: Precision of the weights.

    Returns:
        The files written.

    Raises:
        OutputError: If a file cannot be written.
        CheckpointError: If what was written does not read back the same.
    """
    remove_leftovers(folder, ".weights")
    whole = folder / WEIGHTS
    with atomic_output(whole) as temporary:
        digest = save_checkpoint(temporary, config, state, about=about, dtype=dtype)
        _expect(load_checkpoint(temporary, config).digest, digest, whole)
    remove_shards(folder)
    paths = [whole]
    if shard_bytes is not None and whole.stat().st_size > shard_bytes:
        paths = split_file(whole, shard_bytes)
        _expect(load_checkpoint(folder / MANIFEST, config).digest, digest, folder)
        remove_file(whole)
    _expect(load_checkpoint(folder, config).digest, digest, folder)
    return paths


def _last_state(out: Path, *, resume: bool) -> TrainState | None:
    states = list_states(out)
    if states and not resume:
        raise OutputError(
            f"{out} already holds a run ({states[-1].name})",
            remedy="Go on with --resume, or choose another folder.",
        )
    return load_state(states[-1]) if states else None


def _check_same_step(group: Processes, out: Path, resumed: TrainState | None) -> None:
    step = resumed.step if resumed else 0
    step_of_first = group.everyone.of_first(step)
    (num_others,) = group.everyone.mean([float(step != step_of_first)])
    if num_others:
        raise CheckpointError(
            f"the processes do not find the same checkpoint in {out}: the first is at "
            f"step {step_of_first}, process {group.everyone.rank} at {step}",
            remedy="Put the run's folder on a file system that all machines share.",
        )


def _initial(begun_with: Checkpoint, config: TrainConfig) -> Mapping[str, Tensor]:
    """The weights that a run begins with."""
    state, found = begun_with.state, begun_with.config
    if all(getattr(found, key) == getattr(config.model, key) for key in GROWING):
        return state
    new = runtime.build_network(config).state_dict()
    return grow(state, found, config.model, new)


def _changes(begun_with: Checkpoint, config: TrainConfig) -> str:
    """In what the network of a run is another than that of its first weights."""
    found, wanted = map(dataclasses.asdict, (begun_with.config, config.model))
    keys = [key for key in wanted if found[key] != wanted[key]]
    before, here = (
        ", ".join(f"{key} = {values[key]}" for key in keys)
        for values in (found, wanted)
    )
    return f"had {before}; here {here}"


def _check_densities(config: TrainConfig, begun_with: Checkpoint | None) -> None:
    """Refuse a run that would be told where surfaces are by what learns it nowhere."""
    known = begun_with is not None and begun_with.config.has_density
    if config.model.has_density and not known and not config.learns_density:
        raise ConfigError(
            "nothing teaches these weights where surfaces are, which fast_position = "
            "surface_point turns by",
            remedy="Begin with weights that know (--init), put a stage before that "
            'says "learns": "density", or add --set model.fast_position=ray_point.',
        )


def _config(
    name: str | None, values: Mapping[str, Any], resumed: TrainState | None
) -> TrainConfig:
    if resumed is None:
        return preset(name or DEFAULT_PRESET, values)
    saved = resumed.config
    if name is not None and name != saved.preset:
        raise CheckpointError(
            f"the run was started with preset {saved.preset}, not {name}",
            remedy="Leave out --preset to resume, or choose another folder.",
        )
    config = TrainConfig.from_json(with_model(saved.to_json() | dict(values)))
    for key in ("model", "optimiser"):
        if getattr(config, key) != getattr(saved, key):
            raise CheckpointError(
                f"the run was started with {key} = {getattr(saved, key)}",
                remedy="Leave it as it was, or choose another folder; weights can be "
                "taken over with --init.",
            )
    return config


def _expect(found: str, expected: str, path: Path) -> None:
    if found != expected:
        raise CheckpointError(
            f"{path} does not read back as it was written",
            remedy="Check the disk and export again.",
        )
