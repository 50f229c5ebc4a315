"""Scenes in memory: tiers with a budget each, above the files on disk.

On a CUDA device: the device, in the precision of rendering; below it pinned main
memory, as in the file; below that the file. On the CPU there is one tier in memory, in
the precision of rendering.

The law: a tier never holds more than its budget, save for one scene that alone exceeds
it, and that only while it is in use.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from nvs.api.system import Tier as TierName
from nvs.errors import SceneFileError
from nvs.scene import Renderer, Scene
from nvs_server.compute.models import Models, find_model
from nvs_server.compute.protocol import BackendError, CacheStatus, SceneDamaged
from nvs_server.settings import ComputeSettings
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.errors import BlobDamaged, BlobMissing, StorageError
from nvs_server.storage.records import SceneRef


@dataclass(slots=True, kw_only=True)
class _Entry:
    scene: Scene
    num_bytes: int
    num_pins: int = 0


class Tier:
    """Scenes by digest, least recently used first; not thread-safe.

    Args:
        name: What it is called.
        limit_bytes: Its budget.
    """

    def __init__(self, name: TierName, limit_bytes: int) -> None:
        self.name: TierName = name
        self.limit_bytes = limit_bytes
        self.entries: OrderedDict[str, _Entry] = OrderedDict()
        self.hits = 0
        self.evictions = 0

    @property
    def num_bytes(self) -> int:
        """Size of all its scenes."""
        return sum(entry.num_bytes for entry in self.entries.values())

    def find(self, key: str) -> _Entry | None:
        """The entry of a scene, from now on the most recently used."""
        entry = self.entries.get(key)
        if entry is not None:
            self.entries.move_to_end(key)
            self.hits += 1
        return entry

    def make_room(self, num_bytes: int) -> bool:
        """Whether so much may be added: it fits, or nothing is pinned.

        Evicts for it what is not pinned.
        """
        pinned = sum(e.num_bytes for e in self.entries.values() if e.num_pins)
        if pinned and pinned + num_bytes > self.limit_bytes:
            return False
        for key in [key for key, e in self.entries.items() if not e.num_pins]:
            if self.num_bytes + num_bytes <= self.limit_bytes:
                break
            del self.entries[key]
            self.evictions += 1
        return True

    def status(self) -> CacheStatus:
        """Its numbers."""
        return CacheStatus(
            tier=self.name,
            bytes=self.num_bytes,
            bytes_limit=self.limit_bytes,
            scenes=len(self.entries),
            hits=self.hits,
            evictions=self.evictions,
        )


class SceneCache:
    """Scenes ready to be rendered; one thread loads, others pin and unpin.

    Args:
        top: The tier that is rendered from.
        read: A scene from its file, checked, its tensors still in the file.
        place: Copies a scene to where it is rendered.
        size: Bytes of a scene once placed.
        middle: A tier between the top and the files.
        keep: Copies a scene into the middle tier.
    """

    def __init__(
        self,
        top: Tier,
        *,
        read: Callable[[SceneRef], Scene],
        place: Callable[[SceneRef, Scene], Scene],
        size: Callable[[SceneRef], int],
        middle: Tier | None = None,
        keep: Callable[[Scene], Scene] | None = None,
    ) -> None:
        self._top = top
        self._middle = middle
        self._read = read
        self._place = place
        self._size = size
        self._keep = keep
        self._changed = threading.Condition()
        self._num_read = 0

    def pin(self, ref: SceneRef) -> tuple[Scene, TierName] | None:
        """A scene of the top tier, which keeps it until `unpin`; None if not there."""
        with self._changed:
            entry = self._top.find(ref.sha256)
            if entry is None:
                return None
            entry.num_pins += 1
            return entry.scene, self._top.name

    def load(self, ref: SceneRef) -> tuple[Scene, TierName]:
        """A scene pinned in the top tier, and where it was found.

        Waits for room until enough other scenes are unpinned. Called by one thread.

        Raises:
            SceneDamaged: If its file is missing or altered.
            SceneFileError: If it does not fit its weights.
        """
        pinned = self.pin(ref)
        if pinned is not None:
            return pinned
        num_bytes = self._size(ref)
        with self._changed:
            self._changed.wait_for(lambda: self._top.make_room(num_bytes))
        source, tier = self._from_below(ref)
        scene = self._place(ref, source)
        with self._changed:
            self._top.entries[ref.sha256] = _Entry(
                scene=scene, num_bytes=num_bytes, num_pins=1
            )
        return scene, tier

    def borrow(self, ref: SceneRef) -> Scene:
        """A scene for a job that has it to itself while it runs.

        It is not admitted to the top tier, whose room is for renders.

        Raises:
            SceneDamaged: If its file is missing or altered.
            SceneFileError: If it does not fit its weights.
        """
        with self._changed:
            entry = self._top.find(ref.sha256)
        return entry.scene if entry else self._place(ref, self._from_below(ref)[0])

    def unpin(self, ref: SceneRef) -> None:
        """Let a pinned scene go."""
        with self._changed:
            self._top.entries[ref.sha256].num_pins -= 1
            self._top.make_room(0)
            self._changed.notify_all()

    def status(self) -> list[CacheStatus]:
        """Numbers of the tiers in memory, top first."""
        with self._changed:
            tiers = [self._top] if self._middle is None else [self._top, self._middle]
            return [tier.status() for tier in tiers]

    @property
    def num_read(self) -> int:
        """How many scenes were read from their files."""
        return self._num_read

    def _from_below(self, ref: SceneRef) -> tuple[Scene, TierName]:
        with self._changed:
            found = self._middle.find(ref.sha256) if self._middle else None
        if found is not None:
            return found.scene, "host"
        scene = self._read(ref)
        self._num_read += 1
        if self._middle is not None and self._keep is not None:
            num_bytes = scene.num_bytes
            if num_bytes <= self._middle.limit_bytes:
                with self._changed:
                    self._middle.make_room(num_bytes)
                scene = self._keep(scene)
                with self._changed:
                    self._middle.entries[ref.sha256] = _Entry(
                        scene=scene, num_bytes=num_bytes
                    )
        return scene, "disk"


def scene_cache(models: Models, blobs: Blobs, settings: ComputeSettings) -> SceneCache:
    """An empty cache: device, pinned memory and files, or on the CPU memory and files.

    Args:
        models: The models; all are on one device.
        blobs: Where scene files are.
        settings: The budgets.
    """

    def place(ref: SceneRef, scene: Scene) -> Scene:
        return placed_for(find_model(models, ref.weights).renderer, scene)

    def size(ref: SceneRef) -> int:
        return find_model(models, ref.weights).scene_bytes(ref.num_bytes)

    def read(ref: SceneRef) -> Scene:
        return read_scene(models, blobs, ref)

    host = Tier("host", settings.host_cache_bytes)
    device = next(iter(models.values())).renderer.device
    if device.type == "cpu":
        return SceneCache(host, read=read, place=place, size=size)
    return SceneCache(
        Tier("device", settings.device_cache_bytes),
        read=read,
        place=place,
        size=size,
        middle=host,
        keep=lambda scene: scene.map(Tensor.pin_memory, Tensor.pin_memory),
    )


def placed_for(renderer: Renderer, scene: Scene) -> Scene:
    """A copy to render from, which shares nothing with its file, which may go away."""
    return scene.to(renderer.device, renderer.precision.compute, copy=True)


def read_scene(models: Models, blobs: Blobs, ref: SceneRef) -> Scene:
    """A scene from its file, its digest verified.

    Raises:
        SceneDamaged: If the file is missing or altered.
        SceneFileError: If it does not fit its weights.
        BackendError: If the store does not answer.
    """
    try:
        scene = Scene.load(blobs.local_path(ref.sha256))
    except (SceneFileError, BlobMissing, BlobDamaged) as error:
        raise SceneDamaged(
            f"the file of scene {ref.scene_id} is missing or damaged",
            remedy="Build the scene again.",
        ) from error
    except StorageError as error:
        raise BackendError(error.problem, remedy=error.remedy) from error
    return find_model(models, ref.weights).check(scene)
