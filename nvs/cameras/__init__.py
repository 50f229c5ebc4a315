"""Cameras: values, rays, pose normalisation and trajectories."""

from nvs.cameras.camera import Camera
from nvs.cameras.camera_path import (
    CameraPath,
    parse_camera_path,
    read_camera_path,
    write_camera_path,
)
from nvs.cameras.normalisation import PoseNormalisation
from nvs.cameras.rays import project, rays, unproject
from nvs.cameras.spline import through
from nvs.cameras.trajectories import direction_of, orbit, spiral

__all__ = [
    "Camera",
    "CameraPath",
    "PoseNormalisation",
    "direction_of",
    "orbit",
    "parse_camera_path",
    "project",
    "rays",
    "read_camera_path",
    "spiral",
    "through",
    "unproject",
    "write_camera_path",
]
