"""The files of docker/: each is what its reader takes, and names only what there is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from nvs_server.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
COMPOSE = ("compose.yaml", "compose.gpu.yaml")
IMAGES = ("cpu.Dockerfile", "cuda.Dockerfile")
KUBERNETES = "1.33"
SETTINGS = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}


def instructions(name: str) -> list[tuple[str, str]]:
    parse = pytest.importorskip("dockerfile_parse").DockerfileParser
    with (DOCKER / name).open("rb") as file:
        structure = parse(fileobj=file).structure
    return [
        (one["instruction"], one["value"])
        for one in structure
        if one["instruction"] != "COMMENT"
    ]


def loaded(name: str) -> Any:
    return yaml.safe_load((DOCKER / name).read_text("utf-8"))


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DOCKER / "kubernetes/nvs.yaml").read_text("utf-8")))


def images(document: Any) -> Iterator[str]:
    """Every image that a document names."""
    if isinstance(document, dict):
        for key, value in document.items():
            if key == "image" and isinstance(value, str):
                yield value
            yield from images(value)
    elif isinstance(document, list):
        for value in document:
            yield from images(value)


@pytest.mark.parametrize("name", IMAGES)
def test_images_are_lean_unprivileged_and_watched(name: str) -> None:
    found = instructions(name)
    bases = [value.split()[0] for kind, value in found if kind == "FROM"]
    assert bases == ["debian:bookworm-slim"] * 2
    last = len(found) - 1 - [kind for kind, _ in reversed(found)].index("FROM")
    final = dict(found[last:])
    assert final["USER"] == "nvs"
    assert "/livez" in final["HEALTHCHECK"]
    assert json.loads(final["VOLUME"]) == ["/data", "/weights"]
    assert (final["ENTRYPOINT"], final["CMD"]) == ('["nvs"]', '["serve"]')
    named = set(re.findall(r"\bNVS_[A-Z_]+", final["ENV"]))
    assert named <= SETTINGS


def test_the_index_of_torch_has_no_default() -> None:
    assert ("ARG", "TORCH_INDEX") in instructions("cpu.Dockerfile")
    assert not any(kind == "ARG" for kind, _ in instructions("cuda.Dockerfile"))


def test_the_images_differ_in_torch_alone() -> None:
    cpu, cuda = (set(instructions(name)) for name in IMAGES)
    assert {kind for kind, _ in cuda - cpu} == {"ENV"}
    assert {kind for kind, _ in cpu - cuda} == {"ARG", "COPY", "ENV", "RUN"}


def test_the_context_has_all_that_the_package_is_built_of() -> None:
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    kept = {line[1:] for line in lines if line.startswith("!")}
    assert all((ROOT / name).exists() for name in kept)
    assert {"nvs", "server", "eval", "data_tools", "pyproject.toml"} <= kept


@pytest.mark.parametrize("name", COMPOSE)
def test_compose_files_follow_their_schema(name: str) -> None:
    if find_spec("compose") is None:
        pytest.skip("no compose schema: pip install --no-deps docker-compose")
    schema = files("compose").joinpath("config", "compose_spec.json").read_text("utf-8")
    document = loaded(name)
    document.pop("name", None)  # younger than the schema
    jsonschema.Draft7Validator(json.loads(schema)).validate(document)


def test_compose_names_only_what_there_is() -> None:
    document = loaded("compose.yaml")
    services = document["services"]
    for name, service in services.items():
        assert set(service.get("depends_on", ())) <= services.keys(), name
        for volume in service["volumes"]:
            source = volume.partition(":")[0]
            if source == "./metrics.key":
                continue  # a secret, made by a command of docs/docker.md
            known = (DOCKER / source).exists() if "/" in source else False
            assert known or source in document["volumes"], (name, source)
    ours = services["gateway"]["environment"]
    assert {key for key in ours if key.startswith(PREFIX)} <= SETTINGS
    assert loaded("compose.gpu.yaml")["services"].keys() <= services.keys()
    (scrape,) = loaded("prometheus.yaml")["scrape_configs"]
    (target,) = scrape["static_configs"][0]["targets"]
    host = target.partition(":")[0]
    assert host in services
    assert host in ours["NVS_ALLOWED_HOSTS"]


def test_every_image_has_a_tag() -> None:
    named = [one for name in COMPOSE for one in images(loaded(name))]
    named += images(manifests())
    assert len(named) >= 7
    for image in named:
        assert re.search(r":(?!latest$)[\w.-]+$", image), image


def test_the_dashboard_shows_metrics_that_there_are(client: Any) -> None:
    text = client.get("/metrics").text
    there = set(re.findall(r"^# TYPE (nvs_\w+)", text, re.MULTILINE))
    panels = loaded("grafana/service.json")["panels"]
    shown = {
        name.removesuffix("_bucket")
        for panel in panels
        for target in panel["targets"]
        for name in re.findall(r"\bnvs_\w+", target["expr"])
    }
    assert shown <= there
    uid = loaded("grafana/datasources.yaml")["datasources"][0]["uid"]
    assert {panel["datasource"]["uid"] for panel in panels} == {uid}


def test_kubernetes_takes_the_manifests() -> None:
    validate = pytest.importorskip("kubernetes_validate").validate
    for document in manifests():
        validate(document, KUBERNETES, strict=True)


def test_kubernetes_keeps_one_gateway_up() -> None:
    by_kind = {document["kind"]: document for document in manifests()}
    deployment = by_kind["Deployment"]["spec"]
    pod = deployment["template"]
    labels = pod["metadata"]["labels"]
    budget = by_kind["PodDisruptionBudget"]["spec"]
    for selector in (
        deployment["selector"]["matchLabels"],
        by_kind["Service"]["spec"]["selector"],
        budget["selector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
    assert budget["minAvailable"] < deployment["replicas"]
    (gateway,) = pod["spec"]["containers"]
    assert {one["name"] for one in gateway["env"]} <= SETTINGS
    drain = Settings.model_fields["drain_seconds"].default
    assert pod["spec"]["terminationGracePeriodSeconds"] > drain
    claims = {
        volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["spec"]["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert claims == {by_kind["PersistentVolumeClaim"]["metadata"]["name"]}
