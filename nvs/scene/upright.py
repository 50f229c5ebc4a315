"""What is up in a capture: as asked, as its cameras are held, or as its file says."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nvs.cameras import Camera
from nvs.cameras.aggregate import common_up, level_up
from nvs.errors import CameraError

UP_DEGREES = 30.0
"""Angle from the cameras' common up within which the world's up is believed."""
TRIPOD_DEGREES = 0.1
"""Slope of the cameras' x axes under which their common up is better than any other."""
WORLD_UP = (0.0, 0.0, 1.0)


def up_axis(
    camera: Camera, given: Sequence[float] | None, world: Sequence[float] | None
) -> tuple[tuple[float, float, float], str]:
    """The up axis of the world, and where it is from."""
    if given is not None:
        return unit_axis(given, "the up axis"), "upright as asked"
    try:
        common = common_up(camera)
    except CameraError:
        return unit_axis(world or WORLD_UP, "the up axis"), "upright as its file says"
    own = (float(common[0]), float(common[1]), float(common[2]))
    if world is None:
        return own, "upright by its cameras"
    axis = unit_axis(world, "the world's up axis")
    if may_be_up(camera, axis):
        return axis, "upright as its file says"
    angle = angle_degrees(own, axis)
    return own, f"upright by its cameras ({angle:.0f}° from its file's up axis)"


def may_be_up(camera: Camera, axis: tuple[float, float, float]) -> bool:
    """Whether cameras are held as if an axis were up.

    Hand-held ones only hint at it; those of a tripod or a renderer are level.
    """
    x, y, _ = camera.world_from_camera[:, :3, :3].double().cpu().unbind(-1)

    def slope(up: Sequence[float]) -> float:
        """Root mean square height of the x axes, in degrees."""
        return math.degrees(float((x @ x.new_tensor(up)).square().mean()) ** 0.5)

    level = level_up(camera.to("cpu"))
    if level is None:
        return slope(axis) <= UP_DEGREES and float(y.mean(0) @ y.new_tensor(axis)) <= 0
    own = level.tolist()
    held = slope(own) > TRIPOD_DEGREES
    return angle_degrees(own, axis) <= (UP_DEGREES if held else TRIPOD_DEGREES)


def unit_axis(axis: Sequence[float], what: str) -> tuple[float, float, float]:
    """An axis of length 1.

    Raises:
        CameraError: Naming `what`, if it has no direction.
    """
    length = math.hypot(*axis)
    if len(axis) != 3 or not 0 < length < math.inf:
        raise CameraError(
            f"{what} is {list(axis)}",
            remedy="Give three numbers, not all 0, such as 0 0 1.",
        )
    x, y, z = (value / length for value in axis)
    return x, y, z


def angle_degrees(a: Sequence[float], b: Sequence[float]) -> float:
    """The angle between two unit vectors."""
    cosine = sum(x * y for x, y in zip(a, b, strict=True))
    return math.degrees(math.acos(max(-1.0, min(1.0, cosine))))
