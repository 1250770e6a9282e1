"""Whole runs: their arguments, their iterations, and their errors."""

import numpy as np
import pytest
import torch

import napari_nst as nst
from napari_nst.engine.job.input_image import as_rgb
from napari_nst.recipe import on_flavour, preset, published
from tests.helpers.small_images import CONTENT, STYLE


def run(recipe, content=CONTENT, style=STYLE, **options):
    return list(nst.stylize(content, style, recipe, **options))


# Iterations

JOBS = {
    "transfer": lambda recipe: nst.stylize(CONTENT, STYLE, recipe),
    "texture": lambda recipe: nst.synthesize(STYLE, recipe),
    "reconstruction": lambda recipe: nst.reconstruct(CONTENT, recipe),
    "solid": lambda recipe: nst.synthesize_solid(STYLE, (16, 16, 16), recipe),
}


@pytest.mark.network
@pytest.mark.parametrize("name", nst.preset_names())
def test_every_preset_lowers_its_loss_with_the_real_network(real, name):
    """In its last phase, with its weights converted to the flavour of this machine."""
    recipe = on_flavour(preset(name), "gatys")
    recipe = recipe.phase(len(recipe.phases))  # phases have other losses
    recipe = recipe.replace(size=48, min_size=0, steps=5, precision="float32", device="cpu")
    first, *_, last = JOBS[published(name).job](recipe)
    assert last.losses["total"] < first.losses["total"]


@pytest.mark.network
def test_the_result_takes_on_the_style_and_keeps_the_content(real):
    recipe = preset(size=64, min_size=45, steps=24, device="cpu")
    result = run(recipe)[-1]
    before = run(recipe.replace(min_size=0, steps=1, learning_rate=1e-9))[0]
    assert result.losses["style"] < 0.5 * before.losses["style"]
    grey, grey_before = result.image.mean(axis=2).ravel(), before.image.mean(axis=2).ravel()
    assert np.corrcoef(grey, grey_before)[0, 1] > 0.5


def test_steps_and_sizes_are_those_of_the_recipe(quick):
    iterations = run(quick(size=40, min_size=20, steps=7))
    assert [it.step for it in iterations] == list(range(1, 8))
    assert {it.steps for it in iterations} == {7}
    assert sorted({it.shape for it in iterations}) == [(20, 20), (28, 28), (40, 40)]
    assert iterations[-1].image.shape == (40, 40, 3)
    assert iterations[-1].panels == ()


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_the_loss_falls_and_its_parts_are_named(quick, optimizer):
    iterations = run(quick(steps=10, optimizer=optimizer))
    assert iterations[-1].losses["total"] < iterations[0].losses["total"]
    expected = {"content/relu2_1", "style/relu1_1", "style/relu2_1"}
    assert {name for name in iterations[0].losses if "/" in name} == expected
    assert {"total", "content", "style", "tv"} <= set(iterations[0].losses)


def test_every_pooling_and_padding_makes_another_objective(quick):
    variants = [
        *({"pooling": pooling} for pooling in ("max", "average", "l2")),
        *({"padding": padding} for padding in ("zeros", "reflect", "circular")),
    ]
    losses = {run(quick(steps=1, **fields))[0].losses["total"] for fields in variants}
    assert len(losses) == len(variants)


# The initial image


def first_image(recipe, **images):
    """Return the initial image: the first step is too short to be seen."""
    return run(recipe.replace(steps=1, learning_rate=1e-9), **images)[0].image


def test_a_mixed_start_has_its_share_of_content_and_noise(quick):
    images = {
        init: first_image(quick(init=init, init_noise=0.3, seed=3, size=64))
        for init in ("content", "noise", "mix")
    }
    np.testing.assert_allclose(images["content"], as_rgb(CONTENT), atol=1e-5)
    mixed = 0.7 * images["content"] + 0.3 * images["noise"]
    np.testing.assert_allclose(images["mix"], mixed, atol=1e-5)
    other = first_image(quick(init="noise", seed=4, size=64))
    assert np.corrcoef(images["noise"].ravel(), other.ravel())[0, 1] == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_the_same_seed_gives_the_same_result_bit_for_bit(quick, optimizer):
    recipe = quick(seed=7, min_size=24, init="mix", optimizer=optimizer)
    state = torch.random.get_rng_state()
    for one, other in zip(run(recipe), run(recipe), strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        assert one.losses == other.losses
    assert torch.equal(torch.random.get_rng_state(), state)


# Images


@pytest.mark.parametrize(
    "convert",
    [
        lambda image: image.astype(np.uint16) * 257,
        lambda image: (image / 255).astype(np.float32),
        lambda image: np.dstack([image, np.full_like(image[..., 0], 255)]),
        lambda image: image[:, ::-1][:, ::-1],
    ],
    ids=["uint16", "float32", "rgba", "strided"],
)
def test_every_type_of_image_gives_the_same_result(quick, convert):
    content, style = convert(CONTENT), convert(STYLE)
    before = content.copy()
    image = run(quick(), content, style)[-1].image
    np.testing.assert_allclose(image, run(quick())[-1].image, atol=2e-3)
    np.testing.assert_array_equal(content, before)


def test_a_flat_style_has_finite_losses(quick):
    losses = run(quick(padding="replicate"), style=np.full((40, 40), 0.5))[0].losses
    assert losses["total"] < 1e8


# Weights and errors


def test_weights_are_read_at_the_first_step_also_from_the_home_folder(monkeypatch, tmp_path):
    (tmp_path / "vgg.pth").write_bytes(b"no network at all")
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    iterations = nst.stylize(CONTENT, STYLE, preset(size=64, weights="~/vgg.pth"))
    with pytest.raises(nst.NstError, match=r"vgg\.pth is damaged"):
        next(iterations)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), "Out of memory at 130 pixels on .*'cpu'"),
        (MemoryError(), "Out of memory at 130 pixels .* `size`"),
        (RuntimeError("CUDA error: an illegal memory access"), "The computation failed: CUDA"),
    ],
    ids=["torch", "python", "other"],
)
def test_errors_of_torch_are_explained(quick, error, told):
    """napari's worker ignores a RuntimeError without a word."""

    class Failing(nst.Steering):
        def take_changes(self):  # called in the run
            raise error

    with pytest.raises(nst.NstError, match=f"^{told}") as raised:
        run(quick(size=130), steering=Failing())
    assert raised.value.__cause__ is error
    assert not isinstance(raised.value, RuntimeError)


def test_unexpected_errors_are_not_explained(quick):
    steering = nst.Steering()
    steering.restyle(lambda: {}["relu9_9"])  # called in the run
    with pytest.raises(KeyError, match="relu9_9"):
        run(quick(), steering=steering)


def test_a_run_may_be_closed_after_any_step(quick):
    iterations = nst.stylize(CONTENT, STYLE, quick(steps=100))
    assert next(iterations).step == 1
    iterations.close()
    assert list(iterations) == []
