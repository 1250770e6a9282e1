"""The arguments of a recovered run's function, with which the run goes on after its end."""

import numpy as np
import pytest

import napari_nst as nst
from napari_nst.recipe import Recipe
from napari_nst.viewer.run.recovered import _arguments

RNG = np.random.default_rng(0)
IMAGE = RNG.random((48, 64, 3)).astype(np.float32)
LABELS = np.ones((48, 64), int)
LABELS[:, 32:] = 2
RECIPE = Recipe(content_layers={"relu1_1": 1}, style_layers={"relu1_1": 1}, size=48, init="image")
STYLES = [IMAGE[:, :40], 1 - IMAGE]


@pytest.mark.parametrize(
    ("function", "given"),
    [
        ("stylize", {"content": IMAGE, "style": STYLES, "pixel_sizes": (2, 1, 4), "guide": LABELS}),
        (
            "stylize",
            {
                "content": IMAGE,
                "style": STYLES[:1],
                "guide": LABELS,
                "style_guides": LABELS[:, :40],
                "keep_unlabelled": True,
            },
        ),
        ("synthesize", {"exemplar": STYLES, "shape": (40, 60)}),
        ("synthesize", {"into": IMAGE, "region": LABELS == 2}),
        (
            "synthesize",
            {
                "into": IMAGE,
                "region": LABELS == 2,
                "exemplar": STYLES[:1],
                "exemplar_region": LABELS[:, :40],
            },
        ),
        ("reconstruct", {"image": IMAGE}),
    ],
)
def test_they_make_the_same_job(function, given):
    order = getattr(nst, f"order_to_{function}")
    shares = (1, 3) if len(given.get("style", given.get("exemplar", ()))) == 2 else ()
    job = order(recipe=RECIPE.replace(style_blend=shares), init_image=IMAGE, **given)
    again = order(recipe=job.recipe, **_arguments(job))
    assert again.differences(job) == {}
    assert again.recipe == job.recipe
    assert list(again.scales) == list(job.scales)
    assert again.relative_pixels == job.relative_pixels
    assert dict(again.arguments).keys() == dict(job.arguments).keys()
    for own, other in zip(again.images.values(), job.images.values(), strict=True):
        assert np.array_equal(own.rgb, other.rgb)
    assert np.array_equal(again.start.rgb, job.start.rgb)
