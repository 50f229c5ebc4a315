"""`nvs remote scenes | build | download | delete`; the backend computes nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from nvs.errors import CameraError
from tests.fakes.backend import SCENE_CONTENT


def test_build_waits_and_reports(nvs, service) -> None:
    done = nvs(
        *("remote", "build", service.uploaded(), "--size", "64x96", "--views", "0,1"),
        *("--framing", "object", "--weights", "fake", "--json"),
    )
    assert done.code == 0, done.err
    assert done.json["state"] == "ready"
    assert service.proxy.requests[0].json == {
        "weights": "fake",
        "size": [64, 96],
        "views": {"indices": [0, 1]},
        "framing": "object",
    }


def test_a_build_says_what_to_expect_and_what_came_of_it(nvs, service) -> None:
    done = nvs(
        *("remote", "build", service.uploaded(), "--up=-y", "--holdout", "2"),
        *("--weights", "fake", "--json"),
    )
    assert done.code == 0, done.err
    for request in service.proxy.requests[:2]:
        assert request.json == {
            "weights": "fake",
            "framing": "auto",
            "up": [0, -1, 0],
            "holdout": 2,
        }
    assert "nvs: framing object: as asked" in done.err
    assert "nvs: 1 views kept out: 20.0 dB, SSIM 0.500; fake comes" in done.err
    assert "nvs: LPIPS is left out" in done.err
    assert (done.json["framing"], done.json["expect"]) == ("object", "fine")
    assert (done.json["psnr_held_out"], done.json["ssim_held_out"]) == (20, 0.5)
    assert "lpips_held_out" not in done.json


def test_a_failed_build_is_one_line(nvs, service) -> None:
    error = CameraError("no overlap", remedy="Take more pictures.")
    service.backend.errors["build"] = [error]
    done = nvs("remote", "build", service.uploaded())
    assert done.code == 2
    assert done.err.endswith("nvs: no overlap. Take more pictures.\n")


def test_ctrl_c_cancels_the_build(service, home: Path) -> None:
    service.hold("build")
    scene_id = service.uploaded()
    command = [sys.executable, "-m", "nvs.cli", "remote", "build", scene_id]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            service.proxy.await_request("GET .*/events")
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "cancelled the build on the server" in err
    assert "Traceback" not in err
    assert service.proxy.requests_of("POST /v1/jobs/.*/cancel")


def test_download(nvs, service, tmp_path: Path, scene_id: str) -> None:
    done = nvs("remote", "download", scene_id, "-o", tmp_path / "a.scene", "--json")
    assert done.json["file_bytes"] == len(SCENE_CONTENT)
    assert (tmp_path / "a.scene").read_bytes() == SCENE_CONTENT
    assert "is a folder" in nvs("remote", "download", scene_id, "-o", tmp_path).err


def test_scenes_and_delete(nvs, service, scene_id: str) -> None:
    assert nvs("remote", "scenes", "--json").out.count(scene_id) == 1
    assert scene_id in nvs("remote", "scenes").out
    assert "deleted" in nvs("remote", "delete", scene_id).err
    assert service.proxy.requests[-1].line == f"DELETE /v1/scenes/{scene_id}"
