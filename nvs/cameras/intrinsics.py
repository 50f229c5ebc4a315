"""Intrinsics that no lens has: mostly those of the image at another resolution."""

from __future__ import annotations

import math

OFF_CENTER = 0.2
"""Distance of a principal point from the image centre, over the image side, beyond
which it is another image's: lenses are off by 0.03, and halved intrinsics by 0.25."""
FOV_DEGREES = (3.0, 150.0)
"""Fields of view of the longer side outside which a focal length is another image's: a
600 mm lens has 3.4°, a pinhole model wider than 150° magnifies its corners 15 times."""
PIXEL_ASPECT = 1.25
"""fx / fy, or its inverse, beyond which pixels are not square: anamorphic video has up
to 1.5, but then it is worth a look."""


def intrinsics_fault(
    intrinsics: tuple[float, float, float, float], height: int, width: int
) -> tuple[str, str] | None:
    """What is wrong with the intrinsics of an image, and the remedy; None if nothing.

    Args:
        intrinsics: fx, fy, cx, cy in pixels.
        height: Of the image, in pixels.
        width: The same.
    """
    fx, fy, cx, cy = intrinsics
    if not all(map(math.isfinite, (fx, fy, cx, cy))) or fx <= 0 or fy <= 0:
        return (
            f"fx, fy, cx, cy are {fx:g}, {fy:g}, {cx:g}, {cy:g}",
            "Give finite values in pixels, with positive focal lengths.",
        )
    if max(fx, fy, cx, cy) < 4:
        return (
            f"fx, fy, cx, cy are {fx:.4g}, {fy:.4g}, {cx:.4g}, {cy:.4g}: "
            "fractions of the image, not pixels",
            "Multiply fx and cx by the width, fy and cy by the height.",
        )
    off = max(abs(cx / width - 0.5), abs(cy / height - 0.5))
    if off > OFF_CENTER:
        return (
            f"the principal point {cx:.5g}, {cy:.5g} is far from the centre of "
            f"{width / 2:g}, {height / 2:g}",
            "If the intrinsics are those of an image resized since, scale them by "
            f"{width / 2 / cx:.3g} in x and {height / 2 / cy:.3g} in y; if the image "
            "was cropped off its centre, leave them."
            if cx > 0 and cy > 0
            else "Give cx, cy in pixels from the top-left corner of the image.",
        )
    fov = math.degrees(2 * math.atan(max(width / fx, height / fy) / 2))
    if not FOV_DEGREES[0] <= fov <= FOV_DEGREES[1]:
        return (
            f"the focal length {fx:.5g} gives a field of view of {fov:.3g}°",
            f"Check that fx is in pixels of images {width} wide.",
        )
    if not 1 / PIXEL_ASPECT <= fx / fy <= PIXEL_ASPECT:
        return (
            f"fx and fy are {fx:.5g} and {fy:.5g}: pixels are not square",
            "Check that both belong to this image, and that height and width are not "
            "swapped.",
        )
    return None
