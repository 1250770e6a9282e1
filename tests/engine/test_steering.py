import threading

import numpy as np
import pytest
import torch

import napari_nst as nst
from napari_nst.engine.iteration import Iteration
from napari_nst.engine.job.schedule import Scale, continued
from napari_nst.engine.optim.optimizer import LBFGS, Adam
from napari_nst.engine.steering import LIVE_FIELDS, Steering
from napari_nst.recipe import CONTROLS

RNG = np.random.default_rng(0)
CONTENT = RNG.integers(0, 256, (32, 32, 3), np.uint8)
STYLE = RNG.integers(0, 256, (32, 32, 3), np.uint8)


def steps_with(recipe, at, change, steering=None, **arguments):
    """Run, call `change(steering)` after a step, and return all iterations."""
    steering = steering or Steering()
    found = []
    for it in nst.stylize(CONTENT, STYLE, recipe, steering=steering, **arguments):
        found.append(it)
        if it.step == at:
            change(steering)
    return found


# ── what a caller asks for ───────────────────────────────────────────────────────────────────────


def test_nothing_is_pending_at_first_nor_after_it_was_taken():
    steering = Steering()
    assert steering.take_changes() is None
    steering.change(style_weight=3)
    assert dict(steering.take_changes().fields) == {"style_weight": 3.0}
    assert steering.take_changes() is None


def test_a_run_is_to_stop_once_somebody_says_so():
    steering = Steering()
    assert not steering.stopped
    thread = threading.Thread(target=steering.stop)
    thread.start()
    thread.join()
    assert steering.stopped


def test_changes_that_the_run_has_not_seen_yet_are_one_change():
    steering = Steering()
    steering.change(style_weight=3, tv_weight=1)
    steering.restyle([STYLE])
    steering.change(style_weight=4)
    steering.paint(np.zeros((2, 2, 3)), np.ones((2, 2), bool))
    change = steering.take_changes()
    assert dict(change.fields) == {"style_weight": 4.0, "tv_weight": 1.0}
    assert change.styles()[0] is STYLE
    assert len(change.strokes) == 1


def test_layers_and_blends_may_be_given_as_text():
    steering = Steering()
    steering.change(style_layers="relu1_1:2", style_blend="0.5, 0.5")
    fields = steering.take_changes().fields
    assert fields["style_layers"] == {"relu1_1": 2.0}
    assert fields["style_blend"] == (0.5, 0.5)


@pytest.mark.parametrize(
    "name", ["size", "steps", "seed", "init", "optimizer", "device", "nonsense"]
)
def test_what_says_how_a_run_began_cannot_change(name):
    with pytest.raises(ValueError, match=f"{name} cannot change while a run goes on"):
        Steering().change(**{name: 1})


def test_a_bad_value_is_told_at_once_and_changes_nothing():
    steering = Steering()
    with pytest.raises(ValueError, match="style_weight must be at least 0"):
        steering.change(tv_weight=1, style_weight=-1)
    assert steering.take_changes() is None


def test_strokes_must_fit_their_picture():
    with pytest.raises(ValueError, match="where must be of the picture's size"):
        Steering().paint(np.zeros((4, 4, 3)), np.ones((4, 5), bool))


def test_strokes_are_what_was_painted_then():
    steering = Steering()
    picture = np.zeros((2, 2, 3))
    steering.paint(picture, np.ones((2, 2), bool))
    picture[:] = 1
    assert steering.take_changes().strokes[0].picture.max() == 0


def test_many_threads_lose_no_change():
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


# ── what the run makes of it ─────────────────────────────────────────────────────────────────────


def test_a_weight_takes_effect_at_the_next_iteration(quick):
    recipe = quick(steps=4, style_weight=1.0, tv_weight=0)
    plain = steps_with(recipe, 2, lambda s: None)
    found = steps_with(recipe, 2, lambda s: s.change(style_weight=1000.0))
    assert found[1].losses == plain[1].losses
    assert found[2].losses["style"] > 100 * plain[2].losses["style"]
    assert found[3].facts["recipe"]["style_weight"] == 1000


def test_a_change_before_the_first_iteration_counts_as_if_given(quick):
    steering = Steering()
    steering.change(style_weight=50.0)
    found = steps_with(quick(style_weight=1.0), 0, None, steering)
    given = steps_with(quick(style_weight=50.0), 0, None)
    assert found[0].losses == pytest.approx(given[0].losses)


def test_layers_that_the_network_did_not_return_so_far(quick):
    recipe = quick(steps=3)
    found = steps_with(
        recipe, 1, lambda s: s.change(style_layers="relu3_1", content_layers="relu1_2")
    )
    assert "style/relu2_1" in found[0].losses
    parts = {name for name in found[1].losses if "/" in name}
    assert parts == {"style/relu3_1", "content/relu1_2"}


def test_every_live_field_can_change(quick):
    other = {
        "style_loss": "wasserstein", "content_norm": "mean", "style_norm": "mean", "color": "pca",
        "tv_loss": "absolute", "style_sizing": "physical", "style_blend": (1.0,),
        "content_layers": {"relu1_2": 1.0}, "style_layers": {"relu1_2": 1.0},
    }  # fmt: skip
    for name in LIVE_FIELDS:
        control = CONTROLS[name]
        value = other.get(name)
        if value is None:
            assert control.kind in (int, float), name
            value = getattr(nst.Recipe(), name) + (1 if control.kind is int else 0.25)
        if name == "tv_loss":
            value = next(c for c in control.choices if c != nst.Recipe().tv_loss)
        found = steps_with(
            quick(steps=2), 1, lambda s, name=name, value=value: s.change(**{name: value})
        )
        changed = found[-1].facts["recipe"][name]
        assert changed == (list(value) if isinstance(value, tuple) else value), name


def test_lbfgs_forgets_its_history_and_adam_keeps_its_moments(quick, monkeypatch):
    begun = []
    for kind in (LBFGS, Adam):
        begin = kind.begin

        def noted(self, *args, begin=begin):
            begin(self, *args)
            begun.append(len(self.optimizer.state[self.pixels]))

        monkeypatch.setattr(kind, "begin", noted)
    for optimizer, expected in (("lbfgs", [0, 0]), ("adam", [0, 3])):
        begun.clear()
        steps_with(quick(optimizer=optimizer, steps=4), 2, lambda s: s.change(style_weight=9))
        assert begun == expected


def test_nothing_changes_where_nothing_is_asked_for(quick):
    with_steering = steps_with(quick(), 0, None)
    without = list(nst.stylize(CONTENT, STYLE, quick()))
    np.testing.assert_array_equal(with_steering[-1].image, without[-1].image)
    assert "steered" not in with_steering[-1].facts


@pytest.mark.parametrize("color", ["luminance", "histogram", "style"])
@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_the_colour_mode_changes_and_the_picture_goes_on_from_what_is_seen(quick, color, optimizer):
    first = "luminance" if color == "style" else "style"
    recipe = quick(color=first, optimizer=optimizer, steps=4, learning_rate=1e-6)
    found = steps_with(recipe, 2, lambda s: s.change(color=color))
    assert np.abs(found[2].image - found[1].image).max() < 0.02
    assert found[3].facts["recipe"]["color"] == color


def test_another_style_gives_other_targets(quick):
    flat = np.full((32, 32, 3), 128, np.uint8)
    found = steps_with(quick(steps=4), 2, lambda s: s.restyle([flat]))
    direct = list(nst.stylize(found[1].image, flat, quick(steps=1, learning_rate=1e-9)))
    assert found[2].losses["style"] != pytest.approx(found[1].losses["style"], rel=0.2)
    assert (
        found[2].facts["inputs"]["style"]["sha256"] == direct[0].facts["inputs"]["style"]["sha256"]
    )


def test_styles_are_read_in_the_run(quick):
    readers = []

    def read():
        readers.append(threading.current_thread())
        return [STYLE]

    found = []
    steering = Steering()
    steering.restyle(read)
    run = threading.Thread(
        target=lambda: found.extend(nst.stylize(CONTENT, STYLE, quick(steps=2), steering=steering))
    )
    run.start()
    run.join()
    assert len(found) == 2
    assert readers == [run]


def test_two_styles_blended_otherwise(quick):
    steering = Steering()
    found = []
    other = 255 - STYLE
    for it in nst.stylize(CONTENT, [STYLE, other], quick(steps=4), steering=steering):
        found.append(it)
        if it.step == 2:
            steering.change(style_blend=(1.0, 0.0))
    alone = list(nst.stylize(found[2].image, STYLE, quick(steps=1, learning_rate=1e-9)))
    assert found[2].losses["style"] == pytest.approx(alone[0].losses["style"], rel=0.05)


def test_what_is_painted_is_in_the_picture(quick):
    red = np.zeros((32, 32, 3), np.float32)
    red[..., 0] = 1
    where = np.zeros((32, 32), bool)
    where[:16] = True
    recipe = quick(steps=4, learning_rate=1e-6)
    found = steps_with(recipe, 2, lambda s: s.paint(red, where))
    np.testing.assert_allclose(found[2].image[:16], red[:16], atol=0.02)
    np.testing.assert_allclose(found[2].image[16:], found[1].image[16:], atol=0.02)
    assert found[2].facts["steered"] == [{"after_step": 2, "painted_pixels": 512}]


def test_strokes_of_another_size_and_of_grey(quick):
    white, where = np.ones((64, 64), np.float32), np.zeros((64, 64), bool)
    where[:32] = True
    recipe = quick(steps=3, learning_rate=1e-6)
    found = steps_with(recipe, 1, lambda s: s.paint(white, where))
    assert found[1].image[:15].min() > 0.95


def test_strokes_lie_on_grey_content_as_grey(quick):
    steering = Steering()
    red = np.zeros((32, 32, 3), np.float32)
    red[..., 0] = 1
    found = []
    for it in nst.stylize(CONTENT[..., 0], STYLE, quick(learning_rate=1e-6), steering=steering):
        found.append(it)
        if it.step == 1:
            steering.paint(red, np.ones((32, 32), bool))
    assert found[1].picture.shape == (32, 32)
    assert found[1].picture == pytest.approx(0.2126, abs=0.1)


def test_a_change_that_turns_out_impossible_is_told_and_the_run_goes_on(quick):
    told = []
    found = steps_with(
        quick(steps=4), 2, lambda s: s.change(style_blend=(0.5, 0.5)), Steering(told.append)
    )
    assert len(found) == 4
    assert len(told) == 1
    assert "style_blend has 2 numbers for 1 style" in told[0]
    assert found[3].facts["recipe"]["style_blend"] == []


def test_without_a_listener_it_warns(quick):
    with pytest.warns(UserWarning, match="style is 4 × 4 pixels"):
        steps_with(
            quick(steps=3, style_layers={"relu5_1": 1}), 1, lambda s: s.restyle([STYLE[:4, :4]])
        )


def test_what_is_as_it_was_changes_nothing(quick):
    recipe = quick(steps=4)

    def same(steering):
        steering.change(style_weight=recipe.style_weight)
        steering.restyle([STYLE.copy()])

    found, plain = steps_with(recipe, 2, same), steps_with(recipe, 2, lambda s: None)
    np.testing.assert_array_equal(found[-1].image, plain[-1].image)
    assert "steered" not in found[-1].facts


def test_layers_too_deep_for_the_scale_are_refused(quick):
    told = []
    recipe = quick(steps=6, size=32, min_size=8, scale_ratio=4.0)
    found = steps_with(recipe, 1, lambda s: s.change(style_layers="relu5_1"), Steering(told.append))
    assert "too small for relu5_1" in told[0]
    assert "style/relu2_1" in found[-1].losses


def test_textures_and_reconstructions_are_steered_too(quick):
    for job in (nst.synthesize, nst.reconstruct):
        steering, found = Steering(), []
        recipe = quick(init="noise", content_weight=1.0, style_weight=1.0, tv_weight=0.0, steps=3)
        for it in job(CONTENT, recipe, steering=steering):
            found.append(it)
            if it.step == 1:
                steering.change(style_weight=100.0, content_weight=100.0, color="luminance")
        assert found[1].losses["total"] > 20 * found[0].losses["total"]
        # What the job leaves aside, it goes on to leave aside.
        zero = "content" if job is nst.synthesize else "style"
        assert found[2].losses[zero] == 0
        assert found[2].facts["recipe"]["color"] == "style"


# ── going on ─────────────────────────────────────────────────────────────────────────────────────


def test_a_finished_run_goes_on_where_it_ended(quick):
    first = list(nst.stylize(CONTENT, STYLE, quick(steps=3, tv_weight=0)))
    more = list(nst.stylize(CONTENT, STYLE, quick(steps=2, tv_weight=0), after=first[-1]))
    assert [(it.step, it.steps) for it in more] == [(4, 5), (5, 5)]
    assert more[0].losses["total"] < 1.05 * first[-1].losses["total"]
    assert more[-1].seconds > first[-1].seconds
    assert more[-1].facts["recipe"]["steps"] == 5


def test_it_goes_on_at_a_larger_size(quick):
    content, style = np.tile(CONTENT, (3, 3, 1)), np.tile(STYLE, (3, 3, 1))
    first = list(nst.stylize(content, style, quick(size=32, steps=2)))
    larger = quick(size=96, min_size=16, scale_ratio=2.0, steps=5)
    more = list(nst.stylize(content, style, larger, after=first[-1]))
    assert [it.shape for it in more] == [(48, 48)] * 2 + [(96, 96)] * 3
    assert more[-1].steps == 7


def test_in_luminance_it_goes_on_from_what_is_seen(quick):
    recipe = quick(color="luminance", learning_rate=1e-6)
    first = list(nst.stylize(CONTENT, STYLE, recipe))[-1]
    more = next(nst.stylize(CONTENT, STYLE, recipe, after=first))
    assert np.abs(more.image - first.image).max() < 0.02


def test_what_was_changed_before_stays_in_the_record(quick):
    first = steps_with(quick(), 1, lambda s: s.change(style_weight=9))[-1]
    more = steps_with(quick(style_weight=9), 5, lambda s: s.change(tv_weight=3), after=first)[-1]
    assert more.facts["steered"] == [
        {"after_step": 1, "style_weight": 9.0},
        {"after_step": 5, "tv_weight": 3.0},
    ]


def test_one_of_several_pictures_cannot_go_on(quick):
    one = Iteration(1, 1, {}, (8, 8), 0, 0, torch.zeros(1, 3, 8, 8), panels=("a", "b"))
    with pytest.raises(ValueError, match="after is one of several pictures"):
        nst.stylize(CONTENT, STYLE, quick(), after=one)


def test_the_scales_that_go_on():
    scales = [Scale(64, (64, 64), 5), Scale(96, (96, 96), 5), Scale(128, (128, 128), 5)]
    assert continued(scales, 8, (64, 64)) == [Scale(96, (96, 96), 4), Scale(128, (128, 128), 4)]
    assert continued(scales, 8, (128, 128)) == [Scale(128, (128, 128), 8)]
    assert continued(scales, 8, (500, 500)) == [Scale(128, (128, 128), 8)]
    assert continued(scales, 1, (8, 8)) == [Scale(128, (128, 128), 1)]
