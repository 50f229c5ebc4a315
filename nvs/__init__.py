"""Novel view synthesis on large-chunk test-time training (arXiv:2505.23884)."""

__version__ = "0.1.0"
