"""How the network runs: precision, compilation, recomputation, several devices."""

from __future__ import annotations

import functools
import platform

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

from nvs.model import LaCTNetwork
from nvs.scene.precision import DTYPES
from nvs.train.config import TrainConfig
from nvs.train.distributed import Processes


def build_network(config: TrainConfig) -> LaCTNetwork:
    """A network with new weights that the seed decides, on the CPU."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = LaCTNetwork(config.model)
    network.set_newton_schulz_dtype(DTYPES[config.newton_schulz_dtype])
    return network


def prepare(
    network: LaCTNetwork, config: TrainConfig, processes: Processes
) -> nn.Module:
    """The network as it is called in training; its weights and names stay the same."""
    for block in network.blocks:
        forward = block.forward
        if config.compile:
            forward = torch.compile(forward)
        if config.activation_checkpointing:
            forward = functools.partial(checkpoint, forward, use_reentrant=False)
        block.forward = forward
    if processes.world == 1:
        return network
    return DistributedDataParallel(
        network, find_unused_parameters=config.model.update_rule == "momentum"
    )


def autocast(config: TrainConfig, device: torch.device) -> torch.autocast:
    """The context in which the network and the loss are computed."""
    return torch.autocast(
        device.type,
        dtype=torch.bfloat16,
        enabled=config.precision == "bfloat16",
    )


def machine(device: torch.device) -> str:
    """What a run trained on, in words."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}"
    threads = torch.get_num_threads()
    return f"{platform.machine()} CPU, {threads} threads, torch {torch.__version__}"
