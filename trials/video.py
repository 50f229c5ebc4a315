"""From a video of the sample to a scene, measured where the video was not.

    python -m trials.video

The sample's views stand on the floor of a papered room (`tests.photographs`). All but
every sixth are the video, each shown for a third of a second in the order of their
azimuth; cameras of its frames are found, the thing is cut out, and a scene is built.
The views kept out are rendered from where they truly are, brought into the world that
was found by the similarity of the centres, and compared with the sample on white.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import imageio.v2 as imageio
import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float64
from rich.console import Console
from rich.table import Table

from nvs.assets import SAMPLE
from nvs.cameras import Camera
from nvs.scene import Renderer, load_views
from nvs.scene.datasets import read_dataset
from nvs.scene.quality import psnr_db
from nvs_data.masking import find_masks, write_masks
from nvs_data.video import pose_video
from tests.photographs import sample_photographs

KEPT_OUT, SCALE = 6, 2
FRAMES_A_VIEW, FPS = 8, 24
MARK_DB = 2.0
"""That the renders come closer than the nearest photograph."""


def similarity(
    source: Float64[np.ndarray, "point 3"], target: Float64[np.ndarray, "point 3"]
) -> tuple[float, Float64[np.ndarray, "3 3"], Float64[np.ndarray, "3"]]:
    """Scale, rotation and shift that bring points nearest to others (Umeyama, 1991)."""
    middles = source.mean(axis=0), target.mean(axis=0)
    x, y = source - middles[0], target - middles[1]
    u, spread, vt = np.linalg.svd(y.T @ x)
    signs = np.array([1.0, 1.0, np.linalg.det(u) * np.linalg.det(vt)])
    turn = u @ np.diag(signs) @ vt
    scale = float((spread * signs).sum() / np.square(x).sum())
    return scale, turn, middles[1] - scale * turn @ middles[0]


def moved(camera: Camera, scale: float, turn: np.ndarray, shift: np.ndarray) -> Camera:
    """Cameras of one world in another."""
    pose = camera.world_from_camera.double().clone()
    turn_, shift_ = torch.from_numpy(turn), torch.from_numpy(shift)
    pose[:, :3, 3] = scale * pose[:, :3, 3] @ turn_.T + shift_
    pose[:, :3, :3] = turn_ @ pose[:, :3, :3]
    return replace(camera.to(dtype=torch.float64), world_from_camera=pose)


def main() -> int:
    """Print what was measured; 1 if a mark was missed."""
    console = Console()
    views = [(camera, image) for camera, image, _ in sample_photographs(scale=SCALE)]
    shown = [v for v in range(len(views)) if v % KEPT_OUT]
    kept_out = [v for v in range(len(views)) if v % KEPT_OUT == 0]
    shown.sort(key=lambda v: np.arctan2(*views[v][0].center[0, [1, 0]].numpy()))
    renderer = Renderer.from_weights("lact_small")
    size = renderer.trained_on.default_size
    with tempfile.TemporaryDirectory(prefix="nvs-video-") as name:
        video, out = Path(name) / "orbit.mp4", Path(name) / "posed"
        with imageio.get_writer(video, fps=FPS, quality=9) as writer:
            for view in shown:
                for _ in range(FRAMES_A_VIEW):
                    writer.append_data(views[view][1])
        report = pose_video(video, out, count=len(shown))
        dataset = read_dataset(out)
        write_masks(find_masks(dataset), out)
        found = load_views(out, size=size)
        frames = [frame.pixels()[..., :3] for frame in dataset.frames]
    meant = [
        min(shown, key=lambda v: np.square(frame - views[v][1].astype(float)).mean())
        for frame in frames
    ]
    true = torch.cat([views[v][0].center for v in meant]).double().numpy()
    there = found.camera.center.double().numpy()
    scale, turn, shift = similarity(true, there)
    off = np.linalg.norm(scale * true @ turn.T + shift - there, axis=1)
    spread = np.sqrt(np.square(there - there.mean(axis=0)).sum(axis=1).mean())
    scene = renderer.prefill(found)
    held = load_views(SAMPLE, size=size, views=kept_out)
    cameras = moved(held.camera, scale, turn, shift)
    renders = renderer.render(scene, cameras.to(dtype=torch.float32))
    photographs = rearrange(held.image, "v c h w -> v h w c")
    before_white = load_views(SAMPLE, size=size, views=shown).image
    whites = rearrange(before_white, "v c h w -> v h w c")
    centers = torch.cat([views[v][0].center for v in shown])
    nearest = [
        whites[(centers - views[v][0].center).norm(dim=-1).argmin()] for v in kept_out
    ]
    table = Table("view kept out", "render, dB", "nearest photograph, dB")
    closeness: list[tuple[float, ...]] = []
    for view, render, other, photograph in zip(
        kept_out, renders, nearest, photographs, strict=True
    ):
        errors = ((image - photograph).square().mean() for image in (render, other))
        pair = tuple(psnr_db(float(error)) for error in errors)
        closeness.append(pair)
        table.add_row(str(view), *(f"{value:.2f}" for value in pair))
    mean = np.mean(closeness, axis=0)
    table.add_row("mean", *(f"{value:.2f}" for value in mean))
    console.print(
        f"{len(report.registered)} of {len(shown)} frames posed, reprojection error "
        f"{report.mean_error_px:.2f} px, centres {100 * off.max() / spread:.2f} % of "
        "their spread off at most"
    )
    console.print(table)
    is_kept = bool(mean[0] > mean[1] + MARK_DB)
    console.print("kept" if is_kept else "MISSED")
    return 0 if is_kept else 1


if __name__ == "__main__":
    sys.exit(main())
