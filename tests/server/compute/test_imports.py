"""The gateway's side stays light: no torch, nothing that needs it."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "nvs.scene", "nvs.cameras", "nvs.model", "nvs_data", "cv2")


def test_the_backend_imports_no_torch() -> None:
    code = f"""
import sys
import nvs_server.compute.local, nvs_server.compute.wire
heavy = [name for name in {HEAVY} if name in sys.modules]
sys.exit(f"imported: {{heavy}}" if heavy else 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
