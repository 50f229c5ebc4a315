"""docs/operations.md: the backup can be restored, and the alarms are about metrics."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from nvs.assets import SAMPLE
from nvs_server.app import create_app
from nvs_server.settings import Settings
from nvs_server.storage.database import Database
from nvs_server.storage.keys import KeyStore
from nvs_server.storage.records import Quotas
from tests.fakes.backend import FakeBackend

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
BASE_URL = "http://127.0.0.1"


def run_page(block: int, data: Path, backup: Path) -> None:
    """Run the commands of one of the blocks about backup."""
    blocks = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    commands = re.sub(r"^\$ ", "", blocks[block], flags=re.MULTILINE)
    folder = Path(sys.executable).parent
    subprocess.run(
        ["bash", "-euc", commands],
        env=os.environ
        | {"DATA": str(data), "BACKUP": str(backup)}
        | {"PATH": f"{folder}:{os.environ['PATH']}"},
        check=True,
    )


@pytest.mark.skipif(sys.platform != "linux", reason="commands of GNU")
def test_what_was_backed_up_is_there_after_a_restore(tmp_path: Path) -> None:
    data, backup, restored = (tmp_path / name for name in ("data", "backup", "new"))
    backup.mkdir()
    data.mkdir()
    database = Database(f"sqlite:///{data}/nvs.sqlite")
    database.migrate()
    _, secret = KeyStore(database).create(
        name="a", owner="a", scopes=["admin"], quotas=Quotas()
    )
    database.dispose()
    key = {"Authorization": f"Bearer {secret}"}
    image = next(SAMPLE.rglob("*.png"))

    def opened(folder: Path) -> TestClient:
        app = create_app(Settings(data_folder=folder), FakeBackend())
        return TestClient(app, base_url=BASE_URL, headers=key)

    with opened(data) as client:
        kept = client.post("/v1/scenes", json={"name": "kept"}).json()["id"]
        path = f"/v1/scenes/{kept}/images/{image.name}"
        headers = {"Content-Type": "image/png"}
        put = client.put(path, content=image.read_bytes(), headers=headers)
        assert put.status_code in (200, 201), put.text
        run_page(0, data, backup)  # while it runs
        later = client.post("/v1/scenes", json={"name": "later"}).json()["id"]
        assert client.delete(f"/v1/scenes/{kept}").status_code == 204
    run_page(1, restored, backup)
    with opened(restored) as client:
        assert client.get(f"/v1/scenes/{kept}").json()["name"] == "kept"
        assert client.get(path).content == image.read_bytes()
        assert client.get(f"/v1/scenes/{later}").status_code == 404
        assert (
            client.get("/v1/scenes", headers={"Authorization": ""}).status_code == 401
        )


def test_alarms_are_about_metrics_that_there_are(client: TestClient) -> None:
    text = client.get("/metrics").text
    families = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
    named = set(re.findall(r"\b(?:nvs|process)_[a-z_]+\b", PAGE)) - {"nvs_serve"}
    known = families | {f"{name}_bucket" for name in families}
    assert named - known - {name.removesuffix("_total") for name in known} == set()
