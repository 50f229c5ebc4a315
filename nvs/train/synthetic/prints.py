"""Drawn prints for surfaces to wear: labels, lettered tiles, pictures and patterns.

Scanned things are mostly printed on: packages, toys, books. Each print is a square of
flat inks on a ground that is light more often than not.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import UInt8

_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
)
_SYMBOLS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789&+?!=%*abdefghkmnqrty"
_SHIFT = 4
_FINENESS = 1 << _SHIFT
"""Shapes are drawn to a sixteenth of a pixel."""

Image = UInt8[np.ndarray, "side side 3"]
Color = tuple[int, int, int]
Random = np.random.Generator


def draw_prints(count: int, *, side: int = 256, seed: int = 0) -> list[Image]:
    """Square prints, RGB.

    Print `index` depends on (seed, index, side) alone.

    Args:
        count: How many.
        side: Pixels along each side.
        seed: Another seed gives other prints.
    """
    return [
        _draw_print(np.random.default_rng((seed, index)), side)
        for index in range(count)
    ]


def _draw_print(random: Random, side: int) -> Image:
    ground = _ground(random, side)
    layout = _LAYOUTS[random.choice(len(_LAYOUTS), p=_SHARES)]
    layout(random, ground)
    return _grained(random, ground)


def _ground(random: Random, side: int) -> Image:
    """One colour, or one that runs into another."""
    corners = np.array([_paper(random)] * 4, np.uint8).reshape(2, 2, 3)
    if random.random() < 0.3:
        corners[random.random((2, 2)) < 0.5] = _paper(random)
    return cv2.resize(corners, (side, side), interpolation=cv2.INTER_LINEAR)


def _grained(random: Random, image: Image) -> Image:
    """With a grain of noise at two scales."""
    side = len(image)
    grain = np.zeros((side, side), np.float32)
    for cells, strength in ((6, 9.0), (48, 5.0)):
        noise = random.normal(size=(cells, cells)).astype(np.float32)
        noise *= strength * random.random()
        grain += cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.clip(image + grain[..., None], 0, 255).astype(np.uint8)


def _paper(random: Random) -> Color:
    """Mostly near white, cream, wood or pastel; sometimes saturated or dark."""
    kind = random.choice(5, p=[0.3, 0.25, 0.2, 0.17, 0.08])
    if kind == 0:
        return _hsv(random.random(), random.uniform(0, 0.06), random.uniform(0.88, 1))
    if kind == 1:
        return _hsv(
            random.uniform(0.06, 0.14), random.uniform(0.1, 0.4), random.uniform(0.7, 1)
        )
    if kind == 2:
        return _hsv(random.random(), random.uniform(0.1, 0.4), random.uniform(0.75, 1))
    if kind == 3:
        return _ink(random)
    return _hsv(random.random(), random.random() * 0.5, random.uniform(0.04, 0.25))


def _ink(random: Random) -> Color:
    """Saturated, black now and then."""
    if random.random() < 0.2:
        return _hsv(0.0, 0.0, random.uniform(0, 0.2))
    return _hsv(random.random(), random.uniform(0.55, 1), random.uniform(0.4, 1))


def _hsv(hue: float, saturation: float, value: float) -> Color:
    wave = 0.5 + 0.5 * np.cos(2 * np.pi * (hue + np.array([0, 2 / 3, 1 / 3])))
    red, green, blue = 255 * value * (1 - saturation * (1 - wave))
    return int(red), int(green), int(blue)


def _symbol(random: Random) -> str:
    return _SYMBOLS[random.integers(len(_SYMBOLS))]


def _word(random: Random, length: int) -> str:
    return "".join(_symbol(random) for _ in range(length))


def _write(
    random: Random,
    image: Image,
    text: str,
    box: tuple[float, float, float, float],
    color: Color,
) -> None:
    """Text as large as fits into (left, top, width, height), in pixels."""
    font = int(_FONTS[random.integers(len(_FONTS))])
    left, top, width, height = box
    (wide, high), below = cv2.getTextSize(text, font, 1.0, 1)
    scale = min(width / wide, height / (high + below))
    thick = max(1, round(scale * random.uniform(1, 5)))
    at = (
        round(left + (width - wide * scale) / 2),
        round(top + (height + (high - below) * scale) / 2),
    )
    cv2.putText(image, text, at, font, scale, color, thick, cv2.LINE_AA)


def _outline(random: Random) -> np.ndarray:
    """A closed outline in [−1, 1]²: polygons, stars and blobs."""
    count = int(random.integers(3, 13))
    turn = np.arange(count) * (2 * np.pi / count) + random.random() * 2 * np.pi
    kind = random.integers(3)
    reach = np.ones(count)
    if kind == 1:
        reach[::2] = random.uniform(0.35, 0.7)
    elif kind == 2:
        reach = random.uniform(0.5, 1.0, count)
    return np.stack([np.cos(turn), np.sin(turn)], axis=-1) * reach[:, None]


def _shape(
    random: Random, image: Image, middle: np.ndarray, reach: float, color: Color
) -> None:
    """A filled outline or ring around a point, in pixels."""
    center = tuple(int(v) for v in np.round(middle * _FINENESS))
    if random.random() < 0.35:
        hollow = random.random() < 0.4
        thick = max(1, int(reach * random.uniform(0.1, 0.4))) if hollow else -1
        radius = int(reach * _FINENESS)
        cv2.circle(image, center, radius, color, thick, cv2.LINE_AA, _SHIFT)
        return
    points = np.round((_outline(random) * reach + middle) * _FINENESS)
    cv2.fillPoly(image, [points.astype(np.int32)], color, cv2.LINE_AA, _SHIFT)


def _tiles(random: Random, image: Image) -> None:
    """A grid of tiles, each with a frame and a letter or a shape, as on toy blocks."""
    cells = int(random.choice([1, 2, 3, 4]))
    size = len(image) / cells
    inks = [_ink(random) for _ in range(int(random.integers(1, 6)))]
    framed, filled = random.random() < 0.7, random.random()
    seam = _hsv(0.0, 0.0, random.uniform(0.1, 0.9))
    for row in range(cells):
        for column in range(cells):
            left, top = column * size, row * size
            ink = inks[random.integers(len(inks))]
            first = (round(left + size * 0.1), round(top + size * 0.1))
            last = (round(left + size * 0.9), round(top + size * 0.9))
            solid = random.random() < filled
            thick = max(1, round(size * random.uniform(0.03, 0.1)))
            if solid or framed:
                cv2.rectangle(image, first, last, ink, -1 if solid else thick)
            mark = _paper(random) if solid else ink
            middle = np.array([left + size / 2, top + size / 2])
            if random.random() < 0.75:
                box = (left + size * 0.22, top + size * 0.2, size * 0.56, size * 0.6)
                _write(random, image, _symbol(random), box, mark)
            else:
                _shape(random, image, middle, size * 0.3, mark)
    for line in range(1, cells):
        place = round(line * size)
        cv2.line(image, (place, 0), (place, len(image)), seam, 1)
        cv2.line(image, (0, place), (len(image), place), seam, 1)


def _label(random: Random, image: Image) -> None:
    """A band, a title, lines of small print, a barcode and an emblem."""
    side = len(image)
    band, ink = _ink(random), _ink(random)
    top = random.uniform(0, 0.5) * side
    height = random.uniform(0.15, 0.4) * side
    cv2.rectangle(image, (0, round(top)), (side, round(top + height)), band, -1)
    title = _word(random, int(random.integers(2, 8)))
    _write(
        random,
        image,
        title,
        (side * 0.05, top + height * 0.1, side * 0.9, height * 0.8),
        _paper(random),
    )
    reach = side * random.uniform(0.08, 0.2)
    place = random.uniform(0.15, 0.85, 2) * side
    _shape(random, image, place, reach, _ink(random))
    start = top + height + side * 0.04
    for index in range(int(random.integers(2, 8))):
        line = start + index * side * 0.07
        text = _word(random, int(random.integers(8, 22)))
        width = side * random.uniform(0.3, 0.9)
        _write(random, image, text, (side * 0.05, line, width, side * 0.055), ink)
    if random.random() < 0.5:
        _barcode(random, image)


def _barcode(random: Random, image: Image) -> None:
    side = len(image)
    left, top = (int(v) for v in random.uniform(0.05, 0.6, 2) * side)
    width, height = int(side * 0.3), int(side * 0.16)
    cv2.rectangle(
        image, (left - 4, top - 4), (left + width, top + height), (250, 250, 250), -1
    )
    for bar in range(0, width - 4, 4):
        if random.random() < 0.55:
            thick = int(random.integers(1, 4))
            corner = (left + bar + thick, top + height - 4)
            cv2.rectangle(image, (left + bar, top), corner, (15, 15, 15), -1)


def _picture(random: Random, image: Image) -> None:
    """Shapes of any size on one another, as in a child's book."""
    side = len(image)
    inks = [_ink(random) for _ in range(4)] + [_paper(random), _paper(random)]
    count = int(random.integers(4, 24))
    for share in np.sort(random.random(count))[::-1]:
        place = random.random(2) * side
        color = inks[random.integers(len(inks))]
        _shape(random, image, place, side * (0.03 + 0.3 * share**2), color)


def _pattern(random: Random, image: Image) -> None:
    """One or two shapes or letters, again and again."""
    side = len(image)
    cells = int(random.integers(3, 9))
    size = side / cells
    inks = [_ink(random) for _ in range(int(random.integers(1, 4)))]
    letters = random.random() < 0.3
    shifted = random.random() < 0.5
    seed = int(random.integers(2**31))
    for row in range(cells):
        for column in range(-1, cells):
            again = np.random.default_rng((seed, (row + column) % 2))
            left = (column + (0.5 if shifted and row % 2 else 0)) * size
            ink = inks[(row + 2 * column) % len(inks)]
            if letters:
                box = (left + size * 0.15, (row + 0.15) * size, size * 0.7, size * 0.7)
                _write(again, image, _symbol(again), box, ink)
            else:
                middle = np.array([left + size / 2, (row + 0.5) * size])
                _shape(again, image, middle, size * again.uniform(0.2, 0.45), ink)


def _plaid(random: Random, image: Image) -> None:
    """Stripes along one or both sides, woven."""
    side = len(image)
    crossed = random.random() < 0.5
    for _ in range(int(random.integers(2, 9))):
        ink = np.array(_ink(random), dtype=np.float64)
        start = int(random.random() * side)
        width = int(side * random.uniform(0.01, 0.15)) + 1
        rows = random.random() < 0.5 if crossed else True
        part = image[start : start + width] if rows else image[:, start : start + width]
        cover = random.uniform(0.4, 1.0)
        part[:] = (part * (1 - cover) + ink * cover).astype(np.uint8)


_LAYOUTS: tuple[Callable[[Random, Image], None], ...] = (
    _tiles,
    _label,
    _picture,
    _pattern,
    _plaid,
)
_SHARES = (0.28, 0.28, 0.22, 0.12, 0.1)
