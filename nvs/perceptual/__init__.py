"""LPIPS, the learned perceptual distance, for training and for evaluation."""

from nvs.perceptual.backbones import Net
from nvs.perceptual.lpips import Lpips
