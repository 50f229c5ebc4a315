"""Scenes composed and ray traced on the device, in the training loop.

Objects and rooms made of simple solids with procedural textures: no disk, no meaning,
no end. What a model learns from such scenes carries over to real ones (LRM-Zero,
arXiv:2406.09371; MegaSynth, arXiv:2412.14166).
"""

from nvs.train.synthetic.batch import (
    DrawnBatch,
    SyntheticBatch,
    draw_scenes,
)
from nvs.train.synthetic.photographs import Photographs, load_photographs
from nvs.train.synthetic.prints import draw_prints
