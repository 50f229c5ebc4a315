"""Intact images are read, whatever their depth, colours, packing and metadata."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps, features

from nvs.errors import ImageError, MissingExtraError
from nvs.images import image_size, opened_image, orientation, read_image, upright

RAMP = np.linspace(0, 1, 256).reshape(16, 16)
HEIGHT, WIDTH = 40, 56
ORIENTATION, DESCRIPTION, MAKER = 0x0112, 0x010E, 0x010F


def smooth(channels: int = 3) -> np.ndarray:
    """A picture that lossy codecs keep within a few levels."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] / (HEIGHT, WIDTH)[0]
    waves = [np.sin(2 + 2 * x + k) * np.cos(y + k) for k in range(channels)]
    return np.rint(127 + 100 * np.stack(waves, -1)).astype(np.uint8)


PICTURE = smooth()


@pytest.mark.parametrize(
    ("pixels", "suffix"),
    [
        ((RAMP * 255).round().astype(np.uint8), "png"),
        ((RAMP * 65535).round().astype(np.uint16), "png"),
        ((RAMP * 65535).round().astype(np.uint16), "tiff"),
        (RAMP.astype(np.float32), "tiff"),
    ],
)
def test_a_ramp_is_the_same_at_every_depth(
    tmp_path: Path, pixels: np.ndarray, suffix: str
) -> None:
    path = tmp_path / f"ramp.{suffix}"
    Image.fromarray(pixels).save(path)
    found = read_image(path)
    assert found.shape == (16, 16, 3)
    assert (found.reshape(256, 3) == np.arange(256)[:, None]).all()


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize(
    ("suffix", "dtype"), [("png", np.uint16), ("tiff", np.uint16), ("tiff", np.float32)]
)
def test_deep_colours_are_the_same_in_8_bits(
    tmp_path: Path, suffix: str, channels: int, dtype: type
) -> None:
    white = 65535 if dtype is np.uint16 else 1
    shallow = smooth(channels)
    path = tmp_path / f"deep.{suffix}"
    cv2.imwrite(
        str(path),
        (shallow / 255 * white).round(7).astype(dtype)[..., [2, 1, 0, 3][:channels]],
    )
    found = read_image(path)
    assert found.shape == (HEIGHT, WIDTH, channels)
    assert np.abs(found.astype(int) - shallow).max() <= 1
    assert image_size(path) == (HEIGHT, WIDTH)


def test_a_little_beyond_black_and_white_is_clipped(tmp_path: Path) -> None:
    path = tmp_path / "sharpened.tiff"
    Image.fromarray(np.array([[-0.3, 0.5, 1.4]], np.float32)).save(path)
    assert read_image(path)[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("value", [255.0, 65535.0, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 3)])
def test_floats_of_another_scale_are_refused(
    tmp_path: Path, value: float, shape: tuple[int, ...]
) -> None:
    path = tmp_path / "bright.tiff"
    cv2.imwrite(str(path), np.full(shape, value, np.float32))
    with pytest.raises(ImageError, match=r"bright\.tiff: holds .*, where 1 is white"):
        read_image(path)


def test_deep_colours_of_many_pixels_are_refused_by_their_header(
    tmp_path: Path,
) -> None:
    path = tmp_path / "large.tiff"
    cv2.imwrite(str(path), np.zeros((20, 30, 3), np.float32))
    with pytest.raises(ImageError, match="30×20 pixels, over the limit of 599"):
        read_image(path, max_pixels=599)


def tiled_tiff(picture: np.ndarray) -> bytes:
    """A deflated TIFF of 16×16 tiles, which Pillow cannot write."""
    height, width, channels = picture.shape
    padded = np.pad(picture, [(0, -height % 16), (0, -width % 16), (0, 0)])
    tiles = [
        zlib.compress(padded[top : top + 16, left : left + 16].tobytes())
        for top in range(0, height, 16)
        for left in range(0, width, 16)
    ]
    starts = np.cumsum([8] + [len(tile) for tile in tiles])
    arrays = b"".join(
        struct.pack(f"<{len(tiles)}I", *values)
        for values in (starts[:-1], map(len, tiles))
    )
    at_bits = int(starts[-1]) + len(arrays)
    at_tags = at_bits + 6
    num = len(tiles)
    tags = [
        (256, 3, 1, width),
        (257, 3, 1, height),
        (258, 3, channels, at_bits),
        (259, 3, 1, 8),  # deflate
        (262, 3, 1, 2),  # RGB
        (277, 3, 1, channels),
        (322, 3, 1, 16),
        (323, 3, 1, 16),
        (324, 4, num, int(starts[-1])),
        (325, 4, num, int(starts[-1]) + 4 * num),
    ]
    packed = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return (
        struct.pack("<2sHI", b"II", 42, at_tags)
        + b"".join(tiles)
        + arrays
        + struct.pack("<3H", 8, 8, 8)
        + struct.pack("<H", len(tags))
        + packed
        + bytes(4)
    )


def interlaced_png(picture: np.ndarray) -> bytes:
    """A PNG in the seven passes of Adam7, which Pillow cannot write."""
    height, width, _ = picture.shape
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4)]
    passes += [(2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = b"".join(
        b"\0" + row.tobytes()
        for top, left, down, right in passes
        for row in picture[top::down, left::right]
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def chunk(name: bytes, data: bytes, checksum: int | None = None) -> bytes:
    """A chunk of a PNG."""
    checksum = zlib.crc32(name + data) if checksum is None else checksum
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """An image in a format of Pillow's."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def animation(kind: str) -> bytes:
    """Two pictures, the first of them ours."""
    first, second = Image.fromarray(PICTURE), Image.new("RGB", (WIDTH, HEIGHT))
    return saved(first, kind, save_all=True, append_images=[second], lossless=True)


def of_ours(mode: str) -> Image.Image:
    return Image.fromarray(PICTURE).convert(mode)


PACKED: dict[str, tuple[Callable[[], bytes], int]] = {
    "tiff_lzw": (lambda: saved(of_ours("RGB"), "TIFF", compression="tiff_lzw"), 0),
    "tiff_deflate": (
        lambda: saved(of_ours("RGB"), "TIFF", compression="tiff_adobe_deflate"),
        0,
    ),
    "tiff_packbits": (lambda: saved(of_ours("RGB"), "TIFF", compression="packbits"), 0),
    "tiff_jpeg": (
        lambda: saved(of_ours("RGB"), "TIFF", compression="jpeg", quality=95),
        8,
    ),
    "tiff_ycbcr_jpeg": (
        lambda: saved(of_ours("YCbCr"), "TIFF", compression="jpeg", quality=95),
        8,
    ),
    "tiff_tiled": (lambda: tiled_tiff(PICTURE), 0),
    "tiff_cmyk": (lambda: saved(of_ours("CMYK"), "TIFF"), 0),
    "tiff_lab": (
        lambda: saved(
            ImageCms.profileToProfile(  # type: ignore[arg-type]
                of_ours("RGB"),
                ImageCms.createProfile("sRGB"),
                ImageCms.createProfile("LAB"),
                outputMode="LAB",
            ),
            "TIFF",
        ),
        16,
    ),
    "png_interlaced": (lambda: interlaced_png(PICTURE), 0),
    "apng": (lambda: animation("PNG"), 0),
    "webp_animated": (lambda: animation("WEBP"), 0),
    "mpo": (
        lambda: saved(
            of_ours("RGB"),
            "MPO",
            quality=95,
            save_all=True,
            append_images=[Image.new("RGB", (WIDTH, HEIGHT))],
        ),
        8,
    ),
    "jpeg_progressive": (
        lambda: saved(of_ours("RGB"), "JPEG", quality=95, progressive=True),
        8,
    ),
    "jpeg_cmyk": (lambda: saved(of_ours("CMYK"), "JPEG", quality=95), 12),
    "avif": (lambda: saved(of_ours("RGB"), "AVIF", quality=95), 10),
    "heic": (lambda: saved(of_ours("RGB"), "HEIF", quality=95), 10),
}
"""What holds our picture, and by how many levels it may be off."""


def packed(kind: str) -> bytes:
    if kind == "avif" and not features.check("avif"):
        pytest.skip("Pillow was built without AVIF")
    if kind == "heic":
        pytest.importorskip("pillow_heif")
    return PACKED[kind][0]()


@pytest.mark.parametrize("kind", PACKED)
def test_a_picture_is_the_same_however_it_is_packed(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    path.write_bytes(packed(kind))
    found = read_image(path)
    assert found.shape == PICTURE.shape
    assert np.abs(found.astype(int) - PICTURE).max() <= PACKED[kind][1]
    assert image_size(path) == (HEIGHT, WIDTH)


def test_palettes_grey_and_one_bit_become_colours(tmp_path: Path) -> None:
    grey = PICTURE[..., 0]
    few = Image.fromarray(grey // 16 * 16)
    for name, image, expected in [
        ("p.png", few.convert("P"), grey // 16 * 16),
        ("p.bmp", few.convert("P"), grey // 16 * 16),
        ("l.jpg", Image.fromarray(grey), grey),
        ("one.png", Image.fromarray(grey > 127), 255 * (grey > 127)),
        ("one.tif", Image.fromarray(grey > 127), 255 * (grey > 127)),
    ]:
        image.save(tmp_path / name)
        found = read_image(tmp_path / name).astype(int)
        assert found.shape == PICTURE.shape
        assert np.abs(found - expected[..., None]).max() <= 3, name


def test_transparency_of_every_kind_is_straight_alpha(tmp_path: Path) -> None:
    grey = PICTURE[..., 0] // 16 * 16
    alpha = np.where(np.mgrid[:HEIGHT, :WIDTH][0] < 9, 0, 255).astype(np.uint8)
    with_alpha = np.dstack([grey, grey, grey, alpha])
    one, number = np.unique(grey)[3], int(np.unique(grey)[3])
    keyed = np.dstack([grey] * 3 + [255 * (grey != one)])
    palette = Image.fromarray(grey).convert("P")
    palette_index = np.asarray(palette)[grey == one][0]
    cases = {
        "la.png": (Image.fromarray(np.dstack([grey, alpha])), {}, with_alpha),
        "rgba.webp": (
            Image.fromarray(with_alpha),
            {"lossless": True, "exact": True},
            with_alpha,
        ),
        "rgba.tif": (Image.fromarray(with_alpha), {}, with_alpha),
        "p.png": (palette, {"transparency": int(palette_index)}, keyed),
        "l.png": (Image.fromarray(grey), {"transparency": number}, keyed),
        "rgb.png": (
            Image.fromarray(np.dstack([grey] * 3)),
            {"transparency": (number,) * 3},
            keyed,
        ),
    }
    for name, (image, options, expected) in cases.items():
        image.save(tmp_path / name, **options)
        assert np.array_equal(read_image(tmp_path / name), expected), name


def exif_with(tag: int, kind: int, value: bytes, count: int = 1) -> bytes:
    """EXIF of one tag, with a value of any type."""
    entry = struct.pack(">HHI", tag, kind, count) + value.ljust(4, b"\0")
    return b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4)


ODD_EXIF = {
    "empty": b"",
    "garbage": b"Exif\0\0" + bytes(range(90)),
    "not EXIF": b"nothing of the kind",
    "cut short": exif_with(ORIENTATION, 3, b"\0\6")[:17],
    "orientation 0": exif_with(ORIENTATION, 3, b"\0\0"),
    "orientation 9": exif_with(ORIENTATION, 3, b"\0\x09"),
    "orientation in text": exif_with(ORIENTATION, 2, b"up\0", 3),
    "orientation a fraction": exif_with(ORIENTATION, 5, b"\xff\xff\xff\xf0"),
    "type unknown": exif_with(ORIENTATION, 99, b"\0\6"),
    "a value far away": exif_with(DESCRIPTION, 2, b"\x7f\xff\xff\xff", 2**30),
    "a loop": b"Exif\0\0MM\0*" + struct.pack(">IHI", 8, 0, 8),
}
NUMBERS = {
    "byte": (1, b"\6"),
    "short": (3, b"\0\6"),
    "long": (4, b"\0\0\0\6"),
    "text": (2, b"6\0"),
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("exif", ODD_EXIF)
def test_odd_exif_is_no_reason_to_refuse_an_image(
    tmp_path: Path, kind: str, exif: str
) -> None:
    path = tmp_path / "image"
    plain, odd = of_ours("RGB"), ODD_EXIF[exif]
    lossless: dict[str, object] = {"lossless": True} if kind == "WEBP" else {}
    if kind == "TIFF":
        lossless = {"tiffinfo": {ORIENTATION: 0, DESCRIPTION: "odd"}}
        odd = b""
    path.write_bytes(saved(plain, kind, **lossless, exif=odd))
    with opened_image(path) as image:
        assert orientation(image) == 1
    assert np.abs(read_image(path).astype(int) - PICTURE).max() <= 12


@pytest.mark.parametrize("kind", NUMBERS)
def test_an_orientation_of_any_type_is_understood(tmp_path: Path, kind: str) -> None:
    number, value = NUMBERS[kind]
    exif = exif_with(ORIENTATION, number, value)
    of_ours("RGB").save(tmp_path / "a.jpg", exif=exif, quality=95)
    with opened_image(tmp_path / "a.jpg") as image:
        assert orientation(image) == 6
    turned = read_image(tmp_path / "a.jpg", size=(WIDTH, HEIGHT))
    assert np.abs(turned.astype(int) - np.rot90(PICTURE, -1)).max() <= 12


@pytest.mark.parametrize("number", range(1, 9))
def test_turning_upright_is_what_exif_means(number: int) -> None:
    image = of_ours("RGB")
    image.getexif()[ORIENTATION] = number
    expected = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(upright(PICTURE, number), expected)


BAD_CHUNKS = {
    "text of another checksum": chunk(b"tEXt", b"a\0b", checksum=1),
    "much text": chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(3_000_000))),
    "a short gamma": chunk(b"gAMA", b"1"),
    "a short resolution": chunk(b"pHYs", b"11"),
    "no EXIF": chunk(b"eXIf", b"nonsense"),
    "no profile": chunk(b"iCCP", b"a\0\0nonsense"),
    "a short animation": chunk(b"acTL", b""),
}


@pytest.mark.parametrize("name", BAD_CHUNKS)
def test_chunks_that_are_not_pixels_do_not_matter(tmp_path: Path, name: str) -> None:
    content = saved(of_ours("RGB"), "PNG")
    path = tmp_path / "a.png"
    path.write_bytes(content[:33] + BAD_CHUNKS[name] + content[33:])
    assert np.array_equal(read_image(path), PICTURE)


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_jpeg_with_damaged_metadata_keeps_its_pixels(
    tmp_path: Path, data: st.DataObject
) -> None:
    """Bytes inside of EXIF, XMP, profile and MPF may be anything."""
    exif = Image.Exif()
    exif[MAKER], exif[DESCRIPTION] = "Maker", "x" * 40
    content = saved(
        of_ours("RGB"),
        "MPO",
        exif=exif.tobytes(),
        xmp=b"<x:xmpmeta tiff:Orientation='6'/>",
        save_all=True,
        append_images=[Image.new("RGB", (WIDTH, HEIGHT))],
    )
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    inside: list[int] = []
    at = 2
    while content[at + 1] & 0xF0 == 0xE0:  # segments for applications
        (length,) = struct.unpack_from(">H", content, at + 2)
        inside += range(at + 4, at + 2 + length)
        at += 2 + length
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.sampled_from(inside))] = data.draw(st.integers(0, 255))
    path = tmp_path / "a.jpg"
    path.write_bytes(damaged)
    assert np.array_equal(read_image(path), expected)
    with opened_image(path) as image:
        assert 1 <= orientation(image) <= 8


@pytest.mark.parametrize("keep", [0.3, 0.7])
@pytest.mark.parametrize("kind", ["png_interlaced", "jpeg_progressive", "tiff_lzw"])
def test_what_is_cut_short_is_still_refused(
    tmp_path: Path, kind: str, keep: float
) -> None:
    content = packed(kind)
    (tmp_path / kind).write_bytes(content[: int(keep * len(content))])
    with pytest.raises(ImageError, match=kind):
        read_image(tmp_path / kind)


def test_heic_without_its_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99))
    monkeypatch.setattr("nvs.images.FORMATS", ("PNG", "JPEG"))
    with pytest.raises(MissingExtraError, match="pillow-heif"):
        read_image(tmp_path / "a.heic")


def test_avif_that_cannot_be_read_here_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.avif").write_bytes(b"\0\0\0\x18ftypavif" + bytes(99))
    monkeypatch.setattr("nvs.images.FORMATS", ("PNG", "JPEG"))
    with pytest.raises(ImageError, match=r"a\.avif: an AVIF image"):
        read_image(tmp_path / "a.avif")
