"""The LaCT network, from pure functions on fast weights to checkpoints."""

from nvs.model.fast_weight import FastWeights
from nvs.model.network import LaCTNetwork
