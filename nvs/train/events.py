"""Events for TensorBoard, on disk when a call returns.

TensorBoard's own writer has a thread, whose failure on a full disk shows late or never.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

VERSION = "brain.Event:2"


class EventFile:
    """An event file; needs the package tensorboard.

    Args:
        folder: Where event files lie.
        start: Steps done; what earlier files say of later steps is hidden.
    """

    def __init__(self, folder: Path, *, start: int) -> None:
        from tensorboard.compat.proto.event_pb2 import (
            SessionLog,  # pyright: ignore[reportAttributeAccessIssue]
        )

        place = f"{socket.gethostname()}.{os.getpid()}"
        self.path = folder / f"events.out.tfevents.{int(time.time()):010d}.{place}"
        folder.mkdir(parents=True, exist_ok=True)
        self._append(file_version=VERSION)
        self._append(step=start + 1, session_log=SessionLog(status=SessionLog.START))

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Append numbers of a step."""
        from tensorboard.compat.proto.summary_pb2 import (
            Summary,  # pyright: ignore[reportAttributeAccessIssue]
        )

        scalars = [Summary.Value(tag=k, simple_value=v) for k, v in values.items()]
        self._append(step=step, summary=Summary(value=scalars))

    def _append(self, **fields: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import (
            Event,  # pyright: ignore[reportAttributeAccessIssue]
        )
        from tensorboard.summary.writer.record_writer import RecordWriter

        record = BytesIO()
        event = Event(wall_time=time.time(), **fields)
        RecordWriter(record).write(event.SerializeToString())
        with self.path.open("ab") as file:
            file.write(record.getvalue())
