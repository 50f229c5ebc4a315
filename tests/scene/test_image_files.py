"""Names of images as people mean them, and what is there but not named."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from nvs.errors import DatasetError
from nvs.scene.image_files import ImageFiles


def _files(folder: Path, *names: str) -> ImageFiles:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2)).save(folder / name, format="png")
    return ImageFiles(folder)


NFC, NFD = (unicodedata.normalize(form, "images/é 1.png") for form in ("NFC", "NFD"))


@pytest.mark.parametrize(
    ("there", "name"),
    [
        ("images/0.png", "images/0.png"),
        ("images/0.png", "./images/0.png"),
        ("images/0.png", "images//0.png"),
        ("images/0.png", "images\\0.png"),
        ("images/a/0.png", ".\\images\\a\\0.png"),
        ("images/0.png", "images/0.PNG"),
        ("images/0.PNG", "images/0.png"),
        ("images/IMG_0.JPG", "images/img_0.jpg"),
        ("Images/0.png", "images/0.png"),
        ("images/0.jpeg", "images/0.jpg"),
        ("images/0.JPG", "images/0.jpeg"),
        ("images/0.tif", "images/0.tiff"),
        ("images/0.png", "images/0"),
        ("images/0.PNG", "images/0"),
        ("images/0.Jpg", "images\\0"),
        ("images/0.webp", "images/0"),
        ("images/DSC.0001.JPG", "images/DSC.0001"),
        (NFC, NFD),
        (NFD, NFC),
        (NFD, NFC.removesuffix(".png")),
        ("images/ß.png", "images/ẞ.png"),
        ("images/0.png", "images/0.png "),
        ("images/0.png", "C:\\Users\\me\\set\\images\\0.png"),
        ("images/0.png", "/home/me/set/images/0.png"),
        ("images/0.png", "\\\\nas\\set\\images\\0.png"),
        ("0.png", "/home/me/set/images/0.png"),
        ("images/0.png", "../set/images/0.png"),
        ("images/my photo 1.png", "images/my%20photo%201.png"),
        ("images/é.png", "images/%C3%A9.png"),
        ("images/50%25.png", "images/50%25.png"),
    ],
)
def test_a_file_is_meant_by_other_names(tmp_path: Path, there: str, name: str) -> None:
    images = _files(tmp_path, there, "other.png")
    assert images.find(name) == tmp_path / there


@pytest.mark.parametrize(
    ("there", "name", "near"),
    [
        ("images/0001.jpg", "images/0001.png", "images/0001.jpg"),
        ("photos/0001.png", "images/0001.png", "photos/0001.png"),
        ("images/IMG_0001.png", "images/IMG-0001.png", "images/IMG_0001.png"),
        ("images\\0001.png", "images/0001.png", "images\\0001.png"),
        ("images/0001.png", "images/a/0001.png", "images/0001.png"),
    ],
)
def test_the_near_miss_is_named(
    tmp_path: Path, there: str, name: str, near: str
) -> None:
    images = _files(tmp_path, there)
    assert images.find(name) is None
    dataset = images.dataset([])
    assert dataset.missing == (name,)
    assert dataset.hint == f" Is it {near!r}?"


def test_what_is_named_already_or_nothing_like_it_is_no_near_miss(
    tmp_path: Path,
) -> None:
    images = _files(tmp_path, "images/0001.png", "images/door.png")
    images.find("images/0001.png")
    images.find("images/0002.png")
    assert images.dataset([]).hint == ""


def test_exactly_the_name_goes_first(tmp_path: Path) -> None:
    images = _files(tmp_path, "a.PNG", "a.png", "A.png")
    for name in ("a.PNG", "a.png", "A.png"):
        assert images.find(name) == tmp_path / name


def test_of_several_that_may_be_meant_none_is_taken(tmp_path: Path) -> None:
    images = _files(tmp_path, "a.PNG", "a.png")
    assert images.find("A.PNG") is None
    assert images.dataset([]).hint == " Is it 'a.PNG'?"


def test_two_names_never_mean_one_file(tmp_path: Path) -> None:
    images = _files(tmp_path, "0.png")
    images.find("/left/0.png")
    with pytest.raises(DatasetError, match=r"'/left/0.png' and '/right/0.png' both"):
        images.find("/right/0.png")


@pytest.mark.parametrize("name", ["../out.png", "/etc/out.png", "a/../../out.png"])
def test_nothing_outside_is_followed(tmp_path: Path, name: str) -> None:
    _files(tmp_path, "out.png")
    (tmp_path / "set").mkdir()
    with pytest.raises(DatasetError, match="leads outside"):
        ImageFiles(tmp_path / "set").find(name)


def test_links_that_lead_outside_are_refused_by_any_name(tmp_path: Path) -> None:
    _files(tmp_path, "elsewhere/0.png")
    (tmp_path / "set").mkdir()
    (tmp_path / "set/images").symlink_to(tmp_path / "elsewhere")
    for name in ("images/0.png", "images\\0.PNG", "Images/0"):
        with pytest.raises(DatasetError, match="leads outside"):
            ImageFiles(tmp_path / "set").find(name)


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("images/a.png", "masks/a.png"),
        ("images/a.jpg", "masks/a.png"),
        ("images/a.JPG", "masks/a.PNG"),
        ("images/a.jpg", "masks/a.jpg.png"),
        ("images/cam1/a.jpg", "masks/cam1/a.jpg.png"),
        ("images/a.jpg", "images/a.jpg.mask.png"),
        ("images/a.jpg", "images/a.jpg.png"),
        ("images/a.jpg", "masks/a.jpg.mask.png"),
        ("images/a.jpg", "masks/a_mask.png"),
        ("images/a.jpg", "mask/a.png"),
        ("images/a.jpg", "images/masks/a.png"),
        ("images_4/a.png", "masks_4/a.png"),
        ("images_4/a.png", "masks/a.png"),
        ("a.jpg", "masks/a.png"),
        ("a.png", "a.alpha.png"),
    ],
)
def test_where_masks_lie(tmp_path: Path, image: str, mask: str) -> None:
    images = _files(tmp_path, image, mask, "masks/other.png", "images/other.png")
    found = images.find(image)
    assert found is not None
    assert images.mask(found) == tmp_path / mask


@pytest.mark.parametrize("other", ["masks/ab.png", "depth/a.png", "masks/b/a.png"])
def test_other_files_are_no_masks(tmp_path: Path, other: str) -> None:
    images = _files(tmp_path, "images/a.png", other)
    found = images.find("images/a.png")
    assert found is not None
    assert images.mask(found) is None


def test_a_mask_that_is_listed_must_be_there(tmp_path: Path) -> None:
    images = _files(tmp_path, "images/a.png", "other/m.png", "other/n.jpg")
    found = images.find("images/a.png")
    assert found is not None
    assert images.mask(found, "other\\m.PNG") == tmp_path / "other/m.png"
    with pytest.raises(
        DatasetError, match=r"'other/n.png' of images/a.png is not there.*n.jpg"
    ):
        images.mask(found, "other/n.png")


def test_what_is_not_used_is_counted_by_kind(tmp_path: Path) -> None:
    images = _files(
        tmp_path,
        *(f"images/{name}.png" for name in "abcd"),
        *("images/._a.png", "images/deep/f.png", "depth/a.png", "preview.png"),
        *("masks/a.png", "masks/x.png"),
    )
    for name in "ab":
        found = images.find(f"images/{name}.png")
        assert found is not None
        images.mask(found)
    assert images.dataset([]).notes == (
        "3 of 5 images have no camera and are not used: images/c.png, images/d.png, "
        "images/deep/f.png",
        "1 of 2 images have no mask and count whole: images/b.png",
        "1 of 2 masks have no image and are not used: masks/x.png",
    )
