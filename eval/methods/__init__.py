"""What is evaluated: LaCT networks and the baselines beside them."""

from eval.methods.base import Built, Method
from eval.methods.registry import make_methods
