import pytest

from napari_nst.viewer.plot import pace


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(pace.time, "perf_counter", lambda: now[0])
    return now


def test_what_is_new_is_drawn_at_once_and_then_after_a_while(clock):
    when = pace.Pace()
    assert not when.is_due(0)
    assert when.is_due(1)
    clock[0] += pace.SECONDS / 2
    assert not when.is_due(2)
    clock[0] += pace.SECONDS
    assert when.is_due(3)
    clock[0] += 10 * pace.SECONDS
    assert not when.is_due(3), "nothing is new"
    assert when.is_due(1), "another run"
