from __future__ import annotations

import math
from collections import Counter

import pytest

from nvs_server.compute import homes as module
from nvs_server.compute.homes import SPREAD, Homes

SCENES = [f"scene {number}" for number in range(200)]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("start", range(0, 180, 20))
def test_no_worker_is_home_to_more_than_its_share(count: int, start: int) -> None:
    homes, scenes = Homes(), SCENES[start : start + 20]
    found = [homes.ranked(scene, range(count))[0] for scene in scenes]
    assert max(Counter(found).values()) <= math.ceil(SPREAD * len(scenes) / count)
    again = [homes.ranked(scene, range(count)) for scene in scenes]
    assert [ranks[0] for ranks in again] == found, "they stay where they are"
    assert all(sorted(ranks) == list(range(count)) for ranks in again)


def test_gateways_agree_on_most() -> None:
    one, other = Homes(), Homes()
    first = {scene: one.ranked(scene, range(4))[0] for scene in SCENES}
    second = {scene: other.ranked(scene, range(4))[0] for scene in SCENES[::-1]}
    same = sum(first[scene] == second[scene] for scene in SCENES)
    assert same > 0.85 * len(SCENES)


def test_a_worker_that_is_lost_takes_only_its_own_scenes_along() -> None:
    homes = Homes()
    before = {scene: homes.ranked(scene, range(4))[0] for scene in SCENES}
    without = {scene: homes.ranked(scene, [0, 1, 3])[0] for scene in SCENES}
    stayed = [scene for scene in SCENES if before[scene] != 2]
    assert sum(without[s] == before[s] for s in stayed) >= 0.95 * len(stayed)
    assert 2 not in without.values()


def test_one_that_comes_back_gets_its_share_again() -> None:
    homes = Homes()
    for scene in SCENES:
        homes.ranked(scene, [0])
    found = Counter(homes.ranked(scene, [0, 1])[0] for scene in SCENES * 2)
    assert found[1] > 0.7 * len(SCENES)


def test_only_the_last_scenes_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SCENES", 10)
    homes = Homes()
    for scene in SCENES:
        homes.ranked(scene, range(2))
    assert len(homes._homes) == sum(homes._counts.values()) == 10
