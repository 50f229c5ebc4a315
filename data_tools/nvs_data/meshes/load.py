"""Textured triangles of OBJ and GLB models, centred and scaled to [−1, 1]³, z up."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32, UInt8, UInt32

from nvs.errors import DatasetError, MissingExtraError, NvsError
from nvs_data.meshes.checks import check_glb, check_texture, texture_pixels
from nvs_data.meshes.sources import MAX_MODEL_BYTES, MeshSource

GAMMA = 2.2


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MeshPart:
    """Triangles of one material."""

    vertices: Float32[np.ndarray, "vertex 3"]
    """Positions in the world."""
    normals: Float32[np.ndarray, "vertex 3"]
    """Unit normals; zero where there is none."""
    uv: Float32[np.ndarray, "vertex 2"]
    """Texture coordinates, v upwards from the bottom of the texture."""
    faces: UInt32[np.ndarray, "face 3"]
    """Indices of vertices."""
    base_color: Float32[np.ndarray, "vertex 3"]
    """RGB in [0, 1] that multiplies the texture, or is the colour without one."""
    texture: UInt8[np.ndarray, "height width 4"] | None
    """RGBA, top row first; alpha below one half is a hole."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mesh:
    """A model that fills the cube [−1, 1]³ along its longest axis, z up."""

    name: str
    """Name of the source."""
    parts: tuple[MeshPart, ...]
    """One a material; at least one."""


def load_mesh(source: MeshSource, *, up: Literal["y", "z"] = "y") -> Mesh:
    """Read a model and bring it to the frame of the camera rigs.

    Materials count as opaque and matt. As in most viewers, the diffuse colour of an OBJ
    material is used only where it has no texture.

    Args:
        source: From `find_meshes`.
        up: The model's vertical axis: y for GLB and most OBJ files (it then becomes z,
            with the front facing −y), z for Google Scanned Objects.

    Raises:
        DatasetError: If the model, its materials or a texture is missing, damaged, too
            large, or holds no triangles.
        MissingExtraError: Without trimesh.
    """
    parts = _read_parts(source)
    if not parts:
        raise DatasetError(
            f"{source} holds no triangles",
            remedy="Export the model as a mesh with faces, or leave it out.",
        )
    used = np.concatenate([part.vertices[part.faces.ravel()] for part in parts])
    if not np.isfinite(used).all():
        raise DatasetError(
            f"{source} has vertices that are NaN or infinite",
            remedy="Repair the model, or leave it out.",
        )
    lowest, highest = used.min(axis=0), used.max(axis=0)
    extent = float((highest - lowest).max())
    if extent == 0:
        raise DatasetError(
            f"{source} is a single point", remedy="Repair the model, or leave it out."
        )
    center = (lowest + highest) / 2
    to_world = np.eye(3, dtype=np.float32)
    if up == "y":
        to_world = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], dtype=np.float32)
    return Mesh(
        name=source.name,
        parts=tuple(
            replace(
                part,
                vertices=(part.vertices - center) * (2 / extent) @ to_world.T,
                normals=part.normals @ to_world.T,
            )
            for part in parts
        ),
    )


class _References:
    """Reads what a model refers to for trimesh, and keeps what trimesh would hide.

    trimesh renders a model without its material when a reference cannot be read; the
    first problem is kept here so that it can be raised instead.
    """

    def __init__(self, source: MeshSource, budget_bytes: int) -> None:
        self._source = source
        self._budget_bytes = budget_bytes
        self.problem: NvsError | None = None

    def get(self, name: str) -> bytes:
        try:
            data = self._source.read(name)
            self._budget_bytes -= len(data)
            if self._budget_bytes < 0:
                raise DatasetError(
                    f"{self._source} and its files exceed "
                    f"{MAX_MODEL_BYTES / 2**20:.0f} MiB",
                    remedy="Use smaller textures, or leave the model out.",
                )
            if not name.lower().endswith((".mtl", ".bin")):
                check_texture(data, f"{self._source}: texture {name!r}")
        except NvsError as error:
            self.problem = self.problem or error
            raise OSError(error.problem) from error
        return data

    __getitem__ = get


def _read_parts(source: MeshSource) -> list[MeshPart]:
    try:
        import trimesh
    except ImportError as error:
        raise MissingExtraError("trimesh", "data") from error
    data = source.read()
    file_type = source.member.rpartition(".")[2].lower()
    if file_type == "glb":
        check_glb(data, str(source))
    references = _References(source, MAX_MODEL_BYTES - len(data))
    resolver: Any = references
    try:
        scene = trimesh.load_scene(
            io.BytesIO(data),
            file_type=file_type,
            resolver=resolver,
            process=False,
        )
        if references.problem is not None:
            raise references.problem
        geometries: list[Any] = scene.dump()
        return [
            _part(source, geometry)
            for geometry in geometries
            if hasattr(geometry, "faces") and len(geometry.faces) > 0
        ]
    except NvsError:
        raise
    except Exception as error:
        raise references.problem or DatasetError(
            f"{source} cannot be read as {file_type.upper()} "
            f"({type(error).__name__}: {error})",
            remedy="Export the model again, or leave it out.",
        ) from error


def _part(source: MeshSource, geometry: Any) -> MeshPart:
    count = len(geometry.vertices)
    if geometry.faces.min() < 0 or geometry.faces.max() >= count:
        raise DatasetError(
            f"{source} has faces that use vertices it does not have",
            remedy="Repair the model, or leave it out.",
        )
    visual = geometry.visual
    material = getattr(visual, "material", None)
    uv = getattr(visual, "uv", None)
    color, image, opaque = np.ones(3, dtype=np.float32), None, False
    if material is None:
        color = visual.vertex_colors[:, :3].astype(np.float32) / 255
    elif hasattr(material, "baseColorTexture"):
        image = material.baseColorTexture
        opaque = material.alphaMode in (None, "OPAQUE")
        if material.baseColorFactor is not None:
            linear = material.baseColorFactor[:3].astype(np.float32) / 255
            color = linear ** (1 / GAMMA)
    else:
        image = material.image
        if image is None:
            color = np.asarray(material.diffuse[:3], dtype=np.float32) / 255
    texture = None
    if uv is not None and image is not None:
        texture = texture_pixels(image, opaque=opaque)
    return MeshPart(
        vertices=np.asarray(geometry.vertices, dtype=np.float32),
        normals=np.asarray(geometry.vertex_normals, dtype=np.float32),
        uv=np.zeros((count, 2), np.float32) if uv is None else uv.astype(np.float32),
        faces=np.asarray(geometry.faces, dtype=np.uint32),
        base_color=np.ascontiguousarray(np.broadcast_to(color, (count, 3))),
        texture=texture,
    )
