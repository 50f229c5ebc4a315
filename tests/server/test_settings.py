from __future__ import annotations

from pathlib import Path

import pytest

from nvs.errors import ConfigError
from nvs_server.settings import Settings, is_loopback, load_settings, unknown_variables


def test_names_and_sizes_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NVS_WEIGHTS", "lact_small, obj_res256,")
    monkeypatch.setenv("NVS_HOST_CACHE_BYTES", "3GiB")
    monkeypatch.setenv("NVS_DATA_FOLDER", "~/renders")
    settings = load_settings(port=0, host=None)
    assert settings.weights == ("lact_small", "obj_res256")
    assert settings.host_cache_bytes == 3 * 2**30
    assert settings.data_folder == Path.home() / "renders"
    assert (settings.port, settings.host) == (0, "127.0.0.1")


def test_an_argument_wins_over_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NVS_PORT", "9000")
    assert load_settings().port == 9000
    assert load_settings(port=9001).port == 9001


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "70000"),
        ("port", "http"),
        ("precision", "float16"),
        ("max_render_queue", "0"),
        ("ray_max_replicas", "0"),
        ("drain_seconds", "inf"),
        ("weights", ","),
        ("max_image_bytes", "3 parsecs"),
        ("max_render_pixels", str(2048 * 2048 + 1)),
        ("max_batch_cameras", "100001"),
        ("max_cameras_bytes", "257MiB"),
        ("frame_ancestors", "*"),
        ("frame_ancestors", "hub.example.org"),
        ("frame_ancestors", "https://hub.example.org; script-src *"),
    ],
)
def test_a_bad_value_is_named_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"NVS_{name.upper()}", value)
    with pytest.raises(ConfigError, match=f"NVS_{name.upper()} is ") as caught:
        load_settings()
    assert caught.value.remedy.startswith("It is: ")


@pytest.mark.parametrize(
    ("name", "bound"),
    [
        ("max_render_pixels", 2048 * 2048),
        ("max_batch_cameras", 100_000),
        ("max_cameras_bytes", 256 * 2**20),
    ],
)
def test_a_bound_is_taken_and_named_where_it_is_passed(name: str, bound: int) -> None:
    assert getattr(load_settings(**{name: bound}), name) == bound
    with pytest.raises(ConfigError, match=f"less than or equal to {bound}"):
        load_settings(**{name: bound + 1})


def test_replicas_are_not_fewer_at_the_most_than_at_the_least() -> None:
    with pytest.raises(ConfigError, match="less than NVS_RAY_MIN_REPLICAS, 3"):
        load_settings(ray_min_replicas=3, ray_max_replicas=2)


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ConfigError, match="there is no setting 'prot'"):
        load_settings(prot=1)


def test_a_mistyped_variable_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NVS_PROT", "NVS_PORT", "NVS_SERVER"):
        monkeypatch.setenv(name, "1")
    assert unknown_variables() == ["NVS_PROT"]


def test_urls_default_to_the_data_folder(tmp_path: Path) -> None:
    settings = Settings(data_folder=tmp_path)
    assert settings.database == f"sqlite:///{tmp_path}/nvs.sqlite"
    assert settings.blobs == str(tmp_path / "blobs")
    given = Settings(database_url="postgresql://db/nvs", blobs_url="s3://bucket")
    assert (given.database, given.blobs) == ("postgresql://db/nvs", "s3://bucket")


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"cannot make the data folder .*file/data"):
        Settings(data_folder=tmp_path / "file" / "data").make_data_folder()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.2", False),
        ("localhost.example.org", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
