"""Real proxies before a service: nginx and Caddy, on loopback."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "behind-a-proxy.md"
DOCUMENTED_SERVICE = "127.0.0.1:8000"
WAIT_SECONDS = 20
NGINX = """
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
{user}
events {{}}
http {{
    include /etc/nginx/mime.types;
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/answers;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {server}
}}
"""
DEFAULTS = """
server {{
    listen 127.0.0.1:{port};
    location {path} {{ proxy_pass http://{service}/; }}
}}
"""


def documented(language: str) -> str:
    """The configuration of docs/behind-a-proxy.md for a proxy."""
    text = PAGE.read_text(encoding="utf-8")
    (block,) = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    assert DOCUMENTED_SERVICE in block
    return block


@contextmanager
def nginx_with_defaults(folder: Path, service: str, path: str) -> Generator[str]:
    """nginx before a service at `host:port`, told nothing but that; its address."""
    port = _free_port()
    server = DEFAULTS.format(port=port, path=path, service=service)
    with _nginx(folder, server, port):
        yield f"http://127.0.0.1:{port}{path}"


@contextmanager
def documented_nginx(folder: Path, service: str) -> Generator[str]:
    """nginx as the documentation has it, but for name and ports."""
    port = _free_port()
    server = documented("nginx").replace(DOCUMENTED_SERVICE, service)
    server = server.replace("listen 80;", f"listen 127.0.0.1:{port};")
    with _nginx(folder, server, port):
        yield f"http://127.0.0.1:{port}/nvs/"


@contextmanager
def documented_caddy(folder: Path, service: str) -> Generator[str]:
    """Caddy as the documentation has it, but for name and ports."""
    caddy = _binary("caddy")
    port = _free_port()
    site = documented("caddy").replace(DOCUMENTED_SERVICE, service)
    site = site.replace("render.example.org", f"http://127.0.0.1:{port}")
    config = folder / "Caddyfile"
    config.write_text("{\n\tadmin off\n}\n" + site)
    command = [caddy, "run", "--config", str(config), "--adapter", "caddyfile"]
    homes = {name: str(folder) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    with _running(command, port, folder, os.environ | homes):
        yield f"http://127.0.0.1:{port}/nvs/"


@contextmanager
def _nginx(folder: Path, server: str, port: int) -> Generator[None]:
    nginx = _binary("nginx")
    config = folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    config.write_text(NGINX.format(folder=folder, user=user, server=server))
    command = [nginx, "-c", str(config), "-e", str(folder / "error.log")]
    with _running(command, port, folder, os.environ):
        yield


@contextmanager
def _running(
    command: list[str], port: int, folder: Path, environment: Mapping[str, str]
) -> Generator[None]:
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            command, stdout=said, stderr=said, env=dict(environment)
        )
    try:
        deadline = time.monotonic() + WAIT_SECONDS
        while not _listens(port):
            assert process.poll() is None, (folder / "said").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(WAIT_SECONDS)


def _binary(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
