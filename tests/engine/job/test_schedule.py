"""The schedule of sizes and steps."""

import math

import pytest

from napari_nst.engine.job.schedule import Scale, continued, plan_scales, plan_texture_scales
from napari_nst.recipe import Recipe


def plan(shape=(512, 512), least=16, **fields):
    return plan_scales(Recipe(**fields), shape, least)


@pytest.mark.parametrize(
    ("size", "min_size", "ratio", "expected"),
    [
        (512, 128, 2**0.5, [128, 181, 256, 362, 512]),
        (300, 128, 2**0.5, [150, 212, 300]),
        (100, 128, 2**0.5, [100]),
        (512, 60, 4.0, [128, 512]),
    ],
)
def test_sizes_are_the_recipes_ratio_apart(size, min_size, ratio, expected):
    scales = plan(size=size, min_size=min_size, scale_ratio=ratio)
    assert [scale.longest for scale in scales] == expected


def test_a_min_size_of_0_means_one_scale():
    assert plan(size=512, min_size=0, steps=7) == [Scale(512, (512, 512), 7)]


@pytest.mark.parametrize("shape", [(600, 800), (33, 4000)])
@pytest.mark.parametrize("size", [0, 64])
def test_every_scale_keeps_the_aspect(shape, size):
    for scale in plan(shape, 1, size=size, min_size=32):
        assert max(scale.shape) == scale.longest <= (size or max(shape))
        for side, whole in zip(scale.shape, shape, strict=True):
            assert abs(side - max(1, whole * scale.longest / max(shape))) <= 0.5


@pytest.mark.parametrize("steps", [1, 2, 7])
@pytest.mark.parametrize("share", [0.0, 1000.0])
def test_steps_add_up_with_at_least_one_for_each_scale(steps, share):
    scales = plan(size=512, min_size=128, steps=steps, first_scale_share=share)
    assert sum(scale.steps for scale in scales) == steps
    assert min(scale.steps for scale in scales) >= 1
    assert len(scales) == min(steps, 5)
    assert scales[-1].longest == 512  # with few steps, coarse scales are left out


def test_the_first_scale_takes_its_share():
    first, *others = plan(size=512, min_size=128, steps=605, first_scale_share=2)
    assert first.steps == pytest.approx(2 * others[0].steps, abs=2)
    assert max(scale.steps for scale in others) - min(scale.steps for scale in others) <= 1


def test_scales_too_coarse_for_the_network_are_left_out():
    scales = plan((100, 400), least=32, size=400, min_size=64)
    assert [scale.longest for scale in scales] == [141, 200, 283, 400]


@pytest.mark.parametrize("shape", [(600, 800), (4000, 33)])
def test_a_size_that_is_too_small_is_refused_with_the_least_that_works(shape):
    with pytest.raises(ValueError, match="`size` of 15 ") as told:
        plan(shape, 16, size=15)
    enough = int(str(told.value).rpartition(" ")[2].rstrip("."))
    assert enough == math.ceil(16 * max(shape) / min(shape))
    assert min(plan(shape, 16, size=enough)[-1].shape) >= 16


def test_a_very_long_content_is_worked_at_the_size_that_its_layers_need():
    """At a size of 384 it would be three pixels narrow."""
    (scale,) = plan((33, 4000), 16, size=384)
    assert min(scale.shape) == 16
    assert scale.longest == math.ceil(16 * 4000 / 33)
    assert scale.steps == Recipe().steps


@pytest.mark.parametrize("shape", [(3, 4000), (4000, 1), (10, 20)])
def test_a_content_narrower_than_the_layers_need_is_not_enlarged_unasked(shape):
    with pytest.raises(ValueError, match=f"{shape[0]} × {shape[1]} pixels") as told:
        plan(shape, 16, size=24)
    enough = int(str(told.value).split()[-2])
    assert min(plan(shape, 16, size=enough)[-1].shape) == 16


def test_a_run_continues_at_larger_scales_or_at_the_finest():
    scales = plan(size=512, min_size=128)
    assert continued(scales, 5, (300, 300)) == [
        Scale(362, (362, 362), 2),
        Scale(512, (512, 512), 3),
    ]
    assert continued(scales, 5, (512, 512)) == [Scale(512, (512, 512), 5)]
    assert continued(scales, 1, (300, 300)) == [Scale(512, (512, 512), 1)]


# Phases

ADAM, COARSER = {"optimizer": "adam"}, {"sizes": "coarser"}


def phases_of(scales):
    return [(scale.phase, scale.longest, scale.steps) for scale in scales]


def test_later_phases_share_their_steps_and_have_their_own_sizes():
    fields = {"size": 128, "min_size": 64, "first_scale_share": 1.0, "steps": 30}
    phases = [{**COARSER, "steps": 2}, ADAM]
    scales = plan(phases=phases, refine_share=0.6, **fields)
    assert phases_of(scales) == [
        (0, 64, 4), (0, 91, 4), (0, 128, 4), (1, 64, 6), (1, 91, 6), (2, 128, 6)
    ]  # fmt: skip
    scales = plan(phases=phases, refine_share=0.6, own_sizes="coarser", **fields)
    assert phases_of(scales)[:2] == [(0, 64, 6), (0, 91, 6)]
    scales = plan(phases=phases, refine_share=1.0, **fields)
    assert {scale.phase for scale in scales} == {1, 2}
    assert plan(phases=phases, refine_share=0.0, own_sizes="coarser", **fields) == plan(**fields)
    scales = plan(phases=[{"sizes": 2}, {"sizes": 9}, {"sizes": "all"}], **fields)
    assert [(p, size) for p, size, _ in phases_of(scales)[3:]] == [
        (1, 91), (2, 64), (3, 64), (3, 91), (3, 128)
    ]  # fmt: skip


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
@pytest.mark.parametrize("own_sizes", ["all", "coarser"])
@pytest.mark.parametrize("min_size", [0, 64])
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 50])
def test_few_steps_leave_out_phases_and_sizes_but_never_the_finest(
    steps, share, own_sizes, min_size
):
    phases = [COARSER, {"sizes": "all", "steps": 1e6}, {"sizes": 2, "steps": 1e-3}, ADAM]
    scales = plan(
        size=128, min_size=min_size, steps=steps, refine_share=share, own_sizes=own_sizes,
        phases=phases,
    )  # fmt: skip
    assert sum(scale.steps for scale in scales) == steps
    assert min(scale.steps for scale in scales) >= 1
    assert scales[-1].longest == 128
    assert [scale.phase for scale in scales] == sorted(scale.phase for scale in scales)
    if steps > 1 and 0 < share < 1:
        assert {scales[0].phase, scales[-1].phase} == {0, 4}


# Textures


def plan_texture(exemplar=(256, 192), shape=None, least=16, **fields):
    return plan_texture_scales(Recipe(**fields), exemplar, shape, least)


def test_a_texture_is_as_large_as_its_fitted_exemplar():
    scales = plan_texture(size=128, min_size=64)
    assert [s.shape for s in scales] == [(64, 48), (91, 68), (128, 96)]
    assert plan_texture(size=1000)[-1].shape == (256, 192)  # never enlarged


@pytest.mark.parametrize("shape", [(1000, 50), (37, 53)])
def test_coarse_scales_shrink_exemplar_and_texture_alike(shape):
    *coarse, finest = plan_texture(shape=shape, size=128, min_size=24)
    assert (finest.longest, finest.shape) == (128, shape)
    for scale in coarse:
        for side, full in zip(scale.shape, shape, strict=True):
            assert abs(side - full * scale.longest / 128) <= 0.5


def test_a_shape_that_is_too_small_is_refused():
    with pytest.raises(ValueError, match=r"15 × 400.* 16 pixels"):
        plan_texture(shape=(15, 400))


def test_a_very_long_exemplar_makes_a_texture_at_the_size_that_its_layers_need():
    assert min(plan_texture((33, 4000), size=384)[-1].shape) == 16
