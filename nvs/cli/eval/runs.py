"""`nvs eval gso` and `nvs eval dl3dv`: run a protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nvs.cli import options, output
from nvs.cli.eval.inputs import parse_numbers, parse_sizes

Data = Annotated[
    list[Path] | None,
    typer.Argument(help="Scenes, or folders of scenes."),
]
Out = Annotated[
    Path | None,
    typer.Option("-o", "--out", help="Folder of the results; resumed if there."),
]
Config = Annotated[
    Path | None, typer.Option(help="YAML file of settings; options override it.")
]
Weights = Annotated[
    list[str] | None,
    typer.Option(help="Named weights or a file. Repeatable. Default: lact_tiny."),
]
MethodNames = Annotated[
    str | None,
    typer.Option(
        help="What to evaluate, of lact, lact:RULE, nearest, mean, full_attention, "
        "register. Default: lact,nearest,mean."
    ),
]
Views = Annotated[
    str | None, typer.Option(help="Numbers of input views; all of the protocol.")
]
Sizes = Annotated[
    str | None,
    typer.Option("--size", help="Sizes, such as 256,512 or 536x960."),
]
Scenes = Annotated[
    Path | None, typer.Option(help="Text file with the names of scenes to evaluate.")
]
Seed = Annotated[int | None, typer.Option(help="Seed of random weights. Default: 0.")]
Pictures = Annotated[
    int | None,
    typer.Option(help="Targets a scene to keep as pictures; -1 for all. Default: 1."),
]
LpipsFile = Annotated[
    Path | None, typer.Option(help="File of this LPIPS backbone, as torchvision's.")
]
RequireLpips = Annotated[
    bool, typer.Option("--require-lpips", help="Stop if LPIPS cannot be had.")
]


def gso(
    data: Data = None,
    out: Out = None,
    config: Config = None,
    weights: Weights = None,
    methods: MethodNames = None,
    views: Views = None,
    size: Sizes = None,
    scenes: Scenes = None,
    seed: Seed = None,
    pictures: Pictures = None,
    lpips_vgg: LpipsFile = None,
    lpips_alex: LpipsFile = None,
    require_lpips: RequireLpips = False,
    device: options.Device = None,
    precision: options.PrecisionName = None,
    json: options.Json = False,
) -> None:
    """Objects on the 64-camera rig: fixed inputs, 8 fixed targets."""
    _run(
        "gso",
        config,
        as_json=json,
        methods=methods,
        views=views,
        size=size,
        require_lpips=require_lpips,
        data=data,
        out=out,
        weights=weights,
        scenes=scenes,
        seed=seed,
        pictures=pictures,
        lpips_vgg=lpips_vgg,
        lpips_alex=lpips_alex,
        device=device,
        precision=precision,
    )


def dl3dv(
    data: Data = None,
    out: Out = None,
    config: Config = None,
    weights: Weights = None,
    methods: MethodNames = None,
    views: Views = None,
    size: Sizes = None,
    scenes: Scenes = None,
    normalise: Annotated[
        str | None,
        typer.Option(
            help="Cameras that define the framing: inputs, or inputs+targets as "
            "published. Default: inputs."
        ),
    ] = None,
    indices: Annotated[
        Path | None,
        typer.Option(help="Folder of index files. Default: the user's data folder."),
    ] = None,
    seed: Seed = None,
    pictures: Pictures = None,
    lpips_vgg: LpipsFile = None,
    lpips_alex: LpipsFile = None,
    require_lpips: RequireLpips = False,
    device: options.Device = None,
    precision: options.PrecisionName = None,
    json: options.Json = False,
) -> None:
    """Real captures: every 8th frame a target, inputs by k-means over the others."""
    _run(
        "dl3dv",
        config,
        as_json=json,
        methods=methods,
        views=views,
        size=size,
        require_lpips=require_lpips,
        data=data,
        out=out,
        weights=weights,
        scenes=scenes,
        normalise=normalise,
        indices=indices,
        seed=seed,
        pictures=pictures,
        lpips_vgg=lpips_vgg,
        lpips_alex=lpips_alex,
        device=device,
        precision=precision,
    )


def _run(
    protocol: str,
    config: Path | None,
    *,
    as_json: bool,
    methods: str | None,
    views: str | None,
    size: str | None,
    require_lpips: bool,
    **others: Any,
) -> None:
    """Run a protocol with the settings of a file and of options, which come first."""
    from eval.report.table import markdown_table
    from eval.runs import RunSettings, run
    from eval.runs.settings import read_settings
    from eval.summary import summarise_rows
    from nvs.errors import ConfigError

    options_given = {
        **{key: _plain(value) for key, value in others.items()},
        "methods": None if methods is None else methods.split(","),
        "views": parse_numbers(views, "--views"),
        "sizes": parse_sizes(size, "--size"),
        "require_lpips": require_lpips or None,
    }
    given = {key: value for key, value in options_given.items() if value is not None}
    merged = (read_settings(config) if config is not None else {}) | given
    if merged.setdefault("protocol", protocol) != protocol:
        raise ConfigError(
            f"{config} is for the protocol {merged['protocol']}",
            remedy=f"Run it with: nvs eval {merged['protocol']} --config {config}",
        )
    settings = RunSettings.from_values(merged)
    record = run(settings, report=lambda line: output.say(f"nvs: {line}"))
    if not record.rows and not record.failures:
        return  # a process of torchrun that is not the first
    out = Path(settings.out)
    if as_json:
        summary = {
            "out": str(out),
            "results": len(record.rows),
            "failures": len(record.failures),
        }
        output.print_result(summary, as_json=True, title="nvs eval")
        return
    typer.echo(markdown_table(summarise_rows({"": record.rows})))
    for failure in record.failures:
        output.say(f"nvs: {failure['scene']} failed: {failure['error']}")
    output.say(f"nvs: results in {out}; a page of them: nvs eval report {out}")


def _plain(value: Any) -> Any:
    """Paths as text, and an option that was not repeated as not given."""
    if isinstance(value, list):
        return [_plain(item) for item in value] or None
    return str(value) if isinstance(value, Path) else value
