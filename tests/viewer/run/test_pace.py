import pytest

from napari_nst.viewer.run import pace
from napari_nst.viewer.run.pace import Pace


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(pace.time, "perf_counter", lambda: now[0])
    return now


def test_what_is_new_is_drawn_at_once_and_then_after_a_while(clock):
    when = Pace(1.0)
    assert when.is_due(1)
    clock[0] += 0.5
    assert not when.is_due(2)
    clock[0] += 0.5
    assert when.is_due(3)
    clock[0] += 0.5
    assert not when.is_due(4), "a while after the last drawing, not after the first"


def test_what_is_not_new_is_never_drawn_again(clock):
    when = Pace(1.0)
    assert when.is_due((1, "a"))
    clock[0] += 1e6
    assert not when.is_due((1, "a"))
    assert when.is_due((0, "a")), "another run"


def test_what_had_to_wait_does_not_count_as_drawn(clock):
    when = Pace(1.0)
    assert when.is_due(1)
    assert not when.is_due(2)
    clock[0] += 1.0
    assert when.is_due(2)


def test_what_is_not_new_is_drawn_when_patience_ends(clock):
    when = Pace(0.25, 5.0)
    assert when.is_due("loading")
    clock[0] += 4.75
    assert not when.is_due("loading")
    clock[0] += 0.25
    assert when.is_due("loading")
    assert not when.is_due("loading")
    clock[0] += 0.25
    assert when.is_due("measuring"), "news need no patience"
