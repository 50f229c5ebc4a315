"""Server-sent events out of bytes, however they are cut."""

from __future__ import annotations

import pytest

from nvs.client.events import Event, EventReader

STREAM = ': hello\n\nevent: job\r\ndata: {"ä": 1,\r\ndata:"b": 2}\r\n\r\ndata: x\r\r'


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_any_cut_gives_the_same_events(size: int) -> None:
    reader, data = EventReader(), (STREAM + "\n").encode()
    events: list[Event] = []
    for start in range(0, len(data), size):
        events += reader.feed(data[start : start + size])
    assert events == [Event("job", '{"ä": 1,\n"b": 2}'), Event("message", "x")]


def test_an_event_without_its_end_is_not_told() -> None:
    assert list(EventReader().feed(b"event: job\ndata: 1\n")) == []
