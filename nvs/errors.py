"""Every error a user can cause.

Each message has two parts: what is wrong (naming the file, view or field and the bad
value) and the remedy. The command line prints both on one line and exits with
`exit_code`; a service returns them as the fields of a problem document.
"""

from __future__ import annotations


class NvsError(Exception):
    """Something the user can put right.

    Args:
        problem: What is wrong, naming the file, view or field and the value found.
        remedy: What to do about it.
    """

    exit_code = 2

    def __init__(self, problem: str, *, remedy: str) -> None:
        super().__init__(f"{problem.rstrip('.')}. {remedy}")
        self.problem = problem
        self.remedy = remedy

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by fields, so that a worker process can hand the error back."""
        return _restored, (type(self), self.problem, self.remedy)


def _restored(kind: type[NvsError], problem: str, remedy: str) -> NvsError:
    error = kind.__new__(kind)
    NvsError.__init__(error, problem, remedy=remedy)
    return error


class ConfigError(NvsError, ValueError):
    """A setting or configuration value that cannot work."""


class CameraError(NvsError, ValueError):
    """A camera that is not finite, not rigid or does not fit its image."""


class ImageError(NvsError):
    """An image that cannot be read, is too large or has the wrong shape."""


class DatasetError(NvsError):
    """A dataset whose layout, files or counts are not as they should be."""


class CheckpointError(NvsError):
    """Network weights that are damaged or belong to another configuration."""


class WeightsUnavailableError(NvsError):
    """Named weights that are neither on this machine nor reachable."""


class SceneFileError(NvsError):
    """A scene file that is truncated, altered or from another model."""


class OutputError(NvsError):
    """A result that cannot be written: no space, no permission, a wrong suffix."""


class TrainingError(NvsError):
    """A training run that cannot go on, such as a loss that is no longer finite."""


class MissingExtraError(NvsError, ImportError):
    """An optional dependency that is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"this needs the package {package!r}, which is not installed",
            remedy=f"Install it with: pip install 'lact-nvs[{extra}]'",
        )
