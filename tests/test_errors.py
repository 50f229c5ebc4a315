"""What errors are about is a field, so that a service can call it otherwise."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from nvs.errors import DatasetError, MissingExtraError, NvsError, about, reason
from nvs_server.jobs.naming import shown_as


def test_the_subject_comes_first_and_is_kept() -> None:
    error = DatasetError("it lists no frames.", remedy="Add some.", subject=Path("a"))
    assert str(error) == "a: it lists no frames. Add some."
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy)) == (DatasetError, str(error))
    assert copy.subject == Path("a")
    plain = DatasetError("it is empty", remedy="Fill it.")
    assert str(plain) == "it is empty. Fill it."
    missing = pickle.loads(pickle.dumps(MissingExtraError("yaml", "eval")))
    assert str(missing) == str(MissingExtraError("yaml", "eval"))


def test_the_innermost_subject_stands() -> None:
    with pytest.raises(NvsError) as caught, about("outer"), about("inner"):
        raise DatasetError("it is empty", remedy="Fill it.")
    assert caught.value.problem == "inner: it is empty"


def test_reasons_name_no_path(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="none") as caught:
        (tmp_path / "none").read_bytes()
    assert reason(caught.value) == "No such file or directory"
    assert reason(ValueError("out of range")) == "out of range"


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
    about = None if subject is None else folder / subject
    with pytest.raises(NvsError) as caught, shown_as(link, "the dataset"):
        raise DatasetError("it is bad", remedy="Mend it.", subject=about)
    assert caught.value.problem == f"{shown}it is bad"
