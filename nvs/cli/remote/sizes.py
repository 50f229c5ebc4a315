"""The size of a picture that `--size` and a scene of the server mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nvs.terminal import options as common

if TYPE_CHECKING:
    from nvs.client import Client, Scene


def picture_size(client: Client, scene: Scene, text: str | None) -> tuple[int, int]:
    """(height, width) in pixels, rounded down to multiples of the model's patch.

    Args:
        client: Connection to the server.
        scene: Gives the aspect ratio where one number is given, or the size itself.
        text: The option.

    Raises:
        ConfigError: If the scene is not built or the size is below one patch.
    """
    from nvs.errors import ConfigError

    wanted = common.parse_size(text)
    if scene.height is None or scene.width is None:
        raise ConfigError(
            f"the scene {scene.name} ({scene.id}) is not built, it is {scene.state}",
            remedy=f"Build it with: nvs remote build {scene.id}",
        )
    patches = [m.patch_size for m in client.models() if m.id == scene.weights]
    patch_size = patches[0] if patches else 1
    sides = (scene.height, scene.width)
    scale = 1.0
    if isinstance(wanted, tuple):
        sides = wanted
    elif wanted is not None:
        scale = wanted / max(sides)
    height, width = (
        int(side * scale + 1e-6) // patch_size * patch_size for side in sides
    )
    if not height or not width:
        raise ConfigError(
            f"--size {text} is smaller than one patch of {patch_size} pixels",
            remedy="Ask for a larger size.",
        )
    return height, width
