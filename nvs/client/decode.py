"""JSON answers to frozen dataclasses, by their annotations.

Fields that this client does not know are passed over: a newer service may have more.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar, cast

import httpx

from nvs.client.errors import ServiceAnswerError

T = TypeVar("T")


def decoded(kind: type[T], response: httpx.Response) -> T:
    """The JSON body of an answer as a dataclass.

    Raises:
        ServiceAnswerError: If the body is not JSON or a field is missing or of another
            type.
    """
    return decoded_text(kind, response.text)


def decoded_text(kind: type[T], text: str) -> T:
    """JSON text of the service as a dataclass.

    Raises:
        ServiceAnswerError: If it is not JSON or a field is missing or of another type.
    """
    try:
        return cast(T, _value(kind, json.loads(text), kind.__name__))
    except (ValueError, RecursionError) as error:
        raise ServiceAnswerError(
            f"the service did not answer with a {kind.__name__} ({error})",
            remedy="Check that the address is that of `nvs serve` and not of another "
            "service, and that client and server have the same version.",
        ) from error


def _value(kind: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if value is None and types.NoneType in arguments:
            return None
        kinds = [one for one in arguments if one is not types.NoneType]
        return value if len(kinds) > 1 else _value(kinds[0], value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{where} is no list")
        return tuple(
            _value(arguments[0], one, f"{where}[{index}]")
            for index, one in enumerate(value)
        )
    if origin is not None:
        return _plain(origin, value, where)
    if dataclasses.is_dataclass(kind):
        return _object(kind, value, where)
    if kind is datetime:
        return datetime.fromisoformat(_plain(str, value, where))
    if kind is float:
        return float(_plain((int, float), value, where))
    return value if kind is Any else _plain(kind, value, where)


def _object(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise ValueError(f"{where} is no object")
    hints = typing.get_type_hints(kind)
    given: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        if field.name in value:
            name = f"{where}.{field.name}"
            given[field.name] = _value(hints[field.name], value[field.name], name)
        elif field.default is dataclasses.MISSING:
            raise ValueError(f"{where}.{field.name} is missing")
    return kind(**given)


def _plain(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"{where} is {value!r:.80}")
    return value
