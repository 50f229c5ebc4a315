"""The service behind nginx and Caddy: everything at one address, under any path."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from PIL import Image

from nvs.client import Client, Retries, ServiceError
from tests.fakes.api import opencv, picture
from tests.fakes.backend import input_camera
from tests.fakes.service import Service
from tests.proxies import documented_caddy, documented_nginx, nginx_with_defaults

Start = Callable[[Path, str], AbstractContextManager[str]]
PROXIES: dict[str, Start] = {
    "nginx's defaults": partial(nginx_with_defaults, path="/"),
    "nginx's defaults under a path": partial(nginx_with_defaults, path="/proxy/8000/"),
    "nginx as documented": documented_nginx,
    "Caddy as documented": documented_caddy,
}
DOCUMENTED = ("nginx as documented", "Caddy as documented")
ONCE = Retries(num_attempts=1)
CAMERA = input_camera(0, 6, height=64, width=96)


@pytest.fixture(params=PROXIES)
def root(
    request: pytest.FixtureRequest, service: Service, tmp_path: Path
) -> Iterator[str]:
    """The address of the service through a proxy, with a slash at its end."""
    address = urlsplit(service.proxy.service_url).netloc
    with PROXIES[request.param](tmp_path, address) as url:
        yield url


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A photograph of more than 1 MiB."""
    path = tmp_path / "large.png"
    Image.frombytes("RGB", (700, 700), os.urandom(700 * 700 * 3)).save(path)
    assert path.stat().st_size > 2**20
    return path


def addresses(html: str) -> list[str]:
    return re.findall(r'(?:src|href)="([^"#]+)"', html)


@pytest.mark.parametrize("path", ["", "scenes", "scenes/abc", "scenes/abc/d", "docs"])
def test_pages_find_all_that_they_load(root: str, path: str) -> None:
    page = httpx.get(root + path)
    assert page.status_code == 200
    named = addresses(page.text)
    assert len(named) >= 3
    for address in named:
        url = urljoin(str(page.url), address)
        assert url.startswith(root)
        assert httpx.get(url).status_code == 200, url


def test_where_a_new_scene_and_its_job_are(root: str) -> None:
    made = httpx.post(f"{root}v1/scenes", json={"name": "chair"})
    there = httpx.get(urljoin(str(made.url), made.headers["location"]))
    assert there.json() == made.json()


def test_a_slash_too_many_is_led_back(root: str) -> None:
    answer = httpx.get(f"{root}livez/", follow_redirects=True)
    assert (answer.status_code, str(answer.url)) == (200, f"{root}livez")


def test_pages_of_the_same_origin_alone_may_write(root: str) -> None:
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(root))

    def status(**headers: str) -> int:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        body = {"name": "chair"}
        return httpx.post(f"{root}v1/scenes", json=body, headers=sent).status_code

    assert status(Origin=origin, Sec_Fetch_Site="same-origin") == 201
    for site in ("cross-site", "same-site", "none"):
        assert status(Origin="https://evil.example", Sec_Fetch_Site=site) == 403
    assert status(Origin="https://evil.example") == 403


@pytest.mark.parametrize("path", ["", "livez", "openapi.json", "v1/scenes", "docs"])
def test_heads(root: str, path: str) -> None:
    head, got = httpx.head(root + path), httpx.get(root + path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == got.headers["content-type"]


def test_the_description_leads_here(root: str) -> None:
    description = httpx.get(f"{root}openapi.json")
    (server,) = description.json()["servers"]
    assert urljoin(str(description.url), server["url"]) == root


def test_a_client_follows_a_build_and_a_stream(
    root: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    folder = tmp_path / "chair"
    folder.mkdir()
    names = [f"{index}.png" for index in range(6)]
    for index, name in enumerate(names):
        (folder / name).write_bytes(picture(index))
    (folder / "opencv_cameras.json").write_text(json.dumps(opencv(*names)))
    with Client(root, retries=ONCE) as client:
        scene = client.create_scene("chair")
        client.upload_dataset(scene.id, folder)
        assert client.build(scene.id).state == "succeeded"
        rendered = client.render(scene.id, CAMERA, height=64, width=96)
        assert rendered.data
        if request.node.callspec.params["root"] in DOCUMENTED:
            with client.stream(scene.id) as stream:
                frame = stream.render(CAMERA, height=64, width=96, format="png")
                assert frame.data == rendered.data


def test_a_body_over_the_limit_of_nginx(
    service: Service, tmp_path: Path, large: Path
) -> None:
    address = urlsplit(service.proxy.service_url).netloc
    scene_id = service.make()
    with (
        nginx_with_defaults(tmp_path, address, "/") as root,
        Client(root, retries=ONCE) as client,
        pytest.raises(ServiceError) as caught,
    ):
        client.upload_image(scene_id, large)
    assert caught.value.status == 413
    assert "client_max_body_size" in caught.value.remedy


@pytest.mark.parametrize("name", DOCUMENTED)
def test_documented_proxies_take_large_bodies(
    service: Service, tmp_path: Path, large: Path, name: str
) -> None:
    address = urlsplit(service.proxy.service_url).netloc
    scene_id = service.make()
    with PROXIES[name](tmp_path, address) as root, Client(root, retries=ONCE) as client:
        sent = client.upload_image(scene_id, large)
    assert sent.num_bytes == large.stat().st_size
