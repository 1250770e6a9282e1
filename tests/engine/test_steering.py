"""Changes to a run that goes on, and runs that continue others."""

import threading

import numpy as np
import pytest
import torch

import napari_nst as nst
from napari_nst.engine.iteration import Iteration
from napari_nst.engine.steering import LIVE_FIELDS, Steering
from napari_nst.engine.vgg.network import VGG19
from napari_nst.errors import Cancelled
from napari_nst.recipe import CONTROLS

RNG = np.random.default_rng(0)
CONTENT = RNG.integers(0, 256, (32, 32, 3), np.uint8)
STYLE = RNG.integers(0, 256, (32, 32, 3), np.uint8)
RED = np.zeros((32, 32, 3), np.float32)
RED[..., 0] = 1
UPPER = np.repeat([True, False], 16)[:, None] & np.ones((32, 32), bool)


def steps_with(recipe, at, change, steering=None, content=CONTENT, style=STYLE, **arguments):
    """Run, call `change(steering)` after a step, and return all iterations."""
    steering = steering or Steering()
    found = []
    for it in nst.stylize(content, style, recipe, steering=steering, **arguments):
        found.append(it)
        if it.step == at:
            change(steering)
    return found


# What a caller asks for


def test_changes_are_collected_until_the_run_takes_them():
    steering = Steering()
    assert steering.take_changes() is None
    steering.change(style_weight=3, tv_weight=1)
    steering.restyle([STYLE])
    steering.change(style_weight=4, style_layers="relu1_1:2", style_blend="0.5, 0.5")
    picture = np.zeros((2, 2, 3))
    steering.paint(picture, np.ones((2, 2), bool))
    picture[:] = 1
    change = steering.take_changes()
    assert dict(change.fields) == {
        "style_weight": 4.0, "tv_weight": 1.0, "style_layers": {"relu1_1": 2.0},
        "style_blend": (0.5, 0.5),
    }  # fmt: skip
    assert change.styles()[0] is STYLE
    assert change.strokes[0].picture.max() == 0  # a copy
    assert steering.take_changes() is None


def test_a_run_is_cancelled_from_another_thread():
    steering = Steering()
    steering.check_cancelled()
    thread = threading.Thread(target=steering.stop)
    thread.start()
    thread.join()
    assert steering.stopped
    with pytest.raises(Cancelled):
        steering.check_cancelled()


def test_a_steering_that_has_stopped_a_run_begins_no_other(quick):
    recipe, steering = quick(steps=3, init="noise"), Steering()
    assert len(steps_with(recipe, 1, Steering.stop, steering)) == 1
    with pytest.raises(ValueError, match="new Steering for each run"):
        nst.stylize(CONTENT, STYLE, recipe, steering=steering)
    with pytest.raises(ValueError, match="new Steering for each run"):
        next(nst.compare_textures(STYLE, recipe, layers=["relu1_1"], steering=steering))


def test_stopped_before_its_only_run_or_between_two_images_is_no_error(quick):
    early = Steering()
    early.stop()
    assert list(nst.stylize(CONTENT, STYLE, quick(steps=3), steering=early)) == []
    steering = Steering()
    found = []
    for it in nst.compare_textures(
        STYLE, quick(steps=2, init="noise"), layers=["relu1_1", "relu2_1"], steering=steering
    ):
        found.append(it)
        if it.step == 2:  # the last of the first image
            steering.stop()
    assert [it.panel for it in found] == [0, 0]


@pytest.mark.parametrize("name", ["size", "init", "nonsense"])
def test_fields_of_the_beginning_cannot_change(name):
    with pytest.raises(ValueError, match=rf"{name}.* cannot change"):
        Steering().change(**{name: 1})


def test_a_bad_value_is_refused_at_once_and_changes_nothing():
    steering = Steering()
    with pytest.raises(ValueError, match=r"style_weight.* at least 0"):
        steering.change(tv_weight=1, style_weight=-1)
    with pytest.raises(ValueError, match="where must be of the picture's size"):
        steering.paint(np.zeros((4, 4, 3)), np.ones((4, 5), bool))
    assert steering.take_changes() is None


def test_no_change_is_lost_between_threads():
    steering = Steering()
    names = [name for name in LIVE_FIELDS if CONTROLS[name].kind is float]
    threads = [
        threading.Thread(target=steering.change, kwargs={name: getattr(nst.Recipe(), name)})
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(steering.take_changes().fields) == set(names)


# What the run does


def test_a_weight_takes_effect_at_the_next_iteration(quick):
    recipe = quick(steps=4, style_weight=1.0, tv_weight=0)
    plain = steps_with(recipe, 2, lambda s: None)
    found = steps_with(recipe, 2, lambda s: s.change(style_weight=1000.0))
    assert found[1].losses == plain[1].losses
    assert found[2].losses["style"] > 100 * plain[2].losses["style"]
    assert found[3].facts["recipe"]["style_weight"] == 1000


@pytest.mark.parametrize("name", LIVE_FIELDS)
def test_every_live_field_can_change(quick, name):
    other = {
        "style_loss": "wasserstein", "content_norm": "mean", "style_norm": "mean", "color": "pca",
        "tv_loss": "absolute", "style_sizing": "physical", "style_blend": (1.0,),
        "content_layers": {"relu1_2": 1.0}, "style_layers": {"relu1_2": 1.0},
        "terms": [{"style_layers": {"relu1_2": 1.0}}], "phases": [],
    }  # fmt: skip
    control, usual = CONTROLS[name], getattr(nst.Recipe(), name)
    value = other.get(name)
    if control.kind is bool:
        value = not usual
    elif control.kind in (int, float):
        value = usual + (1 if control.kind is int else 0.25)
    elif name not in other or name == "tv_loss":
        value = next((choice for choice in control.choices if choice != usual), usual)
    found = steps_with(quick(steps=2, size=16), 1, lambda s: s.change(**{name: value}))
    assert found[-1].facts["recipe"][name] == (list(value) if isinstance(value, tuple) else value)


def test_equal_settings_and_styles_change_nothing(quick):
    recipe = quick(steps=4)

    def same(steering):
        steering.change(style_weight=recipe.style_weight)
        steering.restyle([STYLE.copy()])

    found, plain = steps_with(recipe, 2, same), list(nst.stylize(CONTENT, STYLE, recipe))
    np.testing.assert_array_equal(found[-1].image, plain[-1].image)
    assert "steered" not in found[-1].facts


@pytest.mark.parametrize("color", ["luminance", "style"])
def test_the_run_continues_in_another_colour_mode_from_the_shown_image(quick, color):
    first = "luminance" if color == "style" else "style"
    recipe = quick(color=first, steps=4, learning_rate=1e-6)
    found = steps_with(recipe, 2, lambda s: s.change(color=color))
    assert np.abs(found[2].image - found[1].image).max() < 0.02
    assert found[3].facts["recipe"]["color"] == color


def test_another_style_is_read_in_the_run_and_gives_other_targets(quick):
    flat, readers = np.full((32, 32, 3), 128, np.uint8), []

    def read():
        readers.append(threading.current_thread())
        return [flat]

    found = []
    thread = threading.Thread(
        target=lambda: found.extend(steps_with(quick(steps=4), 2, lambda s: s.restyle(read)))
    )
    thread.start()
    thread.join()
    assert readers == [thread]
    assert found[2].losses["style"] != pytest.approx(found[1].losses["style"], rel=0.2)
    direct = next(nst.stylize(CONTENT, flat, quick()))
    assert found[2].facts["inputs"]["style"] == direct.facts["inputs"]["style"]


def test_two_styles_get_other_shares(quick):
    one_alone = lambda s: s.change(style_blend=(1.0, 0.0))  # noqa: E731
    found = steps_with(quick(), 2, one_alone, style=[STYLE, 255 - STYLE])
    alone = next(nst.stylize(found[2].image, STYLE, quick(steps=1, learning_rate=1e-9)))
    assert found[2].losses["style"] == pytest.approx(alone.losses["style"], rel=0.05)


@pytest.mark.parametrize("size", [32, 64])
def test_painted_pixels_are_copied_into_the_image(quick, size):
    enlarged = [np.kron(one, np.ones((size // 32,) * 2)) for one in (RED[..., 0], UPPER)]
    paint = np.dstack([enlarged[0], np.zeros((size, size, 2))])
    recipe = quick(steps=3, learning_rate=1e-6)
    found = steps_with(recipe, 2, lambda s: s.paint(paint, enlarged[1] > 0))
    np.testing.assert_allclose(found[2].image[:15], RED[:15], atol=0.02)
    np.testing.assert_allclose(found[2].image[17:], found[1].image[17:], atol=0.02)
    painted = (size // 32) ** 2 * 512
    assert found[2].facts["steered"] == [{"after_step": 2, "painted_pixels": painted}]


def test_paint_on_a_grey_image_is_grey(quick):
    recipe = quick(steps=2, learning_rate=1e-6)
    found = steps_with(recipe, 1, lambda s: s.paint(RED, RED[..., 0] > 0), content=CONTENT[..., 0])
    assert found[1].picture.shape == (32, 32)
    assert found[1].picture == pytest.approx(0.2126, abs=0.1)  # the luminance of red


@pytest.mark.parametrize(
    ("fields", "change", "told"),
    [
        ({}, lambda s: s.change(style_blend=(0.5, 0.5)), "style_blend"),
        ({"min_size": 8}, lambda s: s.change(style_layers="relu5_1"), "too small for relu5_1"),
        ({}, lambda s: s.restyle([STYLE[:1]]), " 1 × 32 pixels"),
    ],
)
def test_an_impossible_change_is_told_and_the_run_goes_on(quick, fields, change, told):
    sentences = []
    recipe = quick(steps=6, scale_ratio=4.0, **fields)
    found = steps_with(recipe, 1, change, Steering(sentences.append))
    assert len(found) == 6
    assert len(sentences) == 1
    assert told in sentences[0]
    assert found[-1].facts["recipe"] == recipe.to_dict()


@pytest.mark.parametrize("run", [nst.synthesize, nst.reconstruct])
def test_textures_and_reconstructions_are_steered_too(quick, run):
    steering, found = Steering(), []
    recipe = quick(init="noise", content_weight=1.0, style_weight=1.0, tv_weight=0.0)
    for it in run(CONTENT, recipe, steering=steering):
        found.append(it)
        if it.step == 1:
            steering.change(style_weight=100.0, content_weight=100.0, color="luminance")
    assert found[1].losses["total"] > 20 * found[0].losses["total"]
    # The fields that the function sets stay as they are.
    assert found[2].losses["content" if run is nst.synthesize else "style"] == 0
    assert found[2].facts["recipe"]["color"] == "style"


# Runs that continue others


def test_a_finished_run_continues_where_it_ended(quick):
    recipe = quick(steps=3, tv_weight=0)
    first = steps_with(recipe, 1, lambda s: s.change(style_weight=9))[-1]
    more = list(nst.stylize(CONTENT, STYLE, recipe.replace(style_weight=9, steps=2), after=first))
    assert [(it.step, it.steps) for it in more] == [(4, 5), (5, 5)]
    assert more[0].losses["total"] < 1.05 * first.losses["total"]
    assert more[-1].seconds > first.seconds
    assert more[-1].facts["recipe"]["steps"] == 5
    assert more[-1].facts["steered"] == [{"after_step": 1, "style_weight": 9.0}]


def test_a_luminance_run_continues_from_the_shown_image(quick):
    recipe = quick(color="luminance", steps=2, learning_rate=1e-6)
    first = list(nst.stylize(CONTENT, STYLE, recipe))[-1]
    more = next(nst.stylize(CONTENT, STYLE, recipe, after=first))
    assert np.abs(more.image - first.image).max() < 0.02


def test_a_run_continues_at_a_larger_size(quick):
    content, style = np.tile(CONTENT, (3, 3, 1)), np.tile(STYLE, (3, 3, 1))
    first = list(nst.stylize(content, style, quick(size=32, steps=2)))
    larger = quick(size=96, min_size=16, scale_ratio=2.0, steps=5)
    more = list(nst.stylize(content, style, larger, after=first[-1]))
    assert [it.shape for it in more] == [(48, 48)] * 2 + [(96, 96)] * 3
    assert more[-1].steps == 7


def test_one_of_several_images_cannot_be_continued(quick):
    one = Iteration(1, 1, {}, (8, 8), 0, 0, torch.zeros(1, 3, 8, 8), panels=("a", "b"))
    with pytest.raises(ValueError, match=r"after.* several"):
        nst.stylize(CONTENT, STYLE, quick(), after=one)


@pytest.mark.parametrize(
    "change",
    [lambda s: s.paint(RED, UPPER), lambda s: s.change(learning_rate=0.5)],
    ids=["stroke", "learning rate"],
)
def test_a_change_that_leaves_the_losses_as_they_are_measures_no_image_again(
    quick, monkeypatch, change
):
    forward, calls = VGG19.iter_features, []

    def counted(network, *arguments):
        calls.append(arguments)
        return forward(network, *arguments)

    monkeypatch.setattr(VGG19, "iter_features", counted)
    steps_with(quick(steps=4), 2, lambda s: None)
    plain = len(calls)
    calls.clear()
    steps_with(quick(steps=4), 2, change)
    assert len(calls) == plain + 1  # the changed image's


@pytest.mark.parametrize(
    "picture", [np.full((32, 32, 3), np.nan), np.full((32, 32), 7.0), np.zeros((32, 32, 2))]
)
def test_paint_that_is_no_picture_is_refused_at_once(picture):
    with pytest.raises(ValueError, match="picture"):
        Steering().paint(picture, UPPER)


def test_a_style_that_cannot_be_read_leaves_the_run_as_it_was(quick):
    def gone():
        raise OSError("painting.tif is gone")

    said = []
    found = steps_with(quick(steps=4), 2, lambda s: s.restyle(gone), Steering(said.append))
    assert said == ["Not changed: painting.tif is gone"]
    assert found[-1].step == 4
    assert "steered" not in found[-1].facts
