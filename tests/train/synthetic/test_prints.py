"""Drawn prints: the same again, different from each other, lighter than not."""

from __future__ import annotations

import numpy as np

from nvs.train.synthetic import draw_prints


def test_a_print_depends_on_its_index_alone() -> None:
    few, many = draw_prints(3, side=64), draw_prints(8, side=64)
    for index, image in enumerate(few):
        np.testing.assert_array_equal(image, many[index])
    assert not np.array_equal(draw_prints(1, side=64, seed=1)[0], few[0])


def test_prints_show_something_and_differ() -> None:
    prints = np.stack(draw_prints(60, side=64))
    assert prints.shape == (60, 64, 64, 3)
    assert prints.dtype == np.uint8
    assert (prints.astype(float).std(axis=(1, 2)).max(-1) > 5).mean() > 0.9
    assert len({image.tobytes() for image in prints}) == 60


def test_most_prints_are_light() -> None:
    prints = np.stack(draw_prints(60, side=64))
    assert np.median(prints.mean(axis=(1, 2, 3))) > 128
