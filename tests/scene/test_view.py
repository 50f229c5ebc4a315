"""The page on a scene from Python, over the real service."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import httpx
import psutil
import pytest

from nvs.assets import SAMPLE
from nvs.errors import ConfigError, MissingExtraError
from nvs.scene import Renderer, Scene, load_views, view


@pytest.fixture(scope="module")
def scene() -> Scene:
    views = load_views(SAMPLE, size=32, views=[0, 5])
    return Renderer.from_weights(device="cpu").prefill(views)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Addresses that went to the browser; whatever was opened is closed."""
    urls: list[str] = []
    monkeypatch.setattr(view.webbrowser, "open", urls.append)
    monkeypatch.setenv("NVS_DATABASE_URL", "sqlite:////nowhere/of/another.sqlite")
    yield urls
    for service in view._services.values():
        for one in list(service.views):
            one.close()


def processes() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children()
        if view.PROGRAM in child.cmdline()
    ]


def api(one: view.View) -> str:
    return one.url.replace("/scenes/", "/v1/scenes/")


def test_views_share_a_service_that_ends_with_the_last(
    scene: Scene, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = scene.view(name="chicken")
    assert opened == [first.url]
    assert repr(first) == f"View({first.url})"
    page = httpx.get(first.url)
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "frame-ancestors http://localhost:*" in policy
    assert "x-frame-options" not in page.headers
    shown = httpx.get(api(first)).json()
    assert (shown["name"], shown["state"]) == ("chicken", "ready")

    notebook: Any = ModuleType("IPython")
    notebook.get_ipython = lambda: SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    second = scene.view()
    assert opened == [first.url]
    assert f"<iframe src='{second.url}'" in second._repr_html_()
    (process,) = processes()

    first.close()
    first.close()
    assert httpx.get(api(first)).status_code == 404
    assert httpx.get(api(second)).status_code == 200
    second.close()
    assert not process.is_running()


@pytest.mark.usefixtures("opened")
def test_a_service_that_does_not_start_says_why(scene: Scene) -> None:
    with pytest.raises(ConfigError, match=r"ended at its start: .*no_such_weights"):
        scene.view(weights="no_such_weights")
    assert not processes()


@pytest.mark.usefixtures("opened")
def test_what_has_to_be_installed_is_said(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"\[server\]"):
        scene.view()


@pytest.mark.slow
@pytest.mark.parametrize("end", ["", "os.kill(os.getpid(), 9)"])
def test_the_service_and_its_files_end_with_python(
    scene: Scene, tmp_path: Path, end: str
) -> None:
    file = tmp_path / "a.scene"
    scene.save(file)
    code = (
        "import os, psutil; from nvs.scene import Scene; "
        f"Scene.load({str(file)!r}).view(); "
        "print(*(p.pid for p in psutil.Process().children()), flush=True); " + end
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"BROWSER": "true", "TMPDIR": str(tmp_path)},
    )
    (pid,) = map(int, done.stdout.split())
    if psutil.pid_exists(pid):
        psutil.Process(pid).wait(60)
    assert list(tmp_path.iterdir()) == [file]
