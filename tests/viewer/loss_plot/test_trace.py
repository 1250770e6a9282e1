"""The losses of a run by iteration, and what is marked beside them."""

import math

from napari_nst.viewer.loss_plot.trace import LossTrace, in_order
from tests.helpers.fake_iterations import iteration


def test_a_loss_that_comes_later_is_nan_before():
    trace = LossTrace()
    trace.append({"total": 3.0, "style": 3.0})
    trace.append({"total": 2.0, "style": 2.0, "style/relu1_1": 0.5})
    trace.append({"total": 1.0, "style": 1.0})
    assert len(trace) == 3
    first, second, third = trace.columns["style/relu1_1"]
    assert (math.isnan(first), second, math.isnan(third)) == (True, 0.5, True)
    assert "relu1_1 0.5" in trace.text(trace.columns, 2)
    assert "relu1_1" not in trace.text(trace.columns, 1)


def test_sums_come_before_layers():
    names = ["style/relu1_1", "tv", "content/relu4_2", "style", "total"]
    assert in_order(names) == ["total", "style", "tv", "content/relu4_2", "style/relu1_1"]


def marks(before, newest):
    trace = LossTrace()
    trace.mark(before, newest)
    return trace.marks


def steered(step, *changes, **options):
    return iteration(step, 40, facts={"steered": list(changes)}, **options)


def test_a_new_size_is_marked_where_it_begins():
    coarse, fine = iteration(12, 40, (24, 32)), iteration(13, 40, (48, 64))
    assert marks(None, coarse) == []
    assert marks(coarse, iteration(13, 40, (24, 32))) == []
    assert marks(coarse, fine) == [(13, "64 px")]


def test_a_later_phase_is_marked_where_it_begins():
    def of_phase(step, phase, phases=({},), **options):
        facts = {"phase": phase, "recipe": {"phases": list(phases)}}
        return iteration(step, 40, facts=facts, **options)

    first = of_phase(12, 0)
    assert marks(first, of_phase(13, 0)) == []
    assert marks(first, of_phase(13, 1)) == [(13, "refine")]
    both = ({}, {})
    ((step, text),) = marks(of_phase(12, 1, both), of_phase(13, 2, both, shape=(96, 128)))
    assert step == 13
    assert "128 px" in text
    assert "refine 2" in text


def test_a_change_of_settings_is_marked_once_where_it_takes_effect():
    changes = [
        {"after_step": 4, "style_weight": 12.0},
        {"after_step": 7, "style_weight": 12.5, "painted_pixels": 9},
    ]
    before = steered(7, changes[0])
    assert marks(before, steered(8, *changes)) == [(8, "style weight 12.5, painted")]
    assert marks(steered(8, *changes), steered(9, *changes)) == []
    larger = steered(8, *changes, shape=(96, 128))
    assert [step for step, _ in marks(before, larger)] == [8, 8]


def test_panels_have_no_marks():
    first, second = (
        steered(step, {"after_step": 7, "seed": 1}, shape=(24 * step, 32), panels="ab")
        for step in (7, 8)
    )
    assert marks(first, second) == []
