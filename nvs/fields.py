"""Plain values, as JSON has them, into the types of a dataclass's fields."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

from nvs.errors import ConfigError

Cast: TypeAlias = tuple[Callable[[Any], bool], Callable[[Any], Any], str]
"""What fits a type, how it becomes its value, what to say if it does not fit."""


def is_list_of(*kinds: type) -> Callable[[Any], bool]:
    """Whether a value is a list or tuple of these exact types."""

    def check(value: Any) -> bool:
        return isinstance(value, list | tuple) and all(type(v) in kinds for v in value)

    return check


def is_pair(*kinds: type) -> Callable[[Any], bool]:
    """Whether a value is a list or tuple of two of these exact types."""
    listed = is_list_of(*kinds)
    return lambda value: listed(value) and len(value) == 2


def _are_sizes(value: Any) -> bool:
    return is_list_of(list, tuple)(value) and all(
        is_pair(int)(size) and min(size) > 0 for size in value
    )


CASTS: dict[Any, Cast] = {
    bool: (lambda v: type(v) is bool, bool, "Use true or false."),
    int: (lambda v: type(v) is int, int, "It must be a whole number."),
    float: (lambda v: type(v) in (int, float), float, "It must be a number."),
    str: (lambda v: type(v) is str, str, "It must be text."),
    tuple[int, ...]: (is_list_of(int), tuple, "It must be a list of whole numbers."),
    tuple[str, ...]: (is_list_of(str), tuple, "It must be a list of texts."),
    tuple[int, int]: (is_pair(int), tuple, "It must be a list of two whole numbers."),
    tuple[float, float]: (
        is_pair(int, float),
        lambda v: tuple(float(n) for n in v),
        "It must be a list of two numbers.",
    ),
    tuple[tuple[int, int], ...]: (
        _are_sizes,
        lambda v: tuple(tuple(size) for size in v),
        "It must be a list of [height, width] in pixels.",
    ),
}


def typed(
    kind: type[Any],
    values: Mapping[str, Any],
    *,
    what: str,
    prefix: str = "",
    nested: Mapping[Any, Cast] | None = None,
) -> dict[str, Any]:
    """Arguments for a dataclass.

    Args:
        kind: The dataclass.
        values: Its fields by name.
        what: What to call a field in messages.
        prefix: What to put before names in messages.
        nested: Casts for types of fields that are not plain.

    Raises:
        ConfigError: If a key is unknown or missing, or a value has the wrong type.
    """
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for key in values:
        if key not in fields:
            raise ConfigError(
                f"unknown {what} {prefix + key!r}",
                remedy=f"Known keys: {', '.join(fields)}.",
            )
    for name, field in fields.items():
        if name not in values and field.default is dataclasses.MISSING:
            raise ConfigError(f"{what} {prefix + name!r} is missing", remedy="Add it.")
    hints, casts = get_type_hints(kind), {**CASTS, **(nested or {})}
    return {
        key: _cast(value, hints[key], prefix + key, casts)
        for key, value in values.items()
    }


def require(fits: bool, name: str, value: Any, remedy: str) -> None:
    """Refuse a value that does not fit.

    Raises:
        ConfigError: Naming the key, the value and the remedy.
    """
    if not fits:
        raise ConfigError(f"{name} is {value!r}", remedy=remedy)


def _cast(value: Any, hint: Any, name: str, casts: Mapping[Any, Cast]) -> Any:
    options = get_args(hint)
    if type(None) in options:
        return None if value is None else _cast(value, options[0], name, casts)
    if get_origin(hint) is Literal:
        require(value in options, name, value, f"Use one of {', '.join(options)}.")
        return value
    fits, cast, remedy = casts[hint]
    require(fits(value), name, value, remedy)
    return cast(value)
