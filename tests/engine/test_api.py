"""Whole runs: what they take, what they give, and what they say when they cannot."""

import re

import numpy as np
import pytest
import skimage.data
import torch

import napari_nst as nst
from napari_nst.engine import api as jobs
from napari_nst.engine.job.input_image import as_rgb
from napari_nst.engine.run import run as course
from napari_nst.engine.run.initial_image import MEAN_COLOUR
from napari_nst.engine.vgg.network import VGG19
from napari_nst.recipe import Recipe, on_flavour, preset, published
from tests.helpers.small_images import CONTENT, STYLE


def run(recipe, content=CONTENT, style=STYLE):
    return list(jobs.stylize(content, style, recipe))


# What a run gives


JOBS = {
    "transfer": lambda recipe: jobs.stylize(CONTENT, STYLE, recipe),
    "texture": lambda recipe: jobs.synthesize(STYLE, recipe),
    "reconstruction": lambda recipe: jobs.reconstruct(CONTENT, recipe),
}


@pytest.mark.network
@pytest.mark.parametrize("name", nst.preset_names())
def test_every_preset_lowers_its_loss_with_the_real_network(real, name):
    """On the flavour that is here, with its weights converted; each for its own job."""
    recipe = on_flavour(preset(name), "gatys")
    recipe = recipe.replace(size=48, min_size=0, steps=5, precision="float32", device="cpu")
    first, *_, last = JOBS[published(name).job](recipe)
    assert last.losses["total"] < first.losses["total"]


@pytest.mark.network
@pytest.mark.parametrize(
    "fields",
    [
        {"optimizer": "lbfgs", "init": "content"},
        {"optimizer": "adam", "init": "noise", "precision": "bfloat16"},
        {"min_size": 32, "init": "mix", "padding": "circular"},
    ],
    ids=str,
)
def test_the_same_seed_gives_the_same_result_bit_for_bit(real, fields):
    recipe = preset(**{"size": 48, "min_size": 0, "steps": 5, "device": "cpu", "seed": 7, **fields})
    for one, other in zip(run(recipe), run(recipe), strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        assert one.losses == other.losses


@pytest.mark.network
def test_the_result_takes_on_the_style_and_keeps_the_content():
    recipe = preset(size=64, min_size=45, steps=24, device="cpu")
    result = run(recipe)[-1]
    untouched = recipe.replace(min_size=0, steps=1, learning_rate=1e-9)
    before = run(untouched)[0]
    assert result.losses["style"] < 0.5 * before.losses["style"]
    grey, grey_before = result.image.mean(axis=2).ravel(), before.image.mean(axis=2).ravel()
    assert np.corrcoef(grey, grey_before)[0, 1] > 0.5


def test_steps_and_sizes_are_those_of_the_recipe(quick):
    iterations = run(quick(size=40, min_size=20, steps=7))
    assert [it.step for it in iterations] == list(range(1, 8))
    assert {it.steps for it in iterations} == {7}
    assert sorted({it.shape for it in iterations}) == [(20, 20), (28, 28), (40, 40)]
    assert iterations[-1].image.shape == (40, 40, 3)


def test_a_size_of_nought_keeps_the_contents_own(quick):
    (it,) = run(quick(size=0, steps=1), CONTENT[:50])
    assert it.image.shape == (50, 64, 3)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("style_loss", ["mean_covariance", "gram"])
@pytest.mark.parametrize("norm", ["relative", "mean"])
def test_the_loss_falls_and_its_parts_are_named(quick, optimizer, style_loss, norm):
    losses = {"style_loss": style_loss, "style_norm": norm, "content_norm": norm}
    recipe = quick(steps=10, optimizer=optimizer, **losses)
    iterations = run(recipe)
    assert iterations[-1].losses["total"] < iterations[0].losses["total"]
    expected = {"content/relu2_1", "style/relu1_1", "style/relu2_1"}
    assert {name for name in iterations[0].losses if "/" in name} == expected
    assert {"total", "content", "style", "tv"} <= set(iterations[0].losses)


def test_every_pooling_and_padding_makes_another_objective(quick):
    losses = {
        run(quick(pooling=pooling, padding=padding, steps=1))[0].losses["total"]
        for pooling in ("max", "average", "l2")
        for padding in ("zeros", "replicate", "reflect", "circular")
    }
    assert len(losses) == 12


# Where a run starts from


def first_image(recipe, **images):
    """Return what a run starts from, nearly: its first step is too short to see."""
    return run(recipe.replace(steps=1, learning_rate=1e-9), **images)[0].image


def test_it_starts_from_the_content(quick):
    expected = as_rgb(CONTENT)
    image = first_image(quick(init="content", size=64))
    np.testing.assert_allclose(image, expected, atol=1e-5)


def test_it_starts_from_noise_of_the_seed(quick):
    first, again, other = (first_image(quick(init="noise", seed=seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.corrcoef(first.ravel(), other.ravel())[0, 1] == pytest.approx(0, abs=0.1)
    content = first_image(quick(init="content"))
    assert np.corrcoef(first.ravel(), content.ravel())[0, 1] == pytest.approx(0, abs=0.1)
    assert first.mean() == pytest.approx(np.mean(MEAN_COLOUR), abs=0.02)
    assert 0.2 < first.std() < 0.3


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_mixed_start_has_its_share_of_noise(quick, share):
    content, noise = (
        first_image(quick(init=init, seed=3, size=64)) for init in ("content", "noise")
    )
    mixed = first_image(quick(init="mix", init_noise=share, seed=3, size=64))
    np.testing.assert_allclose(mixed, (1 - share) * content + share * noise, atol=1e-5)


def test_the_seed_does_not_matter_to_a_start_from_the_content(quick):
    one, other = (run(quick(init="content", seed=seed))[-1] for seed in (1, 2))
    np.testing.assert_array_equal(one.image, other.image)


def test_global_random_numbers_are_left_alone(quick):
    state = torch.random.get_rng_state()
    run(quick(init="noise", steps=1))
    assert torch.equal(torch.random.get_rng_state(), state)


# What a run takes


@pytest.mark.parametrize(
    "convert",
    [
        lambda image: image.astype(np.uint16) * 257,
        lambda image: image / 255,
        lambda image: (image / 255).astype(np.float32),
        lambda image: np.dstack([image, np.full_like(image[..., 0], 255)]),
        lambda image: image[:, ::-1][:, ::-1],
    ],
    ids=["uint16", "float64", "float32", "rgba", "strided"],
)
def test_every_type_of_image_gives_the_same_result(quick, convert):
    expected = run(quick())[-1].image
    image = run(quick(), convert(CONTENT), convert(STYLE))[-1].image
    np.testing.assert_allclose(image, expected, atol=2e-3)


def test_grey_images_are_taken_for_their_three_equal_channels(quick):
    grey = CONTENT[..., 0], STYLE[..., 1]
    recipe = quick(channels="rgb")
    expected = run(recipe, *(np.dstack([image] * 3) for image in grey))[-1].image
    np.testing.assert_array_equal(run(recipe, *grey)[-1].image, expected)


def test_a_flat_style_is_no_catastrophe(quick):
    losses = run(quick(padding="replicate"), style=np.full((40, 40), 0.5))[0].losses
    assert losses["total"] < 1e8


@pytest.mark.parametrize("make", [list, tuple])
def test_several_styles_are_blended(quick, make):
    styles = make([STYLE, CONTENT[::-1], STYLE[:40, :50, 0]])
    blended = run(quick(), style=styles)[-1].image
    for style in styles:
        assert np.abs(blended - run(quick(), style=style)[-1].image).max() > 1e-3


def test_a_list_of_one_style_is_that_style(quick):
    expected = run(quick())[-1].image
    np.testing.assert_array_equal(run(quick(), style=[STYLE])[-1].image, expected)


def test_the_callers_images_are_not_changed(quick):
    content, style = CONTENT / np.float32(255), STYLE / np.float32(255)
    before = content.copy(), style.copy()
    run(quick(size=64), content, style)
    np.testing.assert_array_equal(content, before[0])
    np.testing.assert_array_equal(style, before[1])


def test_the_default_recipe_is_the_default_preset(no_network):
    with pytest.raises(AssertionError, match="reached for the weights"):
        next(jobs.stylize(skimage.data.astronaut(), STYLE))


# What is told before anything starts: see test_job_errors.py, too


@pytest.mark.parametrize("recipe", ["default", {"steps": 3}, Recipe, 3])
def test_what_is_no_recipe_is_refused(no_network, recipe):
    with pytest.raises(TypeError, match=r"^recipe must be a Recipe, such as preset\('default'\); "):
        jobs.stylize(CONTENT, STYLE, recipe)


def test_nothing_is_loaded_before_the_first_step(no_network):
    iterations = jobs.stylize(CONTENT, STYLE, preset(size=64))
    with pytest.raises(AssertionError, match="reached for the weights"):
        next(iterations)


def test_a_weights_file_may_be_in_the_home_folder(no_network, monkeypatch, tmp_path):
    (tmp_path / "vgg.pth").write_bytes(b"not looked at yet")
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    with pytest.raises(AssertionError, match="reached for the weights"):
        next(jobs.stylize(CONTENT, STYLE, preset(size=64, weights="~/vgg.pth")))


def test_a_weights_file_gives_what_its_weights_give(monkeypatch, quick, untrained_file):
    recipe = quick(steps=1)
    built_in = run(recipe)[0].image
    monkeypatch.undo()
    image = run(recipe.replace(weights=untrained_file))[0].image
    np.testing.assert_allclose(image, built_in, atol=1e-3)


def test_the_arrival_of_the_weights_is_reported(monkeypatch, quick, untrained):
    reported = []

    def load(weights, progress):
        progress("downloading", 1, 2)
        return untrained

    monkeypatch.setattr(course, "load", load)
    next(jobs.stylize(CONTENT, STYLE, quick(), progress=lambda *news: reported.append(news)))
    assert reported[0] == ("downloading", 1, 2)


# What goes wrong while running


@pytest.fixture
def failing(monkeypatch, quick):
    """Return a function that runs until the network, after some calls, raises an error."""

    def fail(error, after=4, **changes):
        calls = 0
        along = VGG19.iter_features

        def raising(network, *image):
            nonlocal calls
            calls += 1
            if calls > after:
                raise error
            return along(network, *image)

        monkeypatch.setattr(VGG19, "along", raising)
        return run(quick(**changes))

    return fail


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 4 bytes."),
    RuntimeError("MPS backend out of memory (MPS allocated: 9.00 GB, max allowed: 9.07 GB)."),
    MemoryError(),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: str(error)[:20])
@pytest.mark.parametrize("after", [0, 1, 4])
def test_out_of_memory_names_a_smaller_size(failing, error, after):
    with pytest.raises(nst.NstError, match=r"^Out of memory at 130 pixels on device 'cpu'") as told:
        failing(error, after, size=130)
    assert told.value.__cause__ is error
    smaller = int(re.search(r"try size (\d+)\.$", str(told.value))[1])
    assert 64 <= smaller < 130


@pytest.mark.parametrize("size", [65, 80, 128, 511, 512, 4000])
def test_the_size_to_try_is_smaller_at_every_size(monkeypatch, quick, size):
    def no_room(*args, **options):
        raise MemoryError

    monkeypatch.setattr(course, "network_of", no_room)
    with pytest.raises(nst.NstError, match=f"at {size} pixels") as told:
        run(quick(size=size))
    assert 64 <= int(re.search(r"try size (\d+)\.$", str(told.value))[1]) <= 0.985 * size


def test_memory_that_really_is_not_there(failing):
    with pytest.raises(RuntimeError) as refused:
        torch.empty(10**16)
    with pytest.raises(nst.NstError, match=r"^Out of memory at 32 pixels"):
        failing(refused.value)


@pytest.mark.parametrize("after", [0, 1, 4])
def test_errors_of_torch_are_told_and_not_swallowed(failing, after):
    """A worker of napari's takes a RuntimeError for its own end, and says nothing."""
    error = RuntimeError("CUDA error: an illegal memory access was encountered")
    with pytest.raises(
        nst.NstError, match=r"^The computation failed: CUDA error: an illegal"
    ) as told:
        failing(error, after)
    assert not isinstance(told.value, RuntimeError)
    assert told.value.__cause__ is error


def test_bugs_are_not_dressed_up(failing):
    with pytest.raises(KeyError, match="relu9_9"):
        failing(KeyError("relu9_9"))


def test_a_broken_weights_file_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "broken.pth"
    path.write_bytes(b"no network at all")
    with pytest.raises(nst.NstError, match=r"broken\.pth is damaged"):
        run(Recipe(size=64, weights=str(path)))


def test_a_run_may_be_stopped_after_any_step(quick):
    iterations = jobs.stylize(CONTENT, STYLE, quick(steps=100))
    assert next(iterations).step == 1
    iterations.close()
    assert list(iterations) == []
