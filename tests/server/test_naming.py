"""Errors name files as the user does, never by where the server keeps them."""

from __future__ import annotations

from pathlib import Path

import pytest

from nvs.errors import DatasetError, NvsError
from nvs_server.naming import about, shown_as


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        ("images/a.png", "images/a.png: "),
        (".", "the dataset: "),
        ("../elsewhere/a.png", "the dataset: "),
        (None, ""),
    ],
)
def test_a_service_shows_names_within_the_dataset_only(
    tmp_path: Path, subject: str | None, shown: str
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    link = tmp_path / "link"
    link.symlink_to(folder)
    place = None if subject is None else folder / subject
    with pytest.raises(NvsError) as caught, shown_as(link, "the dataset"):
        raise DatasetError("it is bad", remedy="Mend it.", subject=place)
    assert caught.value.problem == f"{shown}it is bad"


def test_one_file_of_several_goes_by_its_name() -> None:
    with pytest.raises(NvsError) as caught, about("a.png"):
        raise DatasetError("it is bad", remedy="Mend it.", subject="the image")
    assert str(caught.value) == "a.png: it is bad. Mend it."
