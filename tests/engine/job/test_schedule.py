"""The schedule of sizes and steps."""

import math
from itertools import pairwise

import pytest

from napari_nst.engine.job.schedule import plan_scales, plan_texture_scales
from napari_nst.recipe import Recipe

SHAPES = [(600, 800), (800, 600, 3), (64, 64), (1024, 91), (33, 4000), (4000, 33)]


def plan(shape=(512, 512), least=16, **fields):
    return plan_scales(Recipe(**fields), shape, least)


@pytest.mark.parametrize(
    ("size", "min_size", "expected"),
    [
        (512, 128, [128, 181, 256, 362, 512]),
        (256, 64, [64, 91, 128, 181, 256]),
        (300, 128, [150, 212, 300]),
        (128, 128, [128]),
        (181, 128, [128, 181]),
        (100, 128, [100]),
    ],
)
def test_sizes_are_a_factor_of_root_two_apart(size, min_size, expected):
    assert [scale.longest for scale in plan(size=size, min_size=min_size)] == expected


def test_min_size_of_nought_means_one_scale():
    (scale,) = plan(size=512, min_size=0, steps=7)
    assert (scale.longest, scale.shape, scale.steps) == (512, (512, 512), 7)


@pytest.mark.parametrize("shape", [(600, 800), (91, 90), (128, 500, 3)])
def test_size_of_nought_means_the_contents_own(shape):
    assert plan(shape, size=0)[-1].shape == shape[:2]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [0, 64, 1000, 4000])
def test_every_scale_keeps_the_aspect(shape, size):
    longest = size or max(shape[:2])
    least = 1
    for scale in plan(shape, least, size=size, min_size=32):
        assert max(scale.shape) == scale.longest <= longest
        for side, whole in zip(scale.shape, shape, strict=False):
            assert abs(side - max(1, whole * scale.longest / max(shape[:2]))) <= 0.5


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 7, 40, 199, 1000])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0, 2.0, 1000.0])
def test_steps_add_up_with_one_at_least_for_each_scale(steps, share):
    scales = plan(size=512, min_size=128, steps=steps, first_scale_share=share)
    assert sum(scale.steps for scale in scales) == steps
    assert min(scale.steps for scale in scales) >= 1
    assert len(scales) == min(steps, 5)
    assert scales[-1].longest == 512


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0, 3.0, 1000.0])
def test_one_scale_takes_all_steps_whatever_its_share(share):
    (scale,) = plan(min_size=0, steps=9, first_scale_share=share)
    assert scale.steps == 9


def test_the_first_scale_takes_its_share():
    first, *others = plan(size=512, min_size=128, steps=605, first_scale_share=2)
    assert first.steps == pytest.approx(2 * others[0].steps, abs=2)
    assert max(scale.steps for scale in others) - min(scale.steps for scale in others) <= 1


def test_a_first_share_of_nought_leaves_it_one_step():
    first, *others = plan(size=512, min_size=128, steps=41, first_scale_share=0)
    assert first.steps == 1
    assert [scale.steps for scale in others] == [10, 10, 10, 10]


def test_with_few_steps_it_is_the_coarse_scales_that_go():
    assert [scale.longest for scale in plan(size=512, min_size=128, steps=2)] == [362, 512]


def test_scales_too_coarse_for_the_network_are_left_out():
    scales = plan((100, 400), least=32, size=400, min_size=64)
    assert [scale.longest for scale in scales] == [141, 200, 283, 400]
    assert min(min(scale.shape) for scale in scales) >= 32


@pytest.mark.parametrize("shape", [(33, 4000), (4000, 33)])
def test_a_ribbon_works_at_the_scales_that_are_wide_enough(shape):
    scales = plan(shape, least=16, size=0)
    assert scales[-1].shape == shape
    assert min(scales[0].shape) >= 16
    assert len(scales) == 3


@pytest.mark.parametrize("min_size", [1, 2, 5])
@pytest.mark.parametrize("size", [1, 2, 3, 20])
def test_sizes_grow_even_when_they_are_tiny(size, min_size):
    longest = [scale.longest for scale in plan((64, 64), 1, size=size, min_size=min_size)]
    assert all(coarse < fine for coarse, fine in pairwise(longest))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("least", [16, 32])
def test_a_size_that_is_too_small_is_refused_with_the_least_that_works(shape, least):
    narrow = max(1, round(15 * min(shape[:2]) / max(shape[:2])))
    with pytest.raises(ValueError, match=r"^size 15 makes the content ") as told:
        plan(shape, least, size=15)
    assert f"content {narrow} pixels narrow, and the recipe's layers need {least};" in str(
        told.value
    )
    enough = int(str(told.value).rpartition(" ")[2].rstrip("."))
    assert enough == math.ceil(least * max(shape[:2]) / min(shape[:2]))
    assert min(plan(shape, least, size=enough)[-1].shape) >= least


def test_a_content_that_is_too_small_is_refused_at_its_own_size():
    with pytest.raises(ValueError, match=r"^size 20 .* take a size of at least 32\.$"):
        plan((10, 20), least=16, size=0)


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        (2.0, [64, 128, 256, 512]),
        (4.0, [128, 512]),
        (1.5, [67, 101, 152, 228, 341, 512]),
        (16.0, [512]),
    ],
)
def test_sizes_are_the_recipes_ratio_apart(ratio, expected):
    scales = plan(size=512, min_size=60, scale_ratio=ratio)
    assert [scale.longest for scale in scales] == expected


@pytest.mark.parametrize("least", [16, 32])
@pytest.mark.parametrize("shape", [(33, 4000), (4000, 33), (33, 4000, 3)])
def test_a_ribbon_is_worked_at_the_size_that_its_layers_need(shape, least):
    """At a size of 384 it would be three pixels narrow."""
    scales = plan(shape, least, size=384)
    assert min(scales[-1].shape) == least
    assert scales[-1].longest == math.ceil(least * 4000 / 33)
    assert len(scales) == 1  # the coarser ones are narrower yet
    assert max(scales[-1].shape) / min(scales[-1].shape) == pytest.approx(4000 / 33, rel=0.04)
    assert sum(scale.steps for scale in scales) == Recipe().steps


# A texture


def plan_texture(exemplar=(256, 192), shape=None, least=16, **fields):
    return plan_texture_scales(Recipe(**fields), exemplar, shape, least)


def test_a_texture_is_as_large_as_its_fitted_exemplar():
    scales = plan_texture(size=128, min_size=64)
    assert [(s.longest, s.shape) for s in scales] == [
        (64, (64, 48)),
        (91, (91, 68)),
        (128, (128, 96)),
    ]


@pytest.mark.parametrize("size", [0, 256, 1000])
def test_an_exemplar_is_never_enlarged(size):
    scale = plan_texture(size=size)[-1]
    assert scale.longest == 256
    assert scale.shape == (256, 192)


@pytest.mark.parametrize("shape", [(512, 640), (1000, 50), (37, 53), (257, 131), (16, 16)])
def test_a_texture_has_the_shape_that_is_asked_for(shape):
    """Larger than the exemplar or smaller, and a multiple of nothing."""
    scales = plan_texture(shape=shape, size=128, min_size=32)
    assert scales[-1].shape == shape
    assert scales[-1].longest == 128


@pytest.mark.parametrize("shape", [(512, 640), (999, 257), (131, 131)])
@pytest.mark.parametrize("size", [0, 100])
def test_coarse_scales_shrink_exemplar_and_texture_alike(shape, size):
    *coarse, finest = plan_texture(shape=shape, size=size, min_size=24)
    assert len(coarse) >= 4
    for scale in coarse:
        for side, full in zip(scale.shape, shape, strict=True):
            assert abs(side - full * scale.longest / finest.longest) <= 0.5


def test_coarse_scales_of_a_texture_are_large_enough_for_the_network():
    scales = plan_texture(shape=(40, 400), size=256, min_size=32)
    assert [scale.shape for scale in scales] == [(20, 200), (28, 283), (40, 400)]


@pytest.mark.parametrize("steps", [1, 3, 100])
def test_steps_of_a_texture_add_up(steps):
    scales = plan_texture(shape=(300, 300), min_size=32, steps=steps)
    assert sum(scale.steps for scale in scales) == steps
    assert scales[-1].shape == (300, 300)


@pytest.mark.parametrize("shape", [(15, 400), (400, 15), (8, 8)])
def test_a_texture_that_is_too_small_is_refused(shape):
    with pytest.raises(
        ValueError, match=r"^shape \d+ × \d+ is too small .* at least 16 pixels"
    ) as told:
        plan_texture(shape=shape)
    assert f"{shape[0]} × {shape[1]}" in str(told.value)


def test_a_ribbon_makes_a_texture_at_the_size_that_its_layers_need():
    """Nobody has asked for a shape, so none can be at fault."""
    scales = plan_texture((33, 4000), size=384)
    assert min(scales[-1].shape) == 16
    assert max(scales[-1].shape) / min(scales[-1].shape) == pytest.approx(4000 / 33, rel=0.04)
