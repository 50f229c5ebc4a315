"""How close rendered images are to photographs."""

from eval.metrics.images import psnr_db, ssim_gaussian, ssim_uniform
from eval.metrics.suite import COLUMNS, Metrics
