"""A client that openapi-python-client makes of the description, with docs/api.md."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.api import RENDER, picture
from tests.fakes.service import Service

pytest.importorskip("openapi_python_client")

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
CALL = "from openapi_python_client.cli import app; app()"


@pytest.fixture(scope="module")
def generated(
    tmp_path_factory: pytest.TempPathFactory, running_service: Service
) -> Iterator[str]:
    """Name of the generated package, which can be imported."""
    folder = tmp_path_factory.mktemp("generated")
    description = folder / "openapi.json"
    description.write_text(running_service.call("GET", "/openapi.json").text)
    (config,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    (folder / "generator.yaml").write_text(config + "post_hooks: []\n")
    options = ["--path", "openapi.json", "--config", "generator.yaml", "--meta", "none"]
    made = subprocess.run(
        [sys.executable, "-c", CALL, "generate", *options, "--output-path", "made"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "WARNING" not in made.stdout + made.stderr
    sys.path.insert(0, str(folder))
    yield "made"
    sys.path.remove(str(folder))


def of(generated: str, name: str) -> Any:
    return importlib.import_module(f"{generated}.{name}")


def test_every_operation_has_a_function(generated: str, service: Service) -> None:
    paths = service.call("GET", "/openapi.json").json()["paths"]
    for ways in paths.values():
        for operation in ways.values():
            tag, name = operation["tags"][0], operation["operationId"]
            assert of(generated, f"api.{tag}.{name}").sync_detailed


def test_pictures_go_there_and_back(generated: str, service: Service) -> None:
    put_image = of(generated, "api.images.put_image").sync
    get_image = of(generated, "api.images.get_image").sync
    render = of(generated, "api.renders.render").sync
    file = of(generated, "types").File
    order = of(generated, "models").RenderRequest.from_dict(RENDER)
    scene_id, sent = service.stored(), picture(7)
    url = service.proxy.service_url
    with of(generated, "client").Client(base_url=url) as client:
        got = put_image(scene_id, "a.png", client=client, body=file(BytesIO(sent)))
        assert got.name == "a.png"
        assert get_image(scene_id, "a.png", client=client).payload.read() == sent
        rendered = render(scene_id, client=client, body=order).payload.read()
    answer = service.call("POST", f"/v1/scenes/{scene_id}/render", json=RENDER)
    assert rendered == answer.content
