import pytest

from napari_nst.viewer.run import ration
from napari_nst.viewer.run.ration import Ration


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(ration, "SHARE", 1 / 4)
    monkeypatch.setattr(ration.time, "perf_counter", lambda: now[0])
    return now


def test_what_took_its_time_is_due_when_that_is_its_share(clock):
    drawing = Ration()
    assert drawing.is_due()
    with drawing.spending():
        clock[0] += 0.5
    clock[0] += 1.75
    assert not drawing.is_due()
    clock[0] += 0.25
    assert drawing.is_due()


def test_the_time_is_that_from_the_beginning_to_an_end_somewhere_else(clock):
    drawing = Ration()
    drawing.begin()
    clock[0] += 2
    assert drawing.is_due(), "what has no end yet is not known to take long"
    drawing.end()
    clock[0] += 7
    assert not drawing.is_due()
    clock[0] += 1
    assert drawing.is_due()


def test_each_time_counts_for_itself(clock):
    drawing, other = Ration(), Ration()
    with drawing.spending():
        clock[0] += 100
    assert other.is_due()
    clock[0] += 400
    with drawing.spending():
        clock[0] += 0.5
    clock[0] += 2
    assert drawing.is_due()


def test_what_takes_no_time_is_due_again_at_once(clock):
    drawing = Ration()
    with drawing.spending():
        pass
    assert drawing.is_due()
