"""A process that decodes what strangers send, asked for one thing at a time.

Whatever it is given, an answer comes within the time limit: files that take too long or
too much memory end the process, which is replaced, and are refused by name.
"""

from __future__ import annotations

import asyncio
from typing import Any

from nvs.errors import NvsError
from nvs_server.backends.base import BackendError, ChildStatus, WorkerLost
from nvs_server.backends.child import Child, ChildSettings, OnEvent
from nvs_server.backends.settings import InspectorConfiguration
from nvs_server.backends.wire import to_json

MODULE = "nvs_server.inspector"
RESTART_SECONDS = 0.05
MAX_RESTART_SECONDS = 1.0
"""Short: a stranger's files may end the process again and again."""


class Inspector:
    """One inspector process.

    Args:
        configuration: Its limits.
        ready_seconds: How long requests wait while it is being restarted.
    """

    def __init__(
        self, configuration: InspectorConfiguration, *, ready_seconds: float
    ) -> None:
        self._ready_seconds = ready_seconds
        self._memory_bytes = configuration.memory_bytes
        self._turn = asyncio.Lock()
        self._child = Child(
            ChildSettings(
                module=MODULE,
                name="inspector",
                configuration=to_json(configuration),
                threads=1,
                restart_seconds=RESTART_SECONDS,
                max_restart_seconds=MAX_RESTART_SECONDS,
            )
        )

    async def start(self) -> None:
        """Return once it can be asked.

        Raises:
            WorkerLost: If it dies.
        """
        await self._child.start()

    async def stop(self) -> None:
        """End it; a request in flight fails with `WorkerLost`."""
        await self._child.stop()

    def status(self) -> ChildStatus:
        """How it stands."""
        return self._child.status("cpu")

    async def ask(
        self,
        op: str,
        *,
        about: str,
        error: type[NvsError],
        timeout_seconds: float,
        on_event: OnEvent | None = None,
        **values: Any,
    ) -> Any:
        """Ask for one thing when its turn has come.

        Cancelling ends the process, and with it the work.

        Args:
            op: What is wanted.
            about: What messages call the files.
            error: What is raised if they are too much for it.
            timeout_seconds: From when its turn has come.
            on_event: See `Child.call`.
            values: What `op` needs.

        Raises:
            NvsError: `error`, or as the process answers.
            WorkerLost: If the process cannot be asked, or is killed from outside.
        """
        async with self._turn:
            await self._child.wait_ready(self._ready_seconds)
            try:
                async with asyncio.timeout(timeout_seconds):
                    return await self._child.call(op, on_event, **values)
            except TimeoutError:
                self._child.kill()
                raise error(
                    f"{about}: decoding took longer than {timeout_seconds:g} s",
                    remedy="Send less, or smaller images.",
                ) from None
            except asyncio.CancelledError:
                self._child.kill()
                raise
            except WorkerLost:
                if self._child.state == "stopped" or self._child.was_killed:
                    raise
                raise error(
                    f"{about}: decoding needs more than the "
                    f"{self._memory_bytes >> 20} MiB it may take",
                    remedy="Send less, or smaller images.",
                ) from None
            except BackendError as failure:  # a decoder stumbled over the files
                raise error(
                    f"{about} cannot be decoded: {failure.problem}",
                    remedy="Check that the files are complete.",
                ) from failure
