"""A report of validation as one HTML file: verdicts, cameras in 3-D, thumbnails.

Pictures are embedded and styles are inline: the file makes no request and runs no
script.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nvs.errors import NvsError
from nvs.files import write_text
from nvs.scene.pictures import data_url
from nvs_data.validate.findings import Finding
from nvs_data.validate.survey import Survey

ARROW = 0.25
"""Length of a viewing direction in the plot, over the spread of the cameras."""
COLOURS = {
    "error": "#b3261e",
    "warning": "#a15c00",
    "info": "#3b5b92",
    "none": "#2e7d4f",
}
RANK = {"error": 0, "warning": 1, "info": 2, "none": 3}
TEMPLATE = Path(__file__).with_suffix(".html")


def write_report(
    file: Path | str, capture: Survey, findings: Sequence[Finding]
) -> None:
    """Write the report.

    Raises:
        OutputError: If the file cannot be written.
    """
    worst = ["none"] * len(capture)
    kinds: list[list[str]] = [[] for _ in worst]
    for finding in findings:
        for view in finding.views:
            worst[view] = min(worst[view], finding.severity, key=RANK.__getitem__)
            kinds[view].append(finding.kind)
    finite = torch.isfinite(capture.world_from_camera).flatten(1).all(dim=-1)
    num_hidden = int((~finite).sum())
    page = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title="Validation of a capture",
        summary=_summary(capture, findings),
        findings=_table(findings),
        left_out=f" {num_hidden} without a finite pose are left out."
        if num_hidden
        else "",
        plot=data_url(_plot(capture, worst)),
        views="\n".join(
            _figure(capture, view, worst[view], kinds[view])
            for view in range(len(capture))
        ),
        **COLOURS,
    )
    write_text(file, page)


def _summary(capture: Survey, findings: Sequence[Finding]) -> str:
    counts = [
        f"{number} {severity}{'s' if number != 1 else ''}"
        for severity in ("error", "warning")
        if (number := sum(finding.severity == severity for finding in findings))
    ]
    return f"{len(capture)} views: {' and '.join(counts) or 'no faults found'}."


def _table(findings: Sequence[Finding]) -> str:
    if not findings:
        return '<p class="none">None.</p>'
    rows = "\n".join(
        f'<tr><td class="{finding.severity}">{finding.severity}</td>'
        f"<td>{finding.kind}</td><td>{escape(finding.message)}.</td>"
        f"<td>{escape(finding.remedy)}</td></tr>"
        for finding in sorted(findings, key=lambda finding: RANK[finding.severity])
    )
    head = "<tr><th>Severity</th><th>Kind</th><th>What is wrong</th><th>Remedy</th>"
    return f"<table>\n{head}</tr>\n{rows}\n</table>"


def _figure(capture: Survey, view: int, worst: str, kinds: Sequence[str]) -> str:
    name, image = escape(capture.names[view]), capture.images[view]
    if isinstance(image, NvsError):
        picture, detail = '<div class="missing"></div>', ""
    else:
        source = data_url(image.thumbnail, "jpeg")
        picture = f'<img loading="lazy" alt="{name}" src="{source}">'
        detail = f"{image.width}×{image.height}, sharpness {image.sharpness:.1f}"
    flag = f' class="flagged {worst}"' if kinds else ""
    said = f"<br><b>{', '.join(kinds)}</b>" if kinds else ""
    return (
        f"<figure{flag}>{picture}<figcaption>{view}: {name}<br>{detail}{said}"
        "</figcaption></figure>"
    )


def _plot(capture: Survey, worst: Sequence[str]) -> UInt8[np.ndarray, "height width 3"]:
    poses = capture.world_from_camera.numpy()
    finite = np.isfinite(poses).all(axis=(1, 2))
    figure = Figure(figsize=(8, 6), dpi=110, layout="tight")
    canvas = FigureCanvasAgg(figure)
    axes: Any = figure.add_subplot(projection="3d")
    if finite.any():
        spread = poses[finite, :3, 3].std(axis=0).max()
        length = ARROW * (spread if spread > 0 else 1.0)
        for severity, colour in COLOURS.items():
            chosen = finite & np.array([found == severity for found in worst])
            center, z = poses[chosen, :3, 3].T, poses[chosen, :3, 2].T
            if chosen.any():
                label = "no finding" if severity == "none" else severity
                axes.scatter(*center, color=colour, s=14, label=label)
                axes.quiver(
                    *center, *z, length=length, normalize=True, color=colour, lw=0.8
                )
        axes.legend(loc="upper left")
        axes.set_aspect("equal")
    axes.set(xlabel="x", ylabel="y", zlabel="z")
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]
