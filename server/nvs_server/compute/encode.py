"""Rendered images to the bytes that a client asked for, on another background too.

Images of objects are on white. Background are the nearly white pixels that connect to
the border of the image: white parts of the object stay. Along its edge white is
unmixed: a pixel c of the edge is a·F + (1 − a)·white, with F the colour of the object
nearby, the darkest in its surroundings; so a = (1 − c) / (1 − F) in the channel where F
is farthest from white. On another background b the pixel then is
c + (1 − a)·(b − white): white gives back the image.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float32

from nvs.api.renders import ImageFormat, PictureOptions
from nvs.api.system import Model
from nvs.errors import ConfigError

MEDIA_TYPES: dict[ImageFormat, str] = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "float32": "application/octet-stream",
}
NEARLY_WHITE = 0.94
"""Least value of every channel of a background pixel."""
EDGE_PX = 3
"""Width of the edge in which white is unmixed."""
LEAST_CONTRAST = 0.05
"""Object colours closer to white than this are taken as opaque."""


def check_background(options: PictureOptions, model: Model) -> None:
    """Refuse to replace a background that there is not.

    Raises:
        ConfigError: If the model renders whole scenes.
    """
    if options.background != "model" and model.poses == "scene":
        raise ConfigError(
            f"background is {options.background!r}, but {model.id} renders whole "
            "scenes, which have no white background to replace",
            remedy="Use the background `model`, or weights for objects.",
        )


def encode(
    image: Float32[np.ndarray, "height width 3"], options: PictureOptions
) -> bytes:
    """The bytes of an image in [0, 1]."""
    if options.background == "transparent":
        image = on_nothing(image)
    elif options.background != "model":
        red, green, blue = bytes.fromhex(options.background[1:])
        image = on_colour(image, (red / 255, green / 255, blue / 255))
    if options.format == "float32":
        return np.ascontiguousarray(image, dtype="<f4").tobytes()
    pixels = np.rint(image.clip(0, 1) * 255).astype(np.uint8)
    swap = cv2.COLOR_RGBA2BGRA if pixels.shape[-1] == 4 else cv2.COLOR_RGB2BGR
    settings: list[int] = []
    if options.format == "jpeg":
        settings = [cv2.IMWRITE_JPEG_QUALITY, options.quality]
    elif options.format == "webp":
        settings = [cv2.IMWRITE_WEBP_QUALITY, options.quality]
    _, encoded = cv2.imencode(
        f".{options.format}", cv2.cvtColor(pixels, swap), settings
    )
    return encoded.tobytes()


def opacity(
    image: Float32[np.ndarray, "height width 3"],
) -> Float32[np.ndarray, "height width"]:
    """How much of each pixel is object: 0 for background, 1 inside, soft between."""
    background = _background(image)
    near = cv2.dilate(background.astype(np.uint8), _disc(EDGE_PX)).astype(bool)
    edge = near & ~background
    darkness = 1 - image
    nearby = cv2.dilate(darkness, _disc(2 * EDGE_PX))
    channel = nearby.argmax(axis=-1, keepdims=True)
    own = np.take_along_axis(darkness, channel, axis=-1)[..., 0]
    full = np.take_along_axis(nearby, channel, axis=-1)[..., 0]
    mixed = np.where(full > LEAST_CONTRAST, own / np.maximum(full, LEAST_CONTRAST), 1)
    alpha = np.where(edge, mixed.clip(0, 1), 1.0)
    return np.where(background, 0.0, alpha).astype(np.float32)


def on_colour(
    image: Float32[np.ndarray, "height width 3"], colour: tuple[float, float, float]
) -> Float32[np.ndarray, "height width 3"]:
    """The object before a background of one RGB colour in [0, 1]."""
    missing = 1 - opacity(image)[..., None]
    shown = image + missing * (np.array(colour, np.float32) - 1)
    return shown.clip(0, 1)


def on_nothing(
    image: Float32[np.ndarray, "height width 3"],
) -> Float32[np.ndarray, "height width 4"]:
    """The object as RGBA with straight alpha."""
    alpha = opacity(image)[..., None]
    colour = (image - (1 - alpha)) / np.maximum(alpha, 1 / 255)
    return np.concatenate([colour.clip(0, 1), alpha], axis=-1)


def _background(
    image: Float32[np.ndarray, "height width 3"],
) -> Bool[np.ndarray, "height width"]:
    white = (image.min(axis=-1) >= NEARLY_WHITE).astype(np.uint8)
    framed = cv2.copyMakeBorder(white, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=1)
    _, label = cv2.connectedComponents(framed, connectivity=4)
    return (label == label[0, 0])[1:-1, 1:-1]


def _disc(radius_px: int) -> np.ndarray:
    side = 2 * radius_px + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
