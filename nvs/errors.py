"""Every error a user can cause.

Each message has two parts: what is wrong (naming the file, view or field and the bad
value) and the remedy. The command line prints both on one line and exits with
`exit_code`; a service returns them as the fields of a problem document. The file or
folder that an error is about is a field of its own, so that a service can call it as
its users know it.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


class NvsError(Exception):
    """Something the user can put right.

    Args:
        detail: What is wrong, naming the view or field and the value found.
        remedy: What to do about it.
        subject: The file or folder it is about, where there is one.
    """

    exit_code = 2

    def __init__(
        self, detail: str, *, remedy: str, subject: Path | str | None = None
    ) -> None:
        super().__init__(detail, remedy)
        self.detail = detail
        self.remedy = remedy
        self.subject = subject

    @property
    def problem(self) -> str:
        """What is wrong, after the name of what it is about."""
        return self.detail if self.subject is None else f"{self.subject}: {self.detail}"

    def __str__(self) -> str:
        """Problem and remedy."""
        return f"{self.problem.rstrip('.')}. {self.remedy}"

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by fields, so that a worker process can hand the error back."""
        return restored, (type(self), self.detail, self.remedy, self.subject)


def restored(
    kind: type[NvsError], detail: str, remedy: str, subject: Path | str | None
) -> NvsError:
    """An error of a kind by its fields; some kinds have their own constructor."""
    error = kind.__new__(kind)
    NvsError.__init__(error, detail, remedy=remedy, subject=subject)
    return error


@contextmanager
def about(subject: Path | str) -> Generator[None]:
    """Errors of the block that name no subject are about this one."""
    try:
        yield
    except NvsError as error:
        if error.subject is None:
            error.subject = subject
        raise


def reason(error: Exception) -> str:
    """What an error of a library says, without the path that the system adds."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


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


class RankError(NvsError):
    """A rank of several that was lost, or that needs more than its device has."""


class StoppedError(NvsError):
    """A rank that stops because another failed, which says why."""

    exit_code = 3


class InterruptedWorkError(NvsError):
    """Ctrl-C or a signal, where what was done so far is kept."""

    exit_code = 130


class MissingExtraError(NvsError, ImportError):
    """An optional dependency that is not installed."""

    def __init__(self, package: str, extra: str, *, otherwise: str = "") -> None:
        remedy = f"In the checkout of lact-nvs, run: pip install -e '.[{extra}]'"
        super().__init__(
            f"this needs the package {package!r}, which is not installed",
            remedy=f"{remedy}, {otherwise}" if otherwise else remedy,
        )
