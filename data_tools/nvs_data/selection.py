"""Choosing input views of a capture: four ways, each indices in increasing order.

A new way is a function here, named in `METHODS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from nvs.cameras.camera import Camera
from nvs.errors import ConfigError, MissingExtraError
from nvs.scene.frames import Frame


def choose(
    frames: Sequence[Frame], *, method: str, count: int, seed: int = 0
) -> list[int]:
    """Indices of the frames that one of `METHODS` chooses.

    Args:
        frames: A capture.
        method: Its name.
        count: How many views.
        seed: Of the methods that have one.

    Raises:
        ConfigError: If there are fewer views, or the count is not positive.
        CameraError: If a camera is unusable.
    """
    seeded = {"seed": seed} if method in SEEDED else {}
    return METHODS[method](cameras_of(frames), count, **seeded)


def cameras_of(frames: Sequence[Frame]) -> Camera:
    """The cameras of frames, for images of the first one's size.

    Raises:
        CameraError: If one is unusable.
    """
    for frame in frames:
        frame.camera.check([frame.name])
    first = frames[0].camera
    return Camera.cat([f.camera.resized(first.height, first.width) for f in frames])


def k_means(camera: Camera, count: int, *, seed: int = 0) -> list[int]:
    """The view nearest to each k-means centre of (centre, forward axis).

    The DL3DV evaluation protocol: six numbers a view, centres in the world's own units
    (so that the choice depends on its scale), scikit-learn's KMeans with seed 0. Two
    clusters may share their nearest view, so that fewer than `count` can come back.

    Raises:
        ConfigError: If there are fewer than `count` views, or it is not positive.
        MissingExtraError: If scikit-learn is not installed.
    """
    _check(camera, count)
    try:
        from sklearn.cluster import KMeans
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "data") from error
    features = torch.cat([camera.center, camera.forward], dim=-1)
    features = features.detach().double().cpu().numpy()
    clusters = KMeans(n_clusters=count, random_state=seed, n_init="auto").fit(features)
    distance = np.linalg.norm(
        features[:, None] - clusters.cluster_centers_[None], axis=-1
    )
    return sorted({int(view) for view in distance.argmin(axis=0)})


def farthest_point(camera: Camera, count: int) -> list[int]:
    """Views spread in space: each next one farthest from all before it.

    Starts with the view nearest to the mean centre. Gives a covering radius of at most
    twice the best there is (Gonzalez, Clustering to minimize the maximum intercluster
    distance, 1985, Theorem 2.2).

    Raises:
        ConfigError: If there are fewer than `count` views, or it is not positive.
    """
    _check(camera, count)
    center = camera.center.double()
    chosen = [int((center - center.mean(dim=0)).norm(dim=-1).argmin())]
    nearest = (center - center[chosen[0]]).norm(dim=-1)
    nearest[chosen[0]] = -1
    while len(chosen) < count:
        chosen.append(int(nearest.argmax()))
        nearest = nearest.minimum((center - center[chosen[-1]]).norm(dim=-1))
        nearest[chosen[-1]] = -1
    return sorted(chosen)


def uniform(camera: Camera, count: int) -> list[int]:
    """Views evenly spaced in capture order, the first and the last among them.

    Raises:
        ConfigError: If there are fewer than `count` views, or it is not positive.
    """
    _check(camera, count)
    steps = max(count - 1, 1)
    return [(index * (len(camera) - 1) + steps // 2) // steps for index in range(count)]


def random(camera: Camera, count: int, *, seed: int = 0) -> list[int]:
    """Views drawn without replacement; the same seed draws the same views.

    Raises:
        ConfigError: If there are fewer than `count` views, or it is not positive.
    """
    _check(camera, count)
    generator = torch.Generator().manual_seed(seed)
    return sorted(torch.randperm(len(camera), generator=generator)[:count].tolist())


def _check(camera: Camera, count: int) -> None:
    if not 1 <= count <= len(camera):
        raise ConfigError(
            f"cannot choose {count} of {len(camera)} views",
            remedy=f"Choose from 1 to {len(camera)}.",
        )


METHODS: dict[str, Callable[..., list[int]]] = {
    "kmeans": k_means,
    "farthest": farthest_point,
    "uniform": uniform,
    "random": random,
}
SEEDED = ("kmeans", "random")
