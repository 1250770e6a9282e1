"""Labels as callers hand them in, and regions that are too small for a layer."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from napari_nst.engine.images.convert import resize
from napari_nst.engine.job.guides import read_guides
from napari_nst.engine.job.region_size import left_out, refuse_unseen, vanishing
from napari_nst.engine.job.style_size import Fit
from napari_nst.engine.objective.masks import pooled
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


# Which style serves which label


def test_an_only_style_serves_every_label_whole():
    guides = read(HALVES)
    assert guides.labels == (1, 2)
    assert guides.styles == (None,)
    assert [guides.styles_for(label) for label in (1, 2, 7)] == [[0], [0], [0]]


def test_of_several_styles_each_serves_the_label_of_its_number():
    guides = read(HALVES, style_shapes=[(8, 9)] * 3)
    assert [guides.styles_for(label) for label in (1, 2, 3)] == [[0], [1], [2]]


def test_a_style_with_labels_serves_those():
    labels = [np.full((8, 9), 2), None, boxes((4, 4), (0, 2, 0, 4), (2, 4, 0, 4))]
    guides = read(HALVES, labels, style_shapes=[(8, 9), (8, 9), (4, 4)])
    assert [guides.styles_for(label) for label in (1, 2)] == [[2], [0, 1, 2]]


def test_labels_of_styles_alone_are_left_aside():
    guides = read(HALVES > 0, boxes((8, 9), (0, 8, 0, 4), (0, 8, 4, 9)))
    assert guides.labels == (1,)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int32, np.uint64])
def test_labels_of_any_whole_numbers_are_read(dtype):
    guides = read((HALVES > 1).astype(dtype))
    assert guides.labels == (1,)
    np.testing.assert_array_equal(guides.content, HALVES > 1)


def test_an_only_guide_needs_no_list():
    style = boxes((8, 9), (0, 4, 0, 9), (4, 8, 0, 9))
    for given in (style, [style], style.tolist()):
        np.testing.assert_array_equal(read(HALVES, given).styles[0], style)


def test_the_caller_may_draw_on():
    labels = HALVES.copy()
    guides = read(labels)
    labels[:] = 5
    assert guides.labels == (1, 2)
    assert guides.content.max() == 2


def test_a_record_has_labels_and_shapes():
    assert read(HALVES, keep_unlabelled=True).metadata == {
        "guide": {"labels": [1, 2], "shape": [20, 30]},
        "style_guides": [None],
        "keep_unlabelled": True,
    }


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (lambda: read(HALVES / 2), TypeError, "^guide must be whole numbers .* float64, convert"),
        (lambda: read(None), TypeError, "^guide must be whole numbers or bool"),
        (lambda: read(HALVES.T), ValueError, "^guide must be as large as the content, 20 × 30; "),
        (
            lambda: read(HALVES[..., None]),
            ValueError,
            r"^guide must be .* its shape is \(20, 30, 1",
        ),
        (lambda: read(HALVES * 0), ValueError, "^guide labels no pixel; .* above 0.$"),
        (lambda: read(-HALVES), ValueError, "^guide labels no pixel; "),
        (
            lambda: read(HALVES, np.ones((8, 9))),
            TypeError,
            "^style_guides must be whole numbers or bool",
        ),
        (
            lambda: read(HALVES, np.ones((9, 8), int)),
            ValueError,
            r"^style_guides must be as large as the style, 8 × 9; its shape is \(9, 8\)\.$",
        ),
        (
            lambda: read(HALVES, [None, None]),
            ValueError,
            "^style_guides has 2 images of labels for 1 style; give one for each, None for a ",
        ),
        (lambda: read(HALVES, []), ValueError, "^style_guides has 0 images of labels for 1 style"),
        (
            lambda: read(HALVES, np.ones((8, 9), int)),
            ValueError,
            "^guide has label 2, and no style has it; label a region of style_guides 2 too, or",
        ),
        (
            lambda: read(HALVES * 2, style_shapes=[(8, 9)] * 2),
            ValueError,
            "^guide has label 4, and no style has it; ",
        ),
    ],
)
def test_what_cannot_be_read_is_told(call, error, told):
    with pytest.raises(error, match=told) as raised:
        call()
    assert str(raised.value).endswith(".")


# Regions that are too small


def whole(shape, working=None):
    return Fit((slice(None), slice(None)), working or shape)


def missing(labels, working=None, **fields):
    recipe = Recipe(style_layers=dict.fromkeys(LAYERS, 1.0), **fields)
    return vanishing(labels, whole(labels.shape, working), recipe)


def test_a_region_vanishes_where_no_position_is_half_its_own():
    labels = boxes((64, 64), (0, 64, 0, 40), (16, 24, 48, 56), (40, 41, 50, 51))
    assert missing(labels) == [(2, "relu5_1"), *((3, layer) for layer in LAYERS[1:])]


def test_half_a_position_is_enough():
    labels = boxes((64, 64), (0, 16, 0, 8), (32, 48, 0, 7))
    assert missing(labels) == [(2, "relu5_1")]


def test_what_counts_is_the_size_that_the_run_works_at():
    labels = boxes((64, 64), (16, 32, 16, 32))
    assert missing(labels) == []
    assert missing(labels, (32, 32)) == [(1, "relu5_1")]


def test_only_layers_of_some_weight_can_lose_a_region():
    labels = boxes((64, 64), (8, 10, 8, 10))
    layers = {"relu1_1": 1.0, "relu3_1": 0.0, "relu4_1": 2.0}
    assert vanishing(labels, whole((64, 64)), Recipe(style_layers=layers)) == [(1, "relu4_1")]


def test_patches_have_to_fit_into_a_region():
    labels = boxes((64, 64), (0, 10, 0, 10))
    mrf = {"style_loss": "mrf", "patch_size": 3, "patch_stride": 1}
    assert missing(labels) == [(1, "relu5_1")]
    assert missing(labels, **mrf) == [(1, layer) for layer in LAYERS[2:]]


def test_a_stride_may_step_over_a_region():
    labels = boxes((32, 32), (1, 4, 1, 4))
    layers = {"style_layers": {"relu1_1": 1.0}, "style_loss": "mrf", "patch_size": 3}
    for stride, expected in ((1, []), (2, [(1, "relu1_1")])):
        recipe = Recipe(**layers, patch_stride=stride)
        assert vanishing(labels, whole((32, 32)), recipe) == expected


def test_a_style_of_which_the_middle_is_taken_loses_what_is_outside():
    labels = boxes((64, 64), (0, 10, 0, 64), (10, 64, 0, 64))
    fit = Fit((slice(16, 48), slice(16, 48)), (32, 32))
    recipe = Recipe(style_layers={"relu1_1": 1.0, "relu2_1": 1.0})
    assert vanishing(labels, fit, recipe) == [(1, "relu1_1"), (1, "relu2_1")]


@pytest.mark.parametrize("working", [(30, 41), (60, 82), (91, 123)])
def test_regions_are_resampled_and_pooled_as_the_run_does(working):
    """Pillow and torch agree, so that what is told before is what happens."""
    rng = np.random.default_rng(0)
    recipe = Recipe(style_layers=dict.fromkeys(LAYERS, 1.0))
    for size in range(1, 40, 3):
        top, left = rng.integers(0, 50, 2)
        labels = boxes((91, 123), (top, top + size, left, left + size))
        mask = resize(torch.from_numpy(labels)[None, None].float(), working, smooth=False)
        expected = [(1, la) for la in LAYERS if pooled(mask, la).amax() < 0.5 - 1e-4]
        assert vanishing(labels, whole(labels.shape, working), recipe) == expected


def test_the_warning_names_labels_and_layers():
    told = left_out([(2, "relu4_1"), (2, "relu5_1"), (3, "relu5_1"), (9, "relu5_1")], "guide")
    assert told == (
        "Regions of guide are too small for some layers, and left out: label 2 at relu4_1 and "
        "relu5_1; labels 3 and 9 at relu5_1."
    )


def test_a_region_that_no_layer_sees_is_refused():
    recipe = Recipe(style_layers={"relu2_1": 1.0, "relu4_1": 1.0})
    refuse_unseen([(1, "relu4_1"), (2, "relu4_1")], "guide", recipe)
    told = "^label 2 of guide is too small .* style layers, relu2_1 and relu4_1; draw it larger"
    with pytest.raises(ValueError, match=told):
        refuse_unseen([(1, "relu4_1"), (2, "relu2_1"), (2, "relu4_1")], "guide", recipe)


def test_guides_need_no_torch():
    program = (
        "import sys, napari_nst.engine.job.guides, napari_nst.engine.job.region_size\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
