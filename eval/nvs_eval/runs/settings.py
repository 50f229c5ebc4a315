"""What a run evaluates: from flags, or from one YAML file that flags override."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nvs.errors import ConfigError, MissingExtraError
from nvs.fields import require, typed
from nvs_eval.protocols import dl3dv, gso
from nvs_eval.protocols.base import Protocol

PROTOCOLS = {"gso": gso, "dl3dv": dl3dv}
DEFAULT_METHODS = ("lact", "nearest", "mean")
LISTS = ("data", "weights", "methods", "views", "sizes")


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSettings:
    """Settings of a run; each field is a key of the YAML file.

    Raises:
        ConfigError: If a value cannot work.
    """

    protocol: str
    """`gso` or `dl3dv`."""
    data: tuple[str, ...]
    """Scene folders, or folders of them."""
    out: str
    """Folder of the results."""
    weights: tuple[str, ...] = ()
    """Weights that `lact` runs with; the default ones if empty."""
    methods: tuple[str, ...] = DEFAULT_METHODS
    """What is evaluated; see `nvs_eval.methods.registry`."""
    views: tuple[int, ...] = ()
    """Numbers of input views; those of the protocol if empty."""
    sizes: tuple[tuple[int, int], ...] = ()
    """(height, width) in pixels; those of the protocol if empty."""
    scenes: str | None = None
    """Text file with the names of the scenes to evaluate; all if absent."""
    normalise: str = "inputs"
    """DL3DV: cameras that define the framing, `inputs` or `inputs+targets`."""
    indices: str | None = None
    """DL3DV: folder of the index files; the user's data folder if absent."""
    seed: int = 0
    """Of random weights."""
    device: str | None = None
    """`cpu`, `cuda`, …; CUDA where there is some."""
    precision: str | None = None
    """`float32` or `bfloat16`; what suits the device."""
    compile: bool = False
    """Whether LaCT runs compiled; the first time waits for it."""
    pictures: int = 1
    """How many targets of a scene are kept as pictures; -1 for all."""
    lpips_vgg: str | None = None
    """File with the VGG backbone of LPIPS."""
    lpips_alex: str | None = None
    """File with the AlexNet backbone of LPIPS."""
    require_lpips: bool = False
    """Whether to stop where LPIPS cannot be had."""

    def __post_init__(self) -> None:
        require(
            self.protocol in PROTOCOLS,
            "protocol",
            self.protocol,
            f"Use {' or '.join(PROTOCOLS)}.",
        )
        if not self.data or not self.methods:
            empty = "data" if not self.data else "methods"
            raise ConfigError(f"{empty} is empty", remedy="Name at least one.")
        positive = all(count > 0 for count in self.views)
        require(positive, "views", list(self.views), "They must be positive.")
        all_or_some = "Give a count, or -1 for all."
        require(self.pictures >= -1, "pictures", self.pictures, all_or_some)

    @property
    def view_counts(self) -> tuple[int, ...]:
        """Numbers of input views, in increasing order."""
        return tuple(sorted(set(self.views or PROTOCOLS[self.protocol].VIEW_COUNTS)))

    @property
    def image_sizes(self) -> tuple[tuple[int, int], ...]:
        """Sizes in pixels (height, width), in increasing order."""
        return tuple(sorted(set(self.sizes or PROTOCOLS[self.protocol].SIZES)))

    def make_protocol(self) -> Protocol:
        """The protocol that the settings name.

        Raises:
            ConfigError: If it does not allow them.
        """
        if self.protocol == "gso":
            return gso.GsoProtocol(self.view_counts)
        return dl3dv.Dl3dvProtocol(
            indices=None if self.indices is None else Path(self.indices),
            normalise=self.normalise,
        )

    @staticmethod
    def from_values(values: Mapping[str, Any]) -> RunSettings:
        """Settings of plain values, as YAML and flags give them.

        A size is one number, or a list of height and width; a list of one may be
        written as its item.

        Raises:
            ConfigError: If a key is unknown or missing, or a value cannot work.
        """
        listed = {key: _listed(key, value) for key, value in values.items()}
        return RunSettings(**typed(RunSettings, listed, what="run setting"))


def read_settings(file: Path) -> dict[str, Any]:
    """Values of a YAML file.

    Raises:
        ConfigError: If it cannot be read or is no mapping.
        MissingExtraError: If PyYAML is not installed.
    """
    try:
        import yaml
    except ImportError as error:
        raise MissingExtraError("pyyaml", "eval") from error
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(
            f"{file} is not readable YAML ({' '.join(str(error).split())})",
            remedy="Give a file of `key: value` lines; see docs/evaluation.md.",
        ) from error
    if not isinstance(values, dict):
        raise ConfigError(f"{file} is no mapping", remedy="Write `key: value` lines.")
    return values


def _listed(key: str, value: Any) -> Any:
    """Lists where lists belong: a list of one may be its item, a size one number."""
    if key not in LISTS:
        return value
    items = list(value) if isinstance(value, list | tuple) else [value]
    if key == "sizes":
        return [[item, item] if type(item) is int else item for item in items]
    return items
