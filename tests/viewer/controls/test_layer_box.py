"""Drop-downs and lists of layers keep the layers that were chosen."""

import numpy as np
import pytest
from napari.layers import Image, Labels, Shapes
from napari.layers._layer_actions import _convert, _merge_stack, _split_rgb

from napari_nst.io.record import RECORD
from napari_nst.viewer.controls.layer_box import LayerBox, LayerList, chosen_layer


@pytest.fixture
def docked(windowless, qtbot):
    """Make a box of the viewer, and connect it to the layer list as napari does in a dock."""

    def make(kind=LayerBox, name="content", **options):
        box = kind(windowless, name, "A layer.", **options)
        for event in ("inserted", "removed", "reordered", "renamed"):
            getattr(windowless.layers.events, event).connect(box.reset_choices)
        boxes.append(box)
        return box

    boxes = []
    return make


@pytest.fixture
def add(windowless):
    """Add an image layer of a name."""
    return lambda name, **options: windowless.add_image(np.zeros((9, 9, 3)), name=name, **options)


def test_content_and_style_take_the_first_two_images_but_no_result(add, docked):
    content = docked()
    style = docked(name="style", apart_from=content)
    assert (content.value, style.value) == (None, None)
    first = add("a")
    assert (content.value, style.value) == (first, None)
    result = add("result", metadata={RECORD: {}})
    assert (content.value, style.value) == (first, None)
    second = add("b")
    assert (content.value, style.value) == (first, second)
    style.value = result  # a finished result may be chosen
    assert style.value == result
    content.value = result  # and both may be alike
    assert style.value == result


def test_the_style_yields_to_the_content_unless_it_was_chosen(add, docked):
    first, second = add("a"), add("b")
    content = docked()
    style = docked(name="style", apart_from=content)
    content.value = second
    assert style.value == first
    style.value = first
    content.value = first
    assert (content.value, style.value) == (first, first)


def test_a_removed_layer_leaves_the_box_empty_until_it_returns(windowless, add, docked):
    first, second = add("a"), add("b")
    windowless.layers.selection.active = first
    box = docked()
    chosen, changed = [], []
    box.chosen.connect(chosen.append)
    box.changed.connect(changed.append)
    windowless.layers.remove(first)
    add("c")
    assert (box.value, box.lost) == (None, "a")
    with pytest.raises(ValueError, match="Content: layer 'a' was removed"):
        chosen_layer(box)
    windowless.layers.append(first)
    assert (box.value, box.lost) == (first, "")
    assert changed == [None, first]
    assert chosen == [], "nobody has chosen"
    box.value = second
    assert chosen == [second]
    windowless.layers.remove(second)
    box.value = first
    windowless.layers.append(second)
    assert box.value == first, "another layer was chosen meanwhile"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_cleared_layers_that_return_are_chosen_as_before(windowless, add, docked, order):
    layers = [add("a"), add("b")]
    content = docked(has_partner=True)
    style = docked(name="style", apart_from=content)
    windowless.layers.clear()
    add("c")
    assert (content.value, style.value) == (None, None)
    for index in order:
        windowless.layers.append(layers[index])
    assert [content.value, style.value] == layers


def test_renamed_and_moved_layers_stay_chosen(windowless, add, docked):
    first, second = add("a"), add("b")
    box, several = docked(), docked(LayerList, "more_styles")
    box.value, several.value = second, [second]
    second.name = "other"
    first.name = "b"  # the text that the boxes showed
    windowless.layers.move(1, 0)
    assert box.value == second
    assert several.value == [second]
    assert [box.native.itemText(index) for index in range(2)] == ["other", "b"]


def as_labels(layers, layer):
    layers.selection = {layer}
    _convert(layers, "labels")


def split(layers, layer):
    layers.selection.active = layer
    _split_rgb(layers)


def merge(layers, layer):
    layers.selection = set(layers)
    _merge_stack(layers)


@pytest.mark.parametrize("act", [as_labels, split, merge], ids=lambda act: act.__name__)
def test_what_napari_makes_of_a_layer_is_not_taken_for_it(model, qtbot, act):
    kind = np.uint8 if act is as_labels else float
    shape = (9, 9) if act is as_labels else (9, 9, 3)
    for name in ("a", "b"):
        model.add_image(np.zeros(shape, kind), name=name, projection_mode="none")
    model.layers.selection.active = model.layers["a"]
    box = LayerBox(model, "style", "A layer.")
    for event in ("inserted", "removed"):
        getattr(model.layers.events, event).connect(box.reset_choices)
    act(model.layers, model.layers["a"])
    assert (box.value, box.lost) == (None, "a")


def test_an_optional_box_says_that_its_layer_is_gone(windowless, docked):
    regions = windowless.add_labels(np.zeros((9, 9), int), name="regions")
    box = docked(name="content_guide", optional=True, kinds=(Labels, Shapes))
    assert box.value is None
    assert chosen_layer(box) is None
    box.value = regions
    windowless.layers.remove(regions)
    assert box.value is None
    with pytest.raises(ValueError, match="'regions' was removed"):
        chosen_layer(box)
    box.native.setCurrentIndex(0)  # as a user takes the empty entry
    assert chosen_layer(box) is None


def test_a_list_keeps_the_rest_and_names_what_is_gone(windowless, add, docked):
    first, second, third = add("a"), add("b"), add("c")
    several = docked(LayerList, "more_styles")
    several.value = [first, third]
    windowless.layers.remove(first)
    assert (several.value, several.lost) == ([third], "a")
    windowless.layers.append(first)
    assert several.lost == ""
    assert set(several.value) == {first, third}
    assert isinstance(second, Image)
