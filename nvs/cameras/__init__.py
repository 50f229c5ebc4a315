"""Cameras: values, rays, pose normalisation and trajectories."""

from nvs.cameras.camera import Camera
from nvs.cameras.rays import project, rays, unproject
