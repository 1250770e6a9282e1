"""The losses of a run by iteration, and what is marked beside them."""

import math

import pytest

from napari_nst.viewer.loss_plot.colours import Look, colours
from napari_nst.viewer.loss_plot.trace import LossTrace, in_order
from tests.helpers.fake_iterations import iteration

LAYERS = [f"style/relu{block}_1" for block in range(1, 6)]
NAMES = ["total", "content", "style", "tv", "content/relu4_2", *LAYERS]


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


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_colour_differs_from_the_others_and_from_the_background(theme):
    look = Look.of(theme)
    assert look.dark == (theme == "dark")
    chosen = colours(NAMES, look)
    assert len(set(chosen.values())) == len(NAMES)
    for name, colour in chosen.items():
        assert contrast(colour, look.background) >= (2 if "/" in name else 3), name


def contrast(one, other):
    """The contrast ratio of WCAG 2.1."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
