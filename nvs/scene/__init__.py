"""Posed views, scenes and the renderer: what every entry point is made of."""

from nvs.scene.datasets import load_views
from nvs.scene.renderer import Renderer
from nvs.scene.scene import Scene
from nvs.scene.views import PosedViews
