"""Labels as callers hand them in, and regions that are too small at a layer."""

import numpy as np
import pytest
import torch

from napari_nst.engine.images.convert import resize
from napari_nst.engine.job.build import order_to_stylize
from napari_nst.engine.job.guides import read_guides, small_regions
from napari_nst.engine.job.job import Change
from napari_nst.engine.job.schedule import Fit
from napari_nst.engine.objective.from_recipe import pooled
from napari_nst.recipe import Recipe

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


def boxes(shape, *regions):
    """Labels 1, 2, … of boxes (top, bottom, left, right)."""
    labels = np.zeros(shape, int)
    for label, (top, bottom, left, right) in enumerate(regions, start=1):
        labels[top:bottom, left:right] = label
    return labels


HALVES = boxes((20, 30), (0, 20, 0, 15), (0, 20, 15, 30))


def read(guide, style_guides=None, shape=(20, 30), style_shapes=((8, 9),), **options):
    return read_guides(guide, style_guides, shape, style_shapes, **options)


# Which styles a label takes


def test_a_label_takes_the_styles_that_have_it():
    labels = [np.full((8, 9), 2), None, boxes((4, 4), (0, 2, 0, 4), (2, 4, 0, 4))]
    guides = read(HALVES, labels, style_shapes=[(8, 9), (8, 9), (4, 4)])
    assert [guides.styles_for(label) for label in (1, 2)] == [[2], [0, 1, 2]]
    guides = read(HALVES)  # a single style is used whole
    assert guides.labels == (1, 2)
    assert [guides.styles_for(label) for label in (1, 2, 7)] == [[0], [0], [0]]
    guides = read(HALVES, style_shapes=[(8, 9)] * 3)
    assert [guides.styles_for(label) for label in (1, 2, 3)] == [[0], [1], [2]]


@pytest.mark.parametrize(("count", "left"), [(16, 16), (40, 40), (64, 64), (65, 1), (255, 1)])
def test_very_many_labels_are_one_region_if_all_take_one_style(count, left):
    """A mask with a soft edge, or an image of cells: each label would cost passes of its own."""
    labels = np.arange(600).reshape(20, 30) % (count + 1)
    guides = read(labels)
    assert len(guides.labels) == left
    assert bool(guides.notes) == (count > 16)
    np.testing.assert_array_equal(guides.content > 0, labels > 0)
    assert len(guides.metadata["guide"]["labels"]) == left


def test_very_many_labels_with_styles_of_their_own_are_refused():
    labels = np.arange(600).reshape(20, 30)
    with pytest.raises(ValueError, match=r"guide.* 599 labels"):
        read(labels, labels, style_shapes=[(20, 30)])
    read(HALVES, labels, style_shapes=[(20, 30)])  # labels that the content lacks cost nothing


@pytest.mark.parametrize("dtype", [bool, np.int32, np.uint64])
def test_integers_and_bool_are_labels(dtype):
    guides = read((HALVES > 1).astype(dtype))
    assert guides.labels == (1,)
    np.testing.assert_array_equal(guides.content, HALVES > 1)


def test_the_guide_of_a_single_style_needs_no_list():
    style = boxes((8, 9), (0, 4, 0, 9), (4, 8, 0, 9))
    for given in (style, [style], style.tolist()):
        np.testing.assert_array_equal(read(HALVES, given).styles[0], style)


@pytest.mark.parametrize(
    ("arguments", "error", "argument"),
    [
        ((HALVES / 2,), TypeError, "guide.* whole numbers"),
        ((HALVES.T,), ValueError, "guide.* 20 × 30"),
        ((HALVES * 0,), ValueError, "guide.* no pixel"),
        ((HALVES, np.ones((9, 8), int)), ValueError, "style_guides"),
        ((HALVES, [None, None]), ValueError, "style_guides.* 1 .* 2"),
        ((HALVES, np.ones((8, 9), int)), ValueError, "guide.* label 2"),
    ],
)
def test_labels_that_cannot_be_used_are_refused(arguments, error, argument):
    with pytest.raises(error, match=argument):
        read(*arguments)


# Regions that are too small


def missing(labels, working=None, layers=LAYERS, window=(slice(None), slice(None)), **fields):
    recipe = Recipe(style_layers=dict.fromkeys(layers, 1.0), **fields)
    return small_regions(labels, Fit(window, working or labels.shape), recipe)


def test_a_region_needs_half_of_a_position():
    labels = boxes((64, 64), (0, 64, 0, 40), (16, 24, 48, 56), (40, 41, 50, 51))
    assert missing(labels) == [(2, "relu5_1"), *((3, layer) for layer in LAYERS[1:])]
    assert missing(boxes((64, 64), (0, 16, 0, 8), (32, 48, 0, 7))) == [(2, "relu5_1")]


def test_the_size_that_the_run_works_at_counts():
    labels = boxes((64, 64), (16, 32, 16, 32))
    assert missing(labels) == []
    assert missing(labels, (32, 32)) == [(1, "relu5_1")]


def test_patches_have_to_fit_into_a_region():
    labels = boxes((64, 64), (0, 10, 0, 10))
    mrf = {"style_loss": "mrf", "patch_size": 3}
    assert missing(labels) == [(1, "relu5_1")]
    assert missing(labels, **mrf, patch_stride=1) == [(1, layer) for layer in LAYERS[2:]]
    labels = boxes((32, 32), (1, 4, 1, 4))  # a stride of 2 steps over it
    assert missing(labels, layers=LAYERS[:1], **mrf, patch_stride=1) == []
    assert missing(labels, layers=LAYERS[:1], **mrf, patch_stride=2) == [(1, "relu1_1")]


@pytest.mark.parametrize("working", [(30, 41), (91, 123)])
def test_regions_are_resampled_and_pooled_as_the_run_does(working):
    """Pillow and torch agree, so that warnings before a run are right."""
    rng = np.random.default_rng(0)
    for size in range(1, 40, 9):
        top, left = rng.integers(0, 50, 2)
        labels = boxes((91, 123), (top, top + size, left, left + size))
        mask = resize(torch.from_numpy(labels)[None, None].float(), working, smooth=False)
        expected = [(1, la) for la in LAYERS if pooled(mask, la).amax() < 0.5 - 1e-4]
        assert missing(labels, working) == expected


def test_a_job_names_labels_and_layers_of_small_regions():
    image = np.zeros((64, 64, 3))
    layers = {"relu1_1": 1.0, "relu3_1": 0.0, "relu4_1": 2.0}  # a layer of no weight is not read
    recipe = Recipe(style_layers=layers, size=64, weights="gatys")
    guide = boxes((64, 64), (0, 64, 0, 40), (8, 10, 50, 52))
    (sentence,) = order_to_stylize(image, image, recipe, guide=guide).notes_on_regions()
    assert "`guide`" in sentence
    assert "label 2 at relu4_1" in sentence
    job = order_to_stylize(image, image, recipe.replace(style_layers={"relu4_1": 1}), guide=guide)
    with pytest.raises(ValueError, match="label 2 in `guide`"):
        job.notes_on_regions()


def test_many_labels_are_told_before_a_run_and_in_it():
    labels = np.arange(64 * 64).reshape(64, 64) % 256
    image = np.zeros((64, 64), np.uint8)
    job = order_to_stylize(image, image, Recipe(size=64), guide=labels)
    (told,) = job.notes()
    plain = order_to_stylize(image, image, Recipe(size=64), guide=labels > 0)
    assert plain.notes() == []
    guides = read_guides(labels, None, (64, 64), [(64, 64)])
    assert plain.changed(Change(guides=lambda: guides)).notes_on_regions() == [told]
