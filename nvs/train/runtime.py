"""How the network runs: precision, compilation, recomputation, several devices."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch._functorch import config as functorch_config
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

from nvs.model import LaCTNetwork
from nvs.parallel.split import split_tokens
from nvs.scene.compiler import compiler, keep_compiled, no_compiler
from nvs.scene.precision import DTYPES, faster_dtype
from nvs.train.config import Precision, TrainConfig
from nvs.train.density_loss import DensityLoss
from nvs.train.distributed import Processes

BYTES_A_CHANNEL = {True: 72, False: 128}
"""What a block, compiled or not, keeps for its gradient, for each channel of a token;
measured."""
KEPT_SHARE = 0.8
"""Of what a compiled block would like to keep: the rest, which is cheap, is computed
again. Slower by nothing that could be measured."""
MOST_ACTIVATION_BYTES = 5 * 2**29
"""A process on a CPU keeps no more: above, blocks are computed twice."""


def build_network(config: TrainConfig) -> LaCTNetwork:
    """A network with new weights that the seed decides, on the CPU."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return LaCTNetwork(config.model)


def prepare(
    network: LaCTNetwork, config: TrainConfig, processes: Processes
) -> nn.Module:
    """The network as it is called in training; its weights and names stay the same.

    Where processes share the views of a scene, the sum of their losses, each as large
    as its part of the targets, is what is differentiated.
    """
    if processes.views.size > 1:
        split_tokens(network, processes.views)
    compiles = config.compile and compiler(processes.device) is not None
    if compiles:
        keep_compiled()
        functorch_config.activation_memory_budget = KEPT_SHARE
        compile_for_all_sizes()
    for block in network.blocks:
        forward = block.forward
        if compiles:
            forward = torch.compile(forward, dynamic=True)
        block.forward = _recomputing(
            forward, config, processes, bytes_a_channel=BYTES_A_CHANNEL[compiles]
        )
    if processes.everyone.size == 1:
        return network
    if network.density_net is not None:  # learns by a loss of its own
        network.density_net.requires_grad_(False)
    together = DistributedDataParallel(
        network,
        find_unused_parameters=config.model.update_rule == "momentum",
        gradient_as_bucket_view=True,
    )
    if network.density_net is not None:
        network.density_net.requires_grad_(True)
    return together


def compile_for_all_sizes() -> None:
    """Have torch compile once for any number of views and of tokens.

    It takes a minute or two, so not for each: sizes that happen to be equal are not to
    be taken for the same, and the coefficients of the code not for arguments.
    """
    from torch._dynamo import config as dynamo  # loads the compiler
    from torch.fx.experimental import _config as shapes

    dynamo.specialize_float = True
    shapes.use_duck_shape = False


def prepare_density(network: LaCTNetwork, processes: Processes) -> nn.Module:
    """The loss of a network's densities as it is called in training."""
    assert network.density_net is not None, "the configuration was checked"
    loss = DensityLoss(network.density_net)
    if processes.everyone.size == 1:
        return loss
    return DistributedDataParallel(loss, gradient_as_bucket_view=True)


def last_exchanges(
    forward: nn.Module | None, is_last: bool
) -> AbstractContextManager[None]:
    """Where a step has several backward passes, only the last exchanges gradients."""
    if is_last or not isinstance(forward, DistributedDataParallel):
        return nullcontext()
    return forward.no_sync()


def _recomputing(
    forward: Callable[..., Any],
    config: TrainConfig,
    processes: Processes,
    *,
    bytes_a_channel: int,
) -> Callable[..., Any]:
    """A block that keeps its activations, or where they are too many its input only.

    Processes that share a scene decide by the configuration alone: each must compute
    a block, and send what it does, as often as the others.
    """
    limited = processes.device.type == "cpu" and processes.views.size == 1

    def run(x: Tensor, *rest: Any) -> Any:
        num_bytes = x.numel() * config.model.num_blocks * bytes_a_channel
        too_many = limited and num_bytes > MOST_ACTIVATION_BYTES
        if torch.is_grad_enabled() and (config.activation_checkpointing or too_many):
            return checkpoint(forward, x, *rest, use_reentrant=False)
        return forward(x, *rest)

    return run


def dtype(precision: Precision, processes: Processes) -> torch.dtype:
    """The precision of a name, the same for all processes."""
    if precision == "auto":
        return faster_dtype(processes.bfloat16_gain)
    return DTYPES[precision]


def autocast(
    config: TrainConfig, processes: Processes, *, keeps_weights: bool = True
) -> torch.autocast:
    """The context in which the network and the loss are computed.

    It keeps weights that it has converted, for all threads: one that computes without
    gradients beside another must not.
    """
    return torch.autocast(
        processes.device.type,
        dtype=torch.bfloat16,
        enabled=dtype(config.precision, processes) == torch.bfloat16,
        cache_enabled=keeps_weights,
    )


def num_workers(config: TrainConfig, processes: Processes) -> int:
    """Processes that make data ahead for this one."""
    if config.workers is not None:
        return config.workers
    here = int(os.environ.get("LOCAL_WORLD_SIZE", processes.everyone.size))
    computing = torch.get_num_threads() if processes.device.type == "cpu" else 1
    return int(num_cores() - computing * here >= here)


def num_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def describe(config: TrainConfig, processes: Processes) -> str:
    """How the run computes on this machine, in a line."""
    device, gain = processes.device, processes.bfloat16_gain
    name = str(dtype(config.precision, processes)).removeprefix("torch.")
    words = [machine(device), name]
    if config.precision == "auto" and device.type == "cpu":
        words[-1] += f" (bfloat16 is {gain:.1f} times as fast)"
    if config.compile and compiler(device) is not None:
        words.append("compiled")
    elif config.compile:
        words.append(f"not compiled: {no_compiler(device)}")
    world, sharing = processes.everyone.size, processes.views.size
    words.append(f"{world} processes" if world > 1 else "1 process")
    if sharing > 1:
        words.append(f"{sharing} of them to a scene")
    return ", ".join(words)


def machine(device: torch.device) -> str:
    """What a run trained on, in words."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}"
    threads = torch.get_num_threads()
    return f"{platform.machine()} CPU, {threads} threads, torch {torch.__version__}"
