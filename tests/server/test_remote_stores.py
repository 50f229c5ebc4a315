"""`nvs serve` with everything that is kept elsewhere: PostgreSQL and S3."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from nvs.assets import SAMPLE

Serve = Callable[..., Any]
LOOK_AT = {"eye": [2.5, 0, 1], "target": [0, 0, 0], "vertical_fov_degrees": 50}
RENDER = {"camera": LOOK_AT, "height": 64, "width": 64}


@pytest.fixture
def database_url(postgres_url: str) -> str:
    """An empty database, as the settings name it."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS served WITH (FORCE)")
        connection.execute("CREATE DATABASE served")
    url = postgres_url.replace("/postgres?", "/served?")
    return url.replace("postgresql:", "postgresql+psycopg:")


def sample() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in SAMPLE.rglob("*"):
            if path.is_file():
                archive.write(path, path.relative_to(SAMPLE))
    return buffer.getvalue()


@pytest.mark.slow
def test_a_scene_outlives_the_machine_it_was_built_on(
    serve: Serve, database_url: str, s3_url: str, tmp_path: Path
) -> None:
    def served(name: str) -> httpx.Client:
        running = serve(
            data_folder=tmp_path / name, database_url=database_url, blobs_url=s3_url
        )
        return httpx.Client(base_url=running.base_url, timeout=120)

    with served("first") as client:
        scene_id = client.post("/v1/scenes", json={"name": "sample"}).json()["id"]
        path = f"/v1/scenes/{scene_id}"
        headers = {"Content-Type": "application/zip"}
        put = client.put(f"{path}/dataset", content=sample(), headers=headers)
        assert put.status_code == 200, put.text
        order = {"size": 64, "views": {"indices": [0, 3, 6, 9]}}
        job_id = client.post(f"{path}/build", json=order).json()["id"]
        events = client.get(f"/v1/jobs/{job_id}/events").text
        assert '"state":"succeeded"' in events.replace(" ", ""), events
        picture = client.post(f"{path}/render", json=RENDER)
        assert picture.status_code == 200, picture.text
    with served("second") as client:  # another machine: it shares no folder
        again = client.post(f"{path}/render", json=RENDER)
        assert again.status_code == 200, again.text
        assert again.headers["nvs-cache-tier"] == "disk"
        assert again.content == picture.content
        assert client.delete(path).status_code == 204
        assert client.get(path).status_code == 404
    kept = [file.name for file in tmp_path.rglob("*") if file.suffix == ".sqlite"]
    assert kept == []
