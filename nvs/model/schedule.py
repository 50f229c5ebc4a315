"""Which tokens update the fast weights and which tokens they are applied to, as data.

A schedule is a tuple of operations on token ranges, run in order; an operation that
does both updates first. The four schedules are Figure 3 (a) to (d) of the paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of a schedule on the tokens `start` to `end` (exclusive)."""

    start: int
    end: int
    update: bool
    apply: bool


Schedule: TypeAlias = tuple[Operation, ...]


def full(num_tokens: int) -> Schedule:
    """Every token sees every token (Fig. 3a): one update, then one application."""
    return (Operation(0, num_tokens, update=True, apply=True),)


def block_causal(num_tokens: int, chunk: int) -> Schedule:
    """A token sees its own chunk and earlier ones (Fig. 3b)."""
    return tuple(
        Operation(start, end, update=True, apply=True)
        for start, end in _chunks(num_tokens, chunk)
    )


def shifted(num_tokens: int, chunk: int) -> Schedule:
    """A token sees earlier chunks but not its own (Fig. 3c): apply, then update."""
    return tuple(
        Operation(start, end, update=update, apply=not update)
        for start, end in _chunks(num_tokens, chunk)
        for update in (False, True)
    )


def strided(num_tokens: int, chunk: int, stride: int = 2) -> Schedule:
    """A token sees every `stride`-th chunk up to its own (Fig. 3d)."""
    return tuple(
        Operation(start, end, update=index % stride == 0, apply=True)
        for index, (start, end) in enumerate(_chunks(num_tokens, chunk))
    )


def inputs_then_all(num_input_tokens: int, num_tokens: int) -> Schedule:
    """Update on the input views once, then apply to inputs and targets alike."""
    return (
        Operation(0, num_input_tokens, update=True, apply=False),
        Operation(0, num_tokens, update=False, apply=True),
    )


def _chunks(num_tokens: int, chunk: int) -> list[tuple[int, int]]:
    return [
        (start, min(start + chunk, num_tokens)) for start in range(0, num_tokens, chunk)
    ]
