"""Pictures for people: sheets of images, and where the cameras are."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor

from nvs.cameras import Camera
from nvs.cameras.se3 import so3_between
from nvs.files import atomic_output

GAP_PX = 4
LABEL_PX = 16


def to_uint8(
    image: Float[Tensor, "... height width 3"],
) -> UInt8[np.ndarray, "... height width 3"]:
    """Pixels from [0, 1] to 0 … 255, rounded."""
    return (image.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()


def sheet(
    rows: Sequence[tuple[str, Sequence[UInt8[np.ndarray, "height width 3"]]]],
) -> UInt8[np.ndarray, "sheet_height sheet_width 3"]:
    """Rows of images of one size, each under its label."""
    height, width = rows[0][1][0].shape[:2]
    columns = max(len(images) for _, images in rows)
    row_px = height + LABEL_PX + GAP_PX
    canvas = np.full(
        (GAP_PX + row_px * len(rows), GAP_PX + (width + GAP_PX) * columns, 3),
        255,
        np.uint8,
    )
    for row, (label, images) in enumerate(rows):
        top = GAP_PX + row * row_px
        cv2.putText(
            canvas,
            label,
            (GAP_PX, top + LABEL_PX - 5),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.4,
            (0, 0, 0),
            1,
            cv2.LINE_AA,
        )
        for column, image in enumerate(images):
            left = GAP_PX + column * (width + GAP_PX)
            canvas[top + LABEL_PX :, left:][:height, :width] = image
    return canvas


def grid(
    images: Sequence[UInt8[np.ndarray, "height width 3"]],
) -> UInt8[np.ndarray, "sheet_height sheet_width 3"]:
    """Images of one size, numbered, in a nearly square sheet."""
    columns = max(1, round(len(images) ** 0.5 * 1.3))
    starts = range(0, len(images), columns)
    return sheet(
        [
            (
                f"{start} - {min(start + columns, len(images)) - 1}",
                images[start : start + columns],
            )
            for start in starts
        ]
    )


def write_png(path: Path | str, image: UInt8[np.ndarray, "height width 3"]) -> None:
    """Write a PNG atomically.

    Raises:
        OutputError: If it cannot be written.
    """
    with atomic_output(path) as temporary:
        temporary.write_bytes(encoded(image))


def encoded(
    image: UInt8[np.ndarray, "height width channel"], kind: str = "png"
) -> bytes:
    """An image, RGB or RGBA, as the bytes of a `png` or `jpeg` file."""
    order = cv2.COLOR_RGB2BGR if image.shape[-1] == 3 else cv2.COLOR_RGBA2BGRA
    return cv2.imencode(f".{kind}", cv2.cvtColor(image, order))[1].tobytes()


def data_url(image: UInt8[np.ndarray, "height width 3"], kind: str = "png") -> str:
    """An image, a `png` or `jpeg`, as an address that a page can hold."""
    return f"data:image/{kind};base64,{b64encode(encoded(image, kind)).decode()}"


def shrunk(
    image: Shaped[np.ndarray, "height width *channel"], longest_px: int
) -> Shaped[np.ndarray, "small_height small_width *channel"]:
    """An image whose longer side has so many pixels at most, by areas."""
    height, width = image.shape[:2]
    scale = longest_px / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def draw_cameras(
    camera: Camera,
    path: Path | str,
    *,
    title: str,
    highlighted: Sequence[int] = (),
    up: Sequence[float] = (0.0, 0.0, 1.0),
) -> None:
    """Draw camera frustums from the side and from above, as a PNG.

    Args:
        camera: Cameras, in the frame to be drawn.
        path: File to write.
        title: Heading of the picture.
        highlighted: Views to draw in another colour.
        up: What is up in their world: they are turned so that it is up in the picture.

    Raises:
        OutputError: If it cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from mpl_toolkits.mplot3d.art3d import Line3DCollection

    upward, vertical = torch.tensor([tuple(up), (0.0, 0.0, 1.0)], dtype=torch.float64)
    turn = torch.eye(4, dtype=torch.float64)
    turn[:3, :3] = so3_between(upward / upward.norm(), vertical)
    is_turned = bool((turn - torch.eye(4)).abs().max() > 1e-3)
    x, y, z = ("", "", "up") if is_turned else ("x", "y", "z")
    poses = turn @ camera.world_from_camera.to("cpu", torch.float64)
    camera = replace(camera.to("cpu", torch.float64), world_from_camera=poses)
    centers = camera.center.double().cpu().numpy()
    low, high = centers.min(0), centers.max(0)
    extent = float(max((high - low).max(), 1e-6))
    lines = _frustums(camera, depth=0.12 * extent)
    colours = [
        "tab:orange" if view in set(highlighted) else "tab:blue"
        for view in range(len(camera))
        for _ in range(8)
    ]
    figure = Figure(figsize=(10, 5), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    middle = (low + high) / 2
    for index, (elevation, name) in enumerate(((20, "side"), (90, "above"))):
        axes = figure.add_subplot(1, 2, index + 1, projection="3d")
        axes.add_collection3d(Line3DCollection(lines, colors=colours, linewidths=0.7))
        axes.set(title=name, xlabel=x, ylabel=y, zlabel=z)
        half = 0.6 * extent
        axes.set_xlim(middle[0] - half, middle[0] + half)
        axes.set_ylim(middle[1] - half, middle[1] + half)
        axes.set_zlim(middle[2] - half, middle[2] + half)
        axes.set_box_aspect((1, 1, 1))
        axes.view_init(elev=elevation, azim=-60 if elevation < 90 else -90)
    with atomic_output(path) as temporary:
        figure.savefig(temporary, dpi=100)


def _frustums(camera: Camera, *, depth: float) -> Float[np.ndarray, "line 2 3"]:
    """Eight lines a camera: four from the centre to the corners, four around."""
    camera = camera.to("cpu", torch.float64)
    fx, fy, cx, cy = camera.intrinsics[:, None].unbind(-1)
    x = torch.tensor([0.0, camera.width, camera.width, 0.0], dtype=torch.float64)
    y = torch.tensor([0.0, 0.0, camera.height, camera.height], dtype=torch.float64)
    corner = torch.stack(
        [(x - cx) / fx, (y - cy) / fy, torch.ones(len(camera), 4, dtype=x.dtype)], -1
    )
    rotation, center = camera.world_from_camera[:, :3, :3], camera.center[:, None]
    world = depth * torch.einsum("vij,vkj->vki", rotation, corner) + center
    spokes = torch.stack([center.expand_as(world), world], dim=2)
    rim = torch.stack([world, world.roll(-1, dims=1)], dim=2)
    return torch.cat([spokes, rim], dim=1).flatten(0, 1).numpy()
