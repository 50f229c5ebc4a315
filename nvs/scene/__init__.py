"""Posed views, scenes and the renderer: what every entry point is made of."""

from nvs.scene.datasets import load_views, open_views
from nvs.scene.opened import OpenedViews
from nvs.scene.paths import scene_orbit, scene_path, scene_spiral, scene_walk
from nvs.scene.pictures import to_uint8
from nvs.scene.renderer import Renderer
from nvs.scene.scene import Scene
from nvs.scene.views import PosedViews

__all__ = [
    "OpenedViews",
    "PosedViews",
    "Renderer",
    "Scene",
    "load_views",
    "open_views",
    "scene_orbit",
    "scene_path",
    "scene_spiral",
    "scene_walk",
    "to_uint8",
]
