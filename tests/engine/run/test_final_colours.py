"""What `final_color` changes of a run: its last image alone."""

import numpy as np
import pytest

import napari_nst as nst
from napari_nst.recipe import Recipe

rng = np.random.default_rng(0)
CONTENT, STYLE = (rng.integers(0, 256, (40, 48, 3), np.uint8) for _ in range(2))
LABELS = np.ones((40, 48), int)


def pictures(run):
    return [it.picture for it in run]


def chroma(picture):
    return np.abs(picture - picture.mean(axis=2, keepdims=True)).mean()


def test_only_the_last_image_gets_the_final_colours(quick):
    recipe = quick(size=48, steps=4, min_size=24)
    plain = pictures(nst.stylize(CONTENT, STYLE, recipe))
    final = pictures(nst.stylize(CONTENT, STYLE, recipe.replace(final_color="style_chroma")))
    for one, other in zip(plain[:-1], final[:-1], strict=True):
        assert np.array_equal(one, other)
    assert not np.allclose(plain[-1], final[-1], atol=0.02)
    # The colours of noise, averaged over neighbours, are pale.
    assert chroma(final[-1]) < 0.8 * chroma(plain[-1])


@pytest.mark.parametrize(
    "run",
    [
        lambda recipe: nst.synthesize(STYLE, recipe.replace(init="noise")),
        lambda recipe: nst.reconstruct(CONTENT, recipe.replace(init="noise")),
        lambda recipe: nst.stylize(CONTENT[..., 0], STYLE, recipe),
    ],
)
def test_textures_reconstructions_and_grey_results_have_none(quick, run):
    recipe = quick(size=48, steps=2)
    (*_, plain), (*_, final) = (
        pictures(run(recipe.replace(final_color=one))) for one in ("none", "style_chroma")
    )
    assert np.array_equal(plain, final)


def test_what_has_colours_of_its_own_is_refused_before_the_run(quick):
    with pytest.raises(ValueError, match="final_color"):
        Recipe(final_color="style_chroma", color="luminance")
    recipe = quick(size=48, final_color="style_chroma")
    with pytest.raises(ValueError, match="final_color"):
        nst.stylize(CONTENT, STYLE, recipe, guide=LABELS)
