"""What errors are about is a field that comes first in their message."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from nvs.errors import DatasetError, MissingExtraError, NvsError, about, reason


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
