"""Every key that programs write into `transforms.json`, and what becomes of it here.

Of instant-ngp and its scripts, nerfstudio and `ns-process-data`, the exporters of
Polycam, Record3D, Metashape, RealityCapture, ODM, Kiri and NeRFCapture, Blender and its
add-ons, D-NeRF, Zip-NeRF and ScanNet++. docs/transforms-json.md has this table.

A key that is not here is named once a file: it may be a misspelt one, whose meaning
would otherwise be lost in silence. A key whose value says nothing (null, false, zero,
empty) is as if it were absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from nvs.cameras.json_record import Record
from nvs.errors import CameraError

Use = Literal["honoured", "refused", "warned", "unneeded"]


@dataclass(frozen=True, slots=True)
class Key:
    """What becomes of a key."""

    use: Use
    """Honoured; refused, since the pictures would be wrong without it; not used, with a
    warning; or unneeded: it says nothing about these cameras and pictures."""
    meaning: str
    """What it says; of a refused one, what the set is; of a warned one, what it would
    have done."""
    harmless: tuple[str, ...] = ()
    """Values that say what is the case anyway."""

    def is_set(self, value: object) -> bool:
        """Whether a value says something."""
        if isinstance(value, str):
            return bool(value) and value.casefold() not in self.harmless
        if isinstance(value, list):
            return any(self.is_set(item) for item in value)
        return bool(value)


ALIASES = {"fx": "fl_x", "fy": "fl_y", "width": "w", "height": "h"}
"""Other spellings, which are read as these where these are absent."""


def _group(use: Use, **meanings: str) -> dict[str, Key]:
    return {key: Key(use, meaning) for key, meaning in meanings.items()}


_HDR = "brightness is on another scale than that of pictures"
_SRGB = ("srgb", "s-rgb", "srgb texture", "rec709", "")
KEYS: Mapping[str, Key] = {
    **_group(
        "honoured",
        frames="the list of frames",
        file_path="the image; suffix may be absent",
        transform_matrix="pose, world from camera, OpenGL axes",
        mask_path="mask of the image: black does not count",
        w="width of the image in pixels; also `width`",
        h="height of the image in pixels; also `height`",
        width="`w`",
        height="`h`",
        fl_x="focal length in pixels; also `fx`",
        fl_y="focal length in pixels; also `fy`",
        fx="`fl_x`",
        fy="`fl_y`",
        cx="principal point in pixels; the middle if absent",
        cy="principal point in pixels; the middle if absent",
        camera_angle_x="field of view in radians",
        camera_angle_y="field of view in radians",
        x_fov="field of view in degrees",
        y_fov="field of view in degrees",
        camera_model="lens model, in any case of letters",
        is_fisheye="`camera_model` is `OPENCV_FISHEYE`",
        k1="lens distortion",
        k2="lens distortion",
        k3="lens distortion",
        k4="fisheye, or denominator with `FULL_OPENCV`, `k5` or `k6`; else refused",
        k5="lens distortion, denominator",
        k6="lens distortion, denominator",
        p1="lens distortion, tangential; not for fisheyes",
        p2="lens distortion, tangential; not for fisheyes",
        distortion_params="k1, k2, k3, k4, p1, p2 in a list",
        applied_transform="undone",
        applied_scale="undone",
        train_filenames="the frames that are read",
        val_filenames="frames that are left out",
        test_filenames="frames that are left out",
    ),
    **_group(
        "refused",
        is_equirectangular="a panorama",
        equirectangular="a panorama",
        is_latlong="a panorama",
        latlong="a panorama",
        is_orthographic="an orthographic camera",
        orthographic="an orthographic camera",
        ftheta_p0="an f-theta lens",
        ftheta_p1="an f-theta lens",
        ftheta_p2="an f-theta lens",
        ftheta_p3="an f-theta lens",
        ftheta_p4="an f-theta lens",
        normal_mts_args="poses in the axes of Mitsuba's cameras",
        from_mitsuba="poses in the axes of Mitsuba's cameras",
        is_hdr=_HDR,
        linear_colors=_HDR,
    ),
    **{
        key: Key("refused", "colours in another space than sRGB", _SRGB)
        for key in ("color_space", "colour_space", "colorspace")
    },
    **_group(
        "warned",
        transform_matrix_start="the pose when the picture began; `transform_matrix` is "
        "taken",
        transform_matrix_end="the pose when the picture ended; `transform_matrix` is "
        "taken",
        rolling_shutter="lines of a picture have poses of their own",
        time="the scene may move; all frames are taken as of one moment",
        fisheye_crop_radius="only a circle of the picture counts",
        mask_color="pixels of this colour do not count",
        black_transparent="black pixels do not count",
        fix_premult="colours are multiplied by alpha already",
        sharpen="pictures would be sharpened",
        n_frames="only the first frames would be read",
        sharpness_discard_threshold="blurred frames would be left out",
        driver_parameters="the light moves from frame to frame",
        is_bad="frames that their makers leave out",
        test_frames="frames for tests, which are not read",
        depth_path="depth maps",
        depth_file_path="depth maps",
        normal_path="normal maps",
        normal_file_path="normal maps",
        semantic_path="semantic maps",
        segmentation_path="semantic maps",
    ),
    **_group(
        "unneeded",
        aabb_scale="size of the volume",
        aabb="the volume",
        render_aabb="the volume",
        render_aabb_to_local="the volume",
        scale="brings the world into the volume, as framing does",
        offset="brings the world into the volume, as framing does",
        from_na="brings the world into the volume, as framing does",
        up="brings the world into the volume, as framing does",
        orientation_override="how nerfstudio turns the world",
        auto_scale_poses_override="how nerfstudio scales the world",
        center_method_override="how nerfstudio centres the world",
        near="nearest depth",
        far="farthest depth",
        white_transparent="white pixels do not count, and are shown white",
        integer_depth_scale="unit of depth maps",
        depth_scale="unit of depth maps",
        depth_unit_scale_factor="unit of depth maps",
        enable_depth_loading="depth maps",
        enable_ray_loading="rays of instant-ngp",
        n_extra_learnable_dims="codes of instant-ngp",
        importance_sampling="how instant-ngp draws pixels",
        envmap="background of instant-ngp",
        sharpness="how sharp an image is",
        blur_score="how sharp an image is",
        ply_file_path="points",
        colmap_im_id="number in COLMAP",
        camera_id="number of the camera",
        frame_id="number of the frame",
        timestamp="when it was taken",
        rotation="turntable of Blender",
        scene_name="name",
        cameras="numbers of cameras",
    ),
}


def spelled(*objects: Mapping[str, object]) -> dict[str, object]:
    """The values of some objects, later ones first, by their usual keys."""
    values: dict[str, object] = {}
    for given in objects:
        for key, usual in ALIASES.items():
            if key in given:
                values[usual] = given[key]
        values |= {key: given[key] for key in given.keys() - ALIASES.keys()}
    return values


def refuse(fields: Record) -> None:
    """Refuse a frame whose picture cannot be what it says.

    Raises:
        CameraError: Naming the frame, key and value.
    """
    for key, value in fields.values.items():
        known = KEYS.get(key)
        if known is not None and known.use == "refused" and known.is_set(value):
            raise CameraError(
                f"{fields.where}{key} is {value!r}: {known.meaning}",
                remedy="Convert it to ordinary photographs of pinhole or fisheye "
                "cameras first.",
            )


def notes(objects: Iterable[Mapping[str, object]]) -> list[str]:
    """What some objects of a file say that is not used: at most two lines."""
    unused: dict[str, str] = {}
    unknown: dict[str, None] = {}
    for values in objects:
        for key, value in values.items():
            known = KEYS.get(key)
            if known is None:
                unknown[key] = None
            elif known.use == "warned" and known.is_set(value):
                unused[key] = known.meaning
    lines = []
    if unused:
        said = "; ".join(f"{key} ({meaning})" for key, meaning in unused.items())
        lines.append(f"not used: {said}")
    if unknown:
        listed = ", ".join(list(unknown)[:8]) + (", …" if len(unknown) > 8 else "")
        lines.append(f"keys that nobody here knows are not used: {listed}")
    return lines
