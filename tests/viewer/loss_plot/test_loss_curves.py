import math
from array import array

import numpy as np
import pytest

from napari_nst.viewer.loss_plot.colours import Look, colours
from napari_nst.viewer.loss_plot.curves import in_order, losses_text, thinned
from napari_nst.viewer.loss_plot.trace import LossTrace
from tests.helpers.fake_iterations import iteration

LAYERS = [f"style/relu{block}_1" for block in range(1, 6)]
NAMES = ["total", "content", "style", "tv", "content/relu4_2", *LAYERS]


def test_a_short_curve_is_drawn_whole():
    steps, logarithms = thinned(array("d", [100.0, 10.0, 1.0]), 1, 3, 300)
    assert steps.tolist() == [1, 2, 3]
    assert logarithms.tolist() == [2, 1, 0]


@pytest.mark.parametrize("count", [700, 10_000, 99_999])
def test_a_long_curve_keeps_its_extremes_where_they_are(count):
    losses = array("d", [10.0]) * count
    losses[count // 3], losses[count // 2] = 1e6, 1e-3
    steps, logarithms = thinned(losses, 1, count, 300)
    assert len(steps) <= 2 * 300
    assert logarithms.max() == pytest.approx(6)
    assert logarithms.min() == pytest.approx(-3)
    pixel = count / 150
    assert steps[logarithms.argmax()] == pytest.approx(count // 3 + 1, abs=pixel)
    assert steps[logarithms.argmin()] == pytest.approx(count // 2 + 1, abs=pixel)
    assert steps[0] == 1
    assert steps[-1] <= count
    assert (np.diff(steps) >= 0).all()


def test_only_what_is_seen_is_drawn_and_the_lines_that_lead_there():
    steps, _ = thinned(array("d", [1.0]) * 1000, 500, 510, 300)
    assert (steps[0], steps[-1]) == (499, 511)


def test_what_a_logarithm_cannot_show_is_a_gap():
    losses = array("d", [1.0, 0.0, -1.0, math.nan, math.inf, 10.0])
    _, logarithms = thinned(losses, 1, 6, 300)
    assert np.isnan(logarithms).tolist() == [False, True, True, True, True, False]
    _, logarithms = thinned(array("d", [0.0]) * 1000, 1, 1000, 100)
    assert np.isnan(logarithms).all()


def test_a_curve_stays_as_it_is_while_it_grows():
    losses = array("d", np.random.default_rng(0).uniform(1, 10, 1200))
    before, after = (thinned(losses[:count], 1, count, 300) for count in (900, 1200))
    settled = 400
    for old, new in zip(before, after, strict=True):
        assert (old[:settled] == new[:settled]).all()


def test_sums_come_before_layers():
    assert in_order(["style/relu1_1", "tv", "content/relu4_2", "style", "total"]) == [
        "total", "style", "tv", "content/relu4_2", "style/relu1_1",
    ]  # fmt: skip


def test_the_losses_of_one_iteration_in_words():
    trace = LossTrace()
    trace.append({"total": 3.0, "style": 3.0})
    trace.append({"total": 12345.6, "style": 2.0, "style/relu1_1": 0.5})
    assert losses_text(trace, NAMES[:1] + LAYERS[:1], 2) == (
        "Iteration 2\ntotal 1.23e+04\nstyle relu1_1 0.5"
    )
    assert losses_text(trace, ["total", LAYERS[0]], 1) == "Iteration 1\ntotal 3"


def marks(before, newest):
    trace = LossTrace()
    trace.mark(before, newest)
    return trace.marks


def steered(step, *changes, **options):
    return iteration(step, 40, facts={"steered": list(changes)}, **options)


def test_another_size_is_marked_where_it_begins():
    coarse, fine = iteration(12, 40, (24, 32)), iteration(13, 40, (48, 64))
    assert marks(None, coarse) == [], "a run has one size to begin with"
    assert marks(coarse, iteration(13, 40, (24, 32))) == []
    assert marks(coarse, fine) == [(13, "64 px")]


def test_what_was_steered_is_marked_once_where_it_takes_effect():
    changes = [
        {"after_step": 4, "style_weight": 12.0},
        {"after_step": 7, "style_weight": 12.5, "painted_pixels": 9},
    ]
    before = steered(7, changes[0])
    assert marks(before, steered(8, *changes)) == [(8, "style weight 12.5, painted")]
    assert marks(steered(8, *changes), steered(9, *changes)) == []
    assert marks(None, steered(5, changes[0])) == [(5, "style weight 12")], "a run that goes on"


def test_a_size_and_a_change_at_once_are_two_marks():
    coarse = iteration(7, 40, (24, 32))
    fine = steered(8, {"after_step": 7, "content_weight": 2.0}, shape=(48, 64))
    assert marks(coarse, fine) == [(8, "64 px"), (8, "content weight 2")]


def test_pictures_in_turn_have_no_marks():
    first, second = (
        steered(step, {"after_step": 7, "seed": 1}, shape=(24 * step, 32), panels="ab")
        for step in (7, 8)
    )
    assert marks(first, second) == []


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_colour_stands_out_from_the_ground_and_from_its_kind(theme):
    look = Look.of(theme)
    assert look.dark == (theme == "dark")
    chosen = colours(NAMES, look)
    assert chosen["total"] == look.text
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
