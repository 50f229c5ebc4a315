"""Running the server in this process until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
import time
from collections.abc import Generator

import uvicorn
from fastapi import FastAPI

from nvs.errors import ConfigError
from nvs_server.app import create_app, running
from nvs_server.edge.admission import Admission
from nvs_server.edge.connections import PromptHeads, PromptStreams
from nvs_server.heap import set_aside, share_one_heap
from nvs_server.logs import configure_logging, logger
from nvs_server.settings import Settings, unknown_variables

SIGNALS = (signal.SIGTERM, signal.SIGINT)
RESERVE_SHARE = 0.25
"""Share of the drain time kept for stopping jobs and child processes."""
CLOSE_SECONDS = 1
"""Time for connections to close once their requests are done."""
KEEP_ALIVE_SECONDS = 15

log = logger(__name__)


class DrainingServer(uvicorn.Server):
    """A server that lets nothing in after a signal, and ends when all is answered.

    It goes on listening meanwhile, so that /readyz can say 503. A second signal ends
    it at once.

    Args:
        config: Of uvicorn.
        admission: Told when the shutdown begins.
        drain_seconds: Longest time that running requests get.
    """

    def __init__(
        self, config: uvicorn.Config, admission: Admission, drain_seconds: float
    ) -> None:
        super().__init__(config)
        self.admission = admission
        self.drain_seconds = drain_seconds
        self._deadline_seconds: float | None = None

    def drain(self) -> None:
        """Begin to shut down; called again: at once."""
        if self._deadline_seconds is not None:
            self.force_exit = self.should_exit = True
            return
        self._deadline_seconds = time.monotonic() + self.drain_seconds
        self.admission.draining.set()
        log.info("draining", requests=len(self.server_state.tasks))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, and say where."""
        await super().startup(sockets)
        for listener in sockets or ():
            log.info("listening", url=url_of(listener))

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second; True ends the server."""
        if self._deadline_seconds is not None and (
            not self.server_state.tasks or time.monotonic() >= self._deadline_seconds
        ):
            self.should_exit = True
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals to `run`."""
        yield


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is running and return.

    Raises:
        ConfigError: If the address cannot be had, or a setting cannot work.
    """
    share_one_heap()
    configure_logging(settings.log_level, settings.log_format)
    for name in unknown_variables():
        log.warning("there is no such setting", variable=name)
    with contextlib.closing(bind(settings.host, settings.port)) as listener:
        app = create_app(settings)
        config = uvicorn.Config(
            app,
            lifespan="off",
            http=PromptHeads,
            ws=PromptStreams,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=CLOSE_SECONDS,
            ws_max_size=int(settings.max_json_bytes),
            ws_per_message_deflate=False,
        )
        set_aside()
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(_serve(app, config, settings, listener))


async def _serve(
    app: FastAPI, config: uvicorn.Config, settings: Settings, listener: socket.socket
) -> None:
    drain_seconds = settings.drain_seconds * (1 - RESERVE_SHARE)
    server = DrainingServer(config, app.state.admission, drain_seconds)
    this = asyncio.current_task()
    assert this is not None

    def on_signal() -> None:
        if server.started:
            server.drain()
        else:
            this.cancel()

    loop = asyncio.get_running_loop()
    for name in SIGNALS:
        loop.add_signal_handler(name, on_signal)
    with contextlib.suppress(asyncio.CancelledError):
        async with running(app):
            await server.serve(sockets=[listener])
    log.info("stopped")


def bind(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        ConfigError: If the address is not this machine's or the port is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with contextlib.ExitStack() as unless_bound:
            listener = unless_bound.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            unless_bound.pop_all()
    except socket.gaierror as error:
        raise ConfigError(
            f"the host {host!r} has no address",
            remedy="Use an address of this machine, such as 127.0.0.1.",
        ) from error
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        raise ConfigError(
            f"cannot listen on {host} port {port}: {error.strerror}",
            remedy="Choose another with --port; 0 takes a free one."
            if taken
            else "Use an address of this machine, and a port you may use.",
        ) from error
    return listener


def url_of(listener: socket.socket) -> str:
    """Base URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
