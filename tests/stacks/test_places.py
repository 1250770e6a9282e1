"""Which slices are computed, in which order, and where they are in the content."""

import numpy as np
import pytest

from napari_nst.stacks.places import choose_places
from napari_nst.stacks.source import Stack, array_axes, open_stack


def stack_of(names, *shape):
    return Stack("cells", np.zeros(shape, np.uint8), array_axes(names, shape), False)


SERIES = stack_of(["t", "c", "z", "y", "x"], 4, 2, 5, 20, 30)
PLAIN = open_stack(np.zeros((10, 20, 30), np.uint8))


def test_all_slices_are_gone_through_with_the_channels_in_turn():
    places = choose_places(SERIES)
    assert places.shape == (4, 2, 5)
    assert [*places][:6] == [(0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 0, 3), (0, 0, 4), (1, 0, 0)]
    assert len(set(places)) == places.count == 40


def test_the_last_of_the_axes_is_the_one_of_neighbours():
    places = choose_places(SERIES, axes=["z", "t"])
    assert [*places][:4] == [(0, 0, 0), (1, 0, 0), (2, 0, 0), (3, 0, 0)]
    assert places.before((2, 1, 3)) == (1, 1, 3)
    assert places.before((0, 1, 3)) is None


@pytest.mark.parametrize(
    "chosen", ["2:8:3", slice(2, 8, 3), range(2, 8, 3), {"z": "2:8:3"}, {0: "2:8:3"}]
)
def test_a_range_is_given_in_several_ways(chosen):
    places = choose_places(PLAIN, slices=chosen)
    assert [places.in_content(place)["z"] for place in places] == [2, 5]
    assert (places.axes[0].origin, places.axes[0].scale) == (2, 3)


@pytest.mark.parametrize(("chosen", "index"), [("3", 3), (3, 3), (-1, 9), ("-1", 9)])
def test_a_number_is_one_slice(chosen, index):
    places = choose_places(PLAIN, slices=chosen)
    assert [places.in_content(place) for place in places] == [{"z": index}]


def test_an_axis_that_is_left_out_has_one_chosen_entry():
    places = choose_places(SERIES, axes="t", slices={"z": 2, "t": "1:"}, channel=1)
    assert places.shape == (3, 1, 1)
    assert places.in_content((0, 0, 0)) == {"t": 1, "c": 1, "z": 2}
    assert places.label((2, 0, 0)) == "t=3"


def test_three_channels_are_one_image():
    places = choose_places(SERIES, channel=(1, 0, 1))
    assert [axis.name for axis in places.axes] == ["t", "z"]
    pixels = np.stack([np.full((20, 30), 10), np.full((20, 30), 20)])
    data = np.broadcast_to(pixels[None, :, None], SERIES.data.shape)
    read = places.read(Stack("cells", data, SERIES.axes, False), (0, 0))
    assert read[0, 0].tolist() == [20, 10, 20]


def test_runs_are_neighbours_and_as_many_as_there_are_workers():
    places = choose_places(PLAIN)
    runs = places.runs(3)
    assert [one for run in runs for one in run] == [*places]
    assert [len(run) for run in runs] == [3, 4, 3]
    assert len(places.runs(50)) == 10
    assert [len(run) for run in choose_places(SERIES, channel=0).runs(2)] == [5, 5, 5, 5]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"axes": "q"}, "axes"),
        ({"axes": "x"}, "axes"),
        ({"axes": "c"}, "axes"),
        ({"axes": "t"}, "axes"),
        ({"slices": "0:2"}, "slices"),
        ({"slices": {"t": "4:9"}}, "slices"),
        ({"slices": {"t": "a:b"}}, "slices"),
        ({"slices": {"t": "3:0:-1"}}, "slices"),
        ({"slices": {"t": slice(3, 0, -1)}}, "slices"),
        ({"slices": {"t": 4}}, "slices"),
        ({"slices": {"y": 4}}, "slices"),
        ({"channel": 2}, "channel"),
        ({"channel": (0, 1)}, "channel"),
        ({"channel": (0, 1, 2)}, "channel"),
        ({"channel_axis": "x"}, "channel_axis"),
    ],
)
def test_what_a_stack_has_not_is_refused(arguments, named):
    with pytest.raises(ValueError, match=f"`{named}`"):
        choose_places(SERIES, **arguments)


def test_a_single_image_and_channels_without_an_axis_are_refused():
    with pytest.raises(ValueError, match="`content`"):
        choose_places(open_stack(np.zeros((20, 30), np.uint8)))
    with pytest.raises(ValueError, match="`content`"):
        choose_places(open_stack(np.zeros((20, 30, 3), np.uint8)))
    with pytest.raises(ValueError, match="`channel_axis`"):
        choose_places(PLAIN, channel=0)
