"""What storing and finding can fail with.

All are `NvsError`s, so that each carries a problem and a remedy; the HTTP layer maps
the type to a status.
"""
# ruff: noqa: N818 - named for what happened, as the API's problem types are

from __future__ import annotations

from typing import ClassVar, Literal

from nvs.errors import NvsError

QuotaName = Literal["scenes", "bytes", "builds_per_day"]


class StorageError(NvsError):
    """Anything this package raises on account of what it stores."""


class NotFound(StorageError):
    """No such scene, job or file, or it belongs to someone else.

    Args:
        kind: What was looked for: "scene", "job" or "file".
        identifier: The id or path asked for.
    """

    def __init__(self, kind: str, identifier: str) -> None:
        super().__init__(
            f"there is no {kind} {identifier!r}",
            remedy="Check the name; it may have been deleted or have expired.",
        )
        self.kind = kind
        self.identifier = identifier


class SceneBusy(StorageError):
    """The scene's files cannot change while a build of it is queued or running."""

    def __init__(self, scene_id: str) -> None:
        super().__init__(
            f"scene {scene_id!r} is being built",
            remedy="Wait for its build to end, or cancel it, then send the files.",
        )


class QuotaExceeded(StorageError):
    """The owner's allowance does not cover this.

    Args:
        quota: Which allowance.
        limit: What it allows (scenes, bytes, or builds a UTC day).
        used: What is in use without the request.
    """

    _REMEDIES: ClassVar[dict[QuotaName, str]] = {
        "scenes": "Delete scenes that are no longer needed, or ask for a larger quota.",
        "bytes": "Delete scenes or files that are no longer needed, or ask for a "
        "larger quota.",
        "builds_per_day": "Try again after midnight UTC, or ask for a larger quota.",
    }

    def __init__(self, quota: QuotaName, limit: int, used: int) -> None:
        super().__init__(
            f"the quota of {limit} {quota.replace('_', ' ')} does not allow this: "
            f"{used} in use",
            remedy=self._REMEDIES[quota],
        )
        self.quota: QuotaName = quota
        self.limit = limit
        self.used = used


class QueueFull(StorageError):
    """As many jobs are waiting as the service accepts."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{limit} jobs are waiting, which is as many as this service accepts",
            remedy="Try again later.",
        )
        self.limit = limit


class IdempotencyConflict(StorageError):
    """An idempotency key came back with another request."""

    def __init__(
        self, idempotency_key: str, kind: Literal["job", "scene"], identifier: str
    ) -> None:
        super().__init__(
            f"the idempotency key {idempotency_key!r} was used for another request, "
            f"{kind} {identifier!r}",
            remedy="Use a new key for each new request.",
        )


class InvalidCursor(StorageError, ValueError):
    """A page cursor that this service did not give out."""

    def __init__(self, cursor: str) -> None:
        super().__init__(
            f"the cursor {cursor[:80]!r} is not one that a list returned",
            remedy="Pass next_cursor of the last page unchanged, or leave it out.",
        )


class InvalidText(StorageError, ValueError):
    """A text with characters that a database cannot hold: NUL, half a surrogate."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"a text holds characters that cannot be stored: {text[:80]!r}",
            remedy="Leave out control characters and unpaired surrogates.",
        )


class StorageFull(StorageError):
    """The disk (or the database's disk) is full. Nothing half-written is left."""

    def __init__(self, where: str) -> None:
        super().__init__(
            f"no space is left for {where}",
            remedy="Free space on the server's disk; nothing was half-written.",
        )


class StorageUnavailable(StorageError):
    """The database or the blob store does not answer; trying again may help.

    Args:
        where: Which of them.
        reason: The driver's words, for the operator's log alone: they name hosts.
    """

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(
            f"{where} does not answer",
            remedy="Try again shortly; if it lasts, the operator finds the reason in "
            "the service's log.",
        )
        self.reason = reason


class BlobMissing(StorageError):
    """A blob that a row names is not in the store."""

    def __init__(self, sha256: str) -> None:
        super().__init__(
            f"the stored file {sha256} is missing",
            remedy="Upload it again, or build the scene again.",
        )
        self.sha256 = sha256


class BlobDamaged(StorageError):
    """A blob's bytes no longer have the digest they are named by."""

    def __init__(self, sha256: str) -> None:
        super().__init__(
            f"the stored file {sha256} is damaged: its bytes have another digest",
            remedy="Upload it again, or build the scene again.",
        )
        self.sha256 = sha256
