"""The stages of structure from motion, as calls to pycolmap on one database.

Each stage picks up what the database already holds, reports progress between small
pieces of work, and is cancelled by an exception from the report.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from nvs.errors import MissingExtraError

Stage = Literal["decode", "features", "matching", "mapping"]

MIN_MODEL_SIZE = 3
"""Photographs in the smallest model worth keeping: fewer fix no path at all."""
PAIRS_A_CALL = 100
"""Pairs matched between two reports of progress: some ten seconds on one core."""
SEED = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class PlacedPhoto:
    """A photograph and the camera that it has so far."""

    name: str
    """Its file in `images`."""
    world_from_camera: tuple[tuple[float, ...], ...]
    """The 4×4 pose in the world as it is so far, by rows; that of the result may be
    turned, shifted and scaled."""
    fx: float
    fy: float
    cx: float
    cy: float
    """In pixels of the photograph."""
    height: int
    width: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far posing is."""

    stage: Stage
    """Reading photographs, finding features, matching pairs or placing photographs."""
    done: int
    """Photographs or pairs done."""
    total: int
    """Photographs or pairs there are."""
    placed: tuple[PlacedPhoto, ...] = ()
    """While photographs are placed: those of the largest model so far."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ColmapRun:
    """Photographs in `folder/images`, and `folder/database.db` for what is found."""

    colmap: Any
    """The module pycolmap."""
    folder: Path
    """Where photographs and database are."""
    names: tuple[str, ...]
    """The photographs to use, in order."""
    num_threads: int
    """Threads for every stage."""
    progress: Callable[[Progress], None]
    """Called between pieces of work; raises to cancel."""

    @property
    def images(self) -> Path:
        """The folder of the photographs."""
        return self.folder / "images"

    @property
    def database_path(self) -> Path:
        """The file with features and matches."""
        return self.folder / "database.db"

    def find_features(
        self, *, camera_model: str, max_image_px: int, masks: Path | None = None
    ) -> None:
        """Find SIFT features; photographs of one size share one camera.

        Args:
            camera_model: COLMAP's name of the lens model.
            max_image_px: Photographs are shrunk to this longer side.
            masks: Folder of masks, called as the photographs with `.png` after it;
                those that have none are taken whole.
        """
        colmap = self.colmap
        options = colmap.FeatureExtractionOptions()
        options.num_threads, options.max_image_size = self.num_threads, max_image_px
        alike: dict[tuple[int, int, bool], list[str]] = {}
        first: dict[tuple[int, int], str] = {}
        for name in self.names:
            is_masked = masks is not None and (masks / f"{name}.png").exists()
            with Image.open(self.images / name) as image:
                alike.setdefault((*image.size, is_masked), []).append(name)
                first.setdefault(image.size, name)
        done = 0
        for (width, height, is_masked), group in alike.items():
            for start in range(0, len(group), self.num_threads):
                self._report("features", done, len(self.names))
                chunk = group[start : start + self.num_threads]
                with self.database() as database:
                    found = {image.name: image for image in database.read_all_images()}
                reader = colmap.ImageReaderOptions()
                reader.camera_model = camera_model
                reader.mask_path = str(masks) if is_masked else ""
                if first[width, height] in found:
                    camera_id = found[first[width, height]].camera_id
                    reader.existing_camera_id = camera_id
                missing = [name for name in chunk if name not in found]
                if missing:
                    colmap.extract_features(
                        self.database_path,
                        self.images,
                        image_names=missing,
                        camera_mode=colmap.CameraMode.SINGLE,
                        reader_options=reader,
                        extraction_options=options,
                        device=colmap.Device.cpu,
                    )
                done += len(chunk)
        self._report("features", done, len(self.names))

    def match(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Match pairs and verify each with a two-view geometry."""
        colmap = self.colmap
        matching = colmap.FeatureMatchingOptions()
        matching.num_threads = self.num_threads
        verification = colmap.TwoViewGeometryOptions()
        verification.ransac.random_seed = SEED
        pairing = colmap.ImportedPairingOptions()
        listing = self.folder / "pairs.txt"
        pairing.match_list_path = str(listing)
        for start in range(0, len(pairs), PAIRS_A_CALL):
            self._report("matching", start, len(pairs))
            chunk = pairs[start : start + PAIRS_A_CALL]
            lines = [f"{first} {second}\n" for first, second in chunk]
            listing.write_text("".join(lines), encoding="utf-8")
            colmap.match_image_pairs(
                self.database_path,
                matching,
                pairing,
                verification,
                device=colmap.Device.cpu,
            )
        listing.unlink(missing_ok=True)
        self._report("matching", len(pairs), len(pairs))

    def map(self) -> list[Any]:
        """Place photographs and points; the models that do not overlap, largest first.

        The largest is written to `sparse/0` of the folder when it is complete.
        """
        colmap = self.colmap
        options = colmap.IncrementalPipelineOptions()
        options.num_threads, options.random_seed = self.num_threads, SEED
        options.min_model_size = MIN_MODEL_SIZE
        attempts, snapshots = self.folder / "mapping", self.folder / "snapshots"
        for scratch in (attempts, snapshots):
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir()
        options.snapshot_path, options.snapshot_frames_freq = snapshots, 1
        placed: tuple[PlacedPhoto, ...] = ()

        def advance() -> None:
            nonlocal placed
            for snapshot in sorted(snapshots.iterdir())[-1:]:
                now = _placed_photos(colmap.Reconstruction(snapshot))
                placed = max(placed, now, key=len)
            for snapshot in snapshots.iterdir():
                shutil.rmtree(snapshot, ignore_errors=True)
            self._report("mapping", len(placed), len(self.names), placed)

        self._report("mapping", 0, len(self.names))
        models = colmap.incremental_mapping(  # unlike a pipeline, lets threads run
            self.database_path,
            self.images,
            attempts,
            options=options,
            initial_image_pair_callback=advance,
            next_image_callback=advance,
        )
        for scratch in (attempts, snapshots):
            shutil.rmtree(scratch)
        found = [m for m in models.values() if m.num_reg_images() >= MIN_MODEL_SIZE]
        found.sort(key=lambda model: model.num_reg_images(), reverse=True)
        if not found:
            return found
        whole = _placed_photos(found[0])
        self._report("mapping", len(whole), len(self.names), whole)
        sparse = self.folder / "sparse"
        shutil.rmtree(sparse, ignore_errors=True)
        (self.folder / "sparse.part" / "0").mkdir(parents=True, exist_ok=True)
        found[0].write_binary(str(self.folder / "sparse.part" / "0"))
        (self.folder / "sparse.part").rename(sparse)
        return found

    @contextmanager
    def database(self) -> Generator[Any, None, None]:
        """The open database."""
        database = self.colmap.Database.open(self.database_path)
        try:
            yield database
        finally:
            database.close()

    def _report(
        self,
        stage: Stage,
        done: int,
        total: int,
        placed: tuple[PlacedPhoto, ...] = (),
    ) -> None:
        self.progress(Progress(stage=stage, done=done, total=total, placed=placed))


def _placed_photos(model: Any) -> tuple[PlacedPhoto, ...]:
    """Photographs of a model that is being made."""
    placed: list[PlacedPhoto] = []
    for image in model.images.values():
        if not image.has_pose:
            continue
        camera = model.cameras[image.camera_id]
        lens = camera.calibration_matrix()
        pose = image.cam_from_world().inverse().matrix().tolist()
        placed.append(
            PlacedPhoto(
                name=image.name,
                world_from_camera=(*map(tuple, pose), (0.0, 0.0, 0.0, 1.0)),
                fx=float(lens[0, 0]),
                fy=float(lens[1, 1]),
                cx=float(lens[0, 2]),
                cy=float(lens[1, 2]),
                height=camera.height,
                width=camera.width,
            )
        )
    return tuple(placed)


def image_errors_px(model: Any, image: Any) -> np.ndarray:
    """Reprojection error in pixels of every point that a placed image observes."""
    observed = image.get_observation_points2D()
    points = np.array([model.points3D[p.point3D_id].xyz for p in observed])
    measured = np.array([point.xy for point in observed])
    local = image.cam_from_world() * points
    return np.linalg.norm(image.camera.img_from_cam(local) - measured, axis=-1)


def import_pycolmap() -> Any:
    """The module pycolmap.

    Raises:
        MissingExtraError: If it is not installed.
    """
    try:
        import pycolmap
    except ImportError as error:
        raise MissingExtraError("pycolmap", "data") from error
    return pycolmap


@contextmanager
def quiet(colmap: Any) -> Generator[None, None, None]:
    """Keep COLMAP's log off the terminal: what failed is in the report or an error."""
    before = colmap.logging.minloglevel
    colmap.logging.minloglevel = colmap.logging.FATAL.value
    try:
        yield
    finally:
        colmap.logging.minloglevel = before
