"""What is evaluated: LaCT networks and the baselines beside them."""

from nvs_eval.methods.base import Method, synchronise
from nvs_eval.methods.registry import make_methods
