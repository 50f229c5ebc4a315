"""Pictures of a mesh, drawn with OpenGL and no display.

EGL gives an off-screen context on a GPU or, with Mesa's llvmpipe, on a CPU. The light
is mostly ambient, with a soft shade from one fixed direction in the world, so that a
surface has nearly the same colour in all views. Surfaces have two sides.
"""

from __future__ import annotations

import ctypes.util
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64, UInt8

from nvs.cameras.camera import Camera
from nvs.errors import MissingExtraError, NvsError
from nvs_data.meshes.load import Mesh, MeshPart

if TYPE_CHECKING:
    import moderngl

SUPERSAMPLING = 3
ANISOTROPY = 8.0
DEBIAN_PACKAGES = "libegl1 libgl1 libgl1-mesa-dri"

VERTEX_SHADER = """
#version 330
uniform mat4 clip_from_world;
in vec3 position;
in vec3 normal;
in vec2 uv;
in vec3 base_color;
out vec3 world;
out vec3 world_normal;
out vec2 texture_uv;
out vec3 color;
void main() {
    world = position;
    world_normal = normal;
    texture_uv = uv;
    color = base_color;
    gl_Position = clip_from_world * vec4(position, 1.0);
}
"""

FRAGMENT_SHADER = """
#version 330
uniform sampler2D image;
uniform bool has_image;
uniform vec3 eye;
in vec3 world;
in vec3 world_normal;
in vec2 texture_uv;
in vec3 color;
out vec4 rgba;
const vec3 towards_light = normalize(vec3(0.4, -0.5, 0.8));
const float ambient = 0.7;
void main() {
    vec4 base = has_image ? texture(image, texture_uv) : vec4(1.0);
    if (base.a < 0.5) discard;
    vec3 facing = normalize(cross(dFdx(world), dFdy(world)));
    facing = faceforward(facing, world - eye, facing);
    vec3 n = length(world_normal) > 0.5 ? normalize(world_normal) : facing;
    n = dot(n, facing) < 0.0 ? -n : n;
    float light = mix(ambient, 1.0, 0.5 + 0.5 * dot(n, towards_light));
    rgba = vec4(base.rgb * color * light, 1.0);
}
"""


def render_views(
    mesh: Mesh, camera: Camera
) -> Iterator[UInt8[np.ndarray, "height width 4"]]:
    """Draw a mesh from each camera in turn.

    Yields:
        RGBA with straight (not premultiplied) alpha, top row first; white where alpha
        is zero.

    Raises:
        MissingExtraError: Without moderngl.
        NvsError: If there is no EGL to draw with.
    """
    height, width = camera.height * SUPERSAMPLING, camera.width * SUPERSAMPLING
    with ExitStack() as owned:
        context = owned.enter_context(_context())
        program: Any = context.program(VERTEX_SHADER, FRAGMENT_SHADER)
        program["image"].value = 0
        drawn = context.framebuffer(
            context.renderbuffer((width, height)),
            context.depth_renderbuffer((width, height)),
        )
        parts = [_upload(context, program, part) for part in mesh.parts]
        poses = camera.world_from_camera.detach().double().cpu().numpy()
        intrinsics = camera.intrinsics.detach().double().cpu().numpy()
        for pose, focal_and_center in zip(poses, intrinsics, strict=True):
            clip = clip_from_world(pose, focal_and_center, camera.height, camera.width)
            program["clip_from_world"].write(clip.T.astype(np.float32).tobytes())
            program["eye"].value = tuple(pose[:3, 3])
            drawn.use()
            drawn.clear(depth=1.0)
            context.enable(context.DEPTH_TEST)
            for vertices, texture in parts:
                program["has_image"].value = texture is not None
                if texture is not None:
                    texture.use(0)
                vertices.render()
            pixels = np.frombuffer(drawn.read(components=4), dtype=np.uint8)
            yield _straight_alpha(pixels.reshape(height, width, 4))


def clip_from_world(
    world_from_camera: Float64[np.ndarray, "4 4"],
    intrinsics: Float64[np.ndarray, "4"],
    height: int,
    width: int,
) -> Float64[np.ndarray, "4 4"]:
    """OpenGL's projection matrix of an OpenCV camera that sees the cube [−1, 1]³.

    The y axis of the image is kept: OpenGL's bottom row is the top row of the picture,
    so that the rows it hands back are in order.
    """
    fx, fy, cx, cy = intrinsics
    reach = float(np.sqrt(3))
    distance = float(np.linalg.norm(world_from_camera[:3, 3]))
    near, far = max(distance - reach, 0.01), distance + reach
    clip_from_camera = np.array(
        [
            [2 * fx / width, 0, 2 * cx / width - 1, 0],
            [0, 2 * fy / height, 2 * cy / height - 1, 0],
            [0, 0, (far + near) / (far - near), -2 * far * near / (far - near)],
            [0, 0, 1, 0],
        ]
    )
    return clip_from_camera @ np.linalg.inv(world_from_camera)


@contextmanager
def _context() -> Generator[moderngl.Context]:
    try:
        import moderngl
    except ImportError as error:
        raise MissingExtraError("moderngl", "data") from error
    # Where only the vendor-neutral libraries are installed there is no libGL.
    library = ctypes.util.find_library("GL") or ctypes.util.find_library("OpenGL")
    settings: dict[str, Any] = {"backend": "egl", "libgl": library}
    try:
        context = moderngl.create_context(standalone=True, **settings)
    except Exception as error:
        raise NvsError(
            f"no off-screen OpenGL context could be made with EGL ({error})",
            remedy=f"On Debian or Ubuntu: apt-get install {DEBIAN_PACKAGES}",
        ) from error
    context.gc_mode = "context_gc"
    try:
        yield context
    finally:
        context.gc()
        context.release()


def _upload(
    context: moderngl.Context, program: Any, part: MeshPart
) -> tuple[moderngl.VertexArray, moderngl.Texture | None]:
    columns = [part.vertices, part.normals, part.uv, part.base_color]
    vertices = np.concatenate(columns, axis=1).astype(np.float32)
    array = context.vertex_array(
        program,
        [
            (
                context.buffer(vertices.tobytes()),
                "3f 3f 2f 3f",
                "position",
                "normal",
                "uv",
                "base_color",
            )
        ],
        index_buffer=context.buffer(part.faces.tobytes()),
    )
    if part.texture is None:
        return array, None
    height, width, _ = part.texture.shape
    bottom_row_first = np.ascontiguousarray(part.texture[::-1])
    texture = context.texture((width, height), 4, bottom_row_first.tobytes())
    texture.build_mipmaps()
    texture.filter = (context.LINEAR_MIPMAP_LINEAR, context.LINEAR)
    texture.anisotropy = ANISOTROPY
    return array, texture


def _straight_alpha(
    premultiplied: UInt8[np.ndarray, "tall wide 4"],
) -> UInt8[np.ndarray, "height width 4"]:
    """Average blocks of samples and divide colour by coverage."""
    step = SUPERSAMPLING
    blocks = [premultiplied[y::step, x::step] for y in range(step) for x in range(step)]
    mean = np.stack(blocks).mean(axis=0, dtype=np.float32)
    alpha = mean[..., 3:]
    straight = np.full_like(mean, 255)
    np.divide(mean[..., :3] * 255, alpha, out=straight[..., :3], where=alpha > 0)
    straight[..., 3:] = alpha
    return np.rint(straight).clip(0, 255).astype(np.uint8)
