"""How close rendered images are to photographs."""

from nvs_eval.metrics.images import ssim_gaussian, ssim_uniform
from nvs_eval.metrics.suite import COLUMNS, Metrics
