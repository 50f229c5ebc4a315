"""`nvs eval gso`, `dl3dv` and `folder`: evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nvs.terminal import options, output
from nvs_eval.commands.shared import (
    PICTURES_HELP,
    LpipsFile,
    RequireLpips,
    parse_sizes,
    show,
)

Data = Annotated[
    list[Path] | None,
    typer.Argument(help="Scenes, or folders of scenes."),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", "--out", help="Folder of the results; resumed if there."
    ),
]
Config = Annotated[
    Path | None, typer.Option(help="YAML file of settings; options override it.")
]
Weights = Annotated[
    list[str] | None,
    typer.Option(help="Named weights or a file. Repeatable. Default: lact_small."),
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
Pictures = Annotated[int | None, typer.Option(help=f"{PICTURES_HELP} Default: 1.")]


def gso(
    context: typer.Context,
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
    devices: options.Devices = None,
    precision: options.PrecisionName = None,
    compile: options.Compile = False,
    json: options.Json = False,
) -> None:
    """Objects on the 64-camera rig: fixed inputs, 8 fixed targets."""
    _run("gso", context.params)


def dl3dv(
    context: typer.Context,
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
    devices: options.Devices = None,
    precision: options.PrecisionName = None,
    compile: options.Compile = False,
    json: options.Json = False,
) -> None:
    """Real captures: every 8th frame a target, inputs by k-means over the others."""
    _run("dl3dv", context.params)


def _run(protocol: str, given: dict[str, Any]) -> None:
    """Run a protocol with the settings of a file and of options, which come first."""
    from nvs.errors import ConfigError
    from nvs.parallel import launch
    from nvs.parallel.devices import own_device
    from nvs_eval.runs import RunSettings, run
    from nvs_eval.runs.settings import read_settings

    if launch.started(given["devices"]):
        return
    values = {key: _plain(value) for key, value in given.items()}
    values["device"] = own_device(values["device"], values.pop("devices"))
    config, as_json = values.pop("config"), values.pop("json")
    methods: str | None = values["methods"]
    values["methods"] = None if methods is None else methods.split(",")
    values["views"] = options.parse_indices(values["views"], "--views")
    values["sizes"] = parse_sizes(values.pop("size"))
    for flag in ("require_lpips", "compile"):
        values[flag] = values[flag] or None
    settings = {} if config is None else read_settings(Path(config))
    settings |= {key: value for key, value in values.items() if value is not None}
    if settings.setdefault("protocol", protocol) != protocol:
        raise ConfigError(
            f"{config} is for the protocol {settings['protocol']}",
            remedy=f"Run it with: nvs eval {settings['protocol']} --config {config}",
        )
    checked = RunSettings.from_values(settings)
    record = run(checked, report=lambda line: output.say(f"nvs: {line}"))
    if record.rows or record.failures:  # only the first rank has them
        show(record, Path(checked.out), as_json=as_json)


def _plain(value: Any) -> Any:
    """Paths as text, and an option that was not repeated as not given."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value] or None
    return str(value) if isinstance(value, Path) else value


def folder(
    renders: Annotated[
        Path, typer.Argument(help="Rendered pictures: SCENE/FRAME.png, or FRAME.png.")
    ],
    truth: Annotated[
        Path, typer.Argument(help="Photographs of the same names and sizes.")
    ],
    out: Annotated[
        Path, typer.Option("-o", "--output", "--out", help="Folder of the results.")
    ],
    name: Annotated[str, typer.Option(help="What to call the method.")],
    protocol: Annotated[
        str, typer.Option(help="Protocol the views were chosen by, for tables.")
    ] = "folder",
    views: Annotated[
        int, typer.Option(min=0, help="Number of input views, for tables.")
    ] = 0,
    normalised_by: Annotated[
        str, typer.Option(help="What poses were normalised by, for tables.")
    ] = "not known",
    pictures: Annotated[int, typer.Option(min=-1, help=PICTURES_HELP)] = 1,
    lpips_vgg: LpipsFile = None,
    lpips_alex: LpipsFile = None,
    require_lpips: RequireLpips = False,
    device: options.Device = None,
    json: options.Json = False,
) -> None:
    """Evaluate a folder of renders, so that it can be compared with runs."""
    from nvs.scene.precision import pick_device
    from nvs_eval.metrics import Metrics
    from nvs_eval.runs.folder import FolderSettings, evaluate_folder

    settings = FolderSettings(
        renders=renders,
        truth=truth,
        name=name,
        protocol=protocol,
        num_views=views,
        normalised_by=normalised_by,
        pictures=pictures,
    )
    metrics = Metrics(
        pick_device(device),
        lpips_files={"vgg": lpips_vgg, "alex": lpips_alex},
        require_lpips=require_lpips,
    )
    show(evaluate_folder(settings, out, metrics), out, as_json=json)
