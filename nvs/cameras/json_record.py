"""A JSON object read key by key, with messages that say where a value is wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from nvs.errors import CameraError

MAX_SIDE_PX = 2**20


@dataclass(frozen=True, slots=True)
class Record:
    """The object, and where it stands in its document, such as `frame 3: `.

    Every reader raises CameraError with that place, the key, the value and a remedy.
    """

    values: Mapping[str, object]
    where: str

    @staticmethod
    def of(values: object, where: str = "") -> Record:
        """A JSON value that must be an object."""
        if not isinstance(values, dict):
            raise CameraError(
                f"{where}it is {_shown(values)}", remedy="It must be a JSON object."
            )
        return Record(values, where)

    def get(self, key: str) -> object:
        """Any value that is there."""
        if key not in self.values:
            raise CameraError(
                f"{self.where}{key} is missing",
                remedy=f"Its keys are {sorted(self.values)[:8]}; add {key}.",
            )
        return self.values[key]

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        value = self.get(key)
        if not isinstance(value, list) or not all(type(one) is str for one in value):
            raise self._wrong(key, "It must be a list of texts.")
        return tuple(value)

    def mapping(self, key: str) -> Mapping[str, object]:
        """An object."""
        return Record.of(self.get(key), f"{self.where}{key}: ").values

    def records(self, key: str) -> list[Record]:
        """A list of objects, at least one."""
        values = self.get(key)
        if not isinstance(values, list) or not values:
            raise self._wrong(key, "It must be a list with at least one frame.")
        return [
            Record.of(value, f"{self.where}frame {index}: ")
            for index, value in enumerate(values)
        ]

    def number(
        self, key: str, *, default: float | None = None, finite: bool = True
    ) -> float:
        """A number; finite, unless that is left to `Camera.check`."""
        if default is not None and key not in self.values:
            return default
        value = self.get(key)
        if not _is_number(value, finite):
            raise self._wrong(key, f"It must be a {'finite ' * finite}number.")
        return float(value)

    def positive(self, key: str) -> float:
        """A finite number above zero."""
        value = self.number(key)
        if value <= 0:
            raise self._wrong(key, "It must be above zero.")
        return value

    def size(self, key: str) -> int:
        """A whole number from 1 to 2^20, such as 540 or 540.0."""
        value = self.number(key)
        if not 1 <= value <= MAX_SIDE_PX or value != int(value):
            raise self._wrong(key, "It must be a whole number of pixels.")
        return int(value)

    def text(self, key: str) -> str:
        """Text that is not empty."""
        value = self.get(key)
        if not isinstance(value, str) or not value:
            raise self._wrong(key, "It must be text.")
        return value

    def optional_text(self, key: str) -> str | None:
        """Text that is not empty; None if it is absent, empty or null."""
        return self.text(key) if self.values.get(key) not in (None, "") else None

    def numbers(self, key: str, *shape: int, finite: bool = True) -> list[object]:
        """Nested lists of numbers, of this shape; finite as for `number`."""
        value = self.get(key)
        if not isinstance(value, list) or not _has_shape(value, shape, finite):
            size = "×".join(map(str, shape))
            remedy = f"It must hold {size} {'finite ' * finite}numbers."
            found = _shape_of(value)
            if len(found) == len(shape) and found != shape:
                is_square = shape == (4, 4) and found == (3, 4)
                raise CameraError(
                    f"{self.where}{key} holds {'×'.join(map(str, found))} numbers",
                    remedy=remedy + " Add the row 0, 0, 0, 1." * is_square,
                )
            raise self._wrong(key, remedy)
        return value

    def _wrong(self, key: str, remedy: str) -> CameraError:
        return CameraError(
            f"{self.where}{key} is {_shown(self.values[key])}", remedy=remedy
        )


def _is_number(value: object, finite: bool) -> TypeGuard[int | float]:
    """Whether a JSON value is a number; true and false are none."""
    if isinstance(value, float) and not finite:
        return True
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max


def _has_shape(value: object, shape: Sequence[int], finite: bool) -> bool:
    if not shape:
        return _is_number(value, finite)
    return (
        isinstance(value, list)
        and len(value) == shape[0]
        and all(_has_shape(item, shape[1:], finite) for item in value)
    )


def _shape_of(value: object) -> tuple[int, ...]:
    """Lengths of nested lists, by the first of each."""
    if not isinstance(value, list):
        return ()
    return (len(value), *(_shape_of(value[0]) if value else ()))


def _shown(value: object) -> str:
    """The value as JSON, shortened."""
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
