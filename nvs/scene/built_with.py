"""The weights that built a scene, found again."""

from __future__ import annotations

import os.path

from nvs.errors import SceneFileError
from nvs.model.weights import REGISTRY, Weights, load_weights, local_path
from nvs.scene.scene import Scene


def built_with(scene: Scene) -> Weights:
    """The weights that built a scene: where it remembers them, or by their name.

    Raises:
        SceneFileError: If they are not there any more, or others are in their place.
        WeightsUnavailableError: If they have a registered name and cannot be fetched.
        CheckpointError: If they are damaged.
    """
    hint = scene.weights_hint
    candidates: list[str] = []
    seen: list[str] = []
    if hint is not None and os.path.exists(hint) and local_path(hint) is not None:
        candidates.append(hint)
    elif hint is not None:
        seen.append(f"there are no weights at {hint} any more")
    if scene.model_id in REGISTRY:
        candidates.append(scene.model_id)
    for candidate in candidates:
        weights = load_weights(candidate)
        digest = weights.checkpoint.digest
        if digest == scene.model_digest:
            return weights
        seen.append(f"{candidate} has another digest ({digest[:12]}…)")
    raise SceneFileError(
        f"the scene was built with {scene.model_id} ({scene.model_digest[:12]}…), but "
        f"{' and '.join(seen) or 'its file does not say where they are'}",
        remedy="Say with --weights where those weights are now, or build it again.",
    )
