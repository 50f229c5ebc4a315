"""Prefill and frames at the sizes that networks are used at, as one table.

The same for every device: `make gpu` runs it on a CUDA device at the sizes of the
released models, a test on a processor at small ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nvs.config import ModelConfig, preset
from nvs.errors import ConfigError
from nvs.model.checkpoint import random_checkpoint
from nvs.scene.bench import bench
from nvs.scene.renderer import Renderer


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A network at a size."""

    preset: str
    """Its shape; its weights are random."""
    config: ModelConfig
    """The same."""
    num_views: int
    """Input views of the prefill."""
    height: int
    """Of inputs and frame, in pixels."""
    width: int
    """Of inputs and frame, in pixels."""

    @staticmethod
    def parse(text: str) -> Case:
        """The case that `PRESET:VIEWS:HEIGHTxWIDTH` names.

        Raises:
            ConfigError: If it is not written so, there is no such preset, or the size
                does not fit its patch.
        """
        name, _, rest = text.partition(":")
        views, _, size = rest.partition(":")
        numbers = [views, *size.split("x")]
        if len(numbers) != 3 or not all(n.isdigit() and int(n) for n in numbers):
            raise ConfigError(
                f"the case is {text!r}",
                remedy="Write PRESET:VIEWS:HEIGHTxWIDTH, such as lact_tiny:8:64x64.",
            )
        num_views, height, width = map(int, numbers)
        config = preset(name)
        if height % config.patch_size or width % config.patch_size:
            raise ConfigError(
                f"the case {text!r} does not fit patches of {config.patch_size}",
                remedy="Use multiples of it.",
            )
        return Case(
            preset=name,
            config=config,
            num_views=num_views,
            height=height,
            width=width,
        )


RELEASED = (
    "lact_l24_d768_ttt2x:8:256x256",
    "lact_l24_d768_ttt2x:48:512x512",
    "lact_l24_d768_ttt4x:128:536x960",
)
"""Cases of the released models; the prefills of the last two are the paper's."""


def bench_table(
    cases: Sequence[Case],
    *,
    device: str | None,
    precision: str | None,
    budget_bytes: int | None,
    repeats: int,
    report: Callable[[str], None],
) -> list[dict[str, Any]]:
    """What `bench` measures, of each case.

    Args:
        cases: What is measured, one after another.
        device: See `Renderer`, as for the next two.
        precision: Of all cases.
        budget_bytes: Memory for activations.
        repeats: Timed prefills; frames are three times as many.
        report: Called with a line before each case.
    """
    rows: list[dict[str, Any]] = []
    for case in cases:
        report(f"{case.preset}, {case.num_views} views of {case.height}×{case.width}")
        renderer = Renderer(
            random_checkpoint(case.config),
            model_id=case.preset,
            device=device,
            precision=precision,
            budget_bytes=budget_bytes,
        )
        size = {"height": case.height, "width": case.width}
        rows.append(bench(renderer, num_views=case.num_views, **size, repeats=repeats))
    return rows


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """The table, for a README."""
    first = rows[0]
    lines = [
        f"{first['device']}, {first['precision']}, torch {first['torch']}, threads: "
        f"{first['threads']}, random weights",
        "",
        "| network | what | time | TFLOP/s | ceiling | share |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        size = f"{row['height']}×{row['width']}"
        ceiling = row["ceiling_flops_per_second"] / 1e12
        for what, name, seconds in (
            (f"{row['num_views']} views", "prefill", row["prefill_seconds"]),
            ("a frame", "render", row["render_milliseconds"] / 1000),
        ):
            rate = row[f"{name}_flops_per_second"] / 1e12
            spread = row[f"{name}_spread"] / 2
            share = row[f"{name}_share_of_ceiling"]
            lines.append(
                f"| {row['model']} | {what}, {size} | {seconds:.3g} s ± {spread:.0%} "
                f"| {rate:.3g} | {ceiling:.3g} | {share:.0%} |"
            )
    return "\n".join(lines) + "\n"
