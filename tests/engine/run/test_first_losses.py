"""The losses of the first steps of every preset, against values stored before the rebuild of 2026.

To store them anew, on purpose: ``python -m tests.engine.run.test_first_losses``.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from skimage import data
from skimage.transform import resize

import napari_nst as nst
from napari_nst.recipe import Recipe, published

STORED = Path(__file__).parents[2] / "data" / "first_losses.json"
HEIGHT, WIDTH = 96, 112

CPU = {"steps": 3, "seed": 0, "precision": "float32", "device": "cpu"}


def _image(name, height=HEIGHT, width=WIDTH):
    return resize(getattr(data, name)()[..., :3], (height, width), anti_aliasing=True).astype("f4")


def _labels():
    labels = np.zeros((HEIGHT, WIDTH), int)
    labels[:, : WIDTH // 2], labels[20:, WIDTH // 2 :] = 1, 2
    return labels


VARIANTS = {
    "guided": lambda r: nst.stylize(
        _image("astronaut"), [_image("coffee"), _image("chelsea")], r, guide=_labels()
    ),
    "kept": lambda r: nst.stylize(
        _image("astronaut"),
        [_image("coffee"), _image("chelsea")],
        r,
        guide=_labels(),
        keep_unlabelled=True,
    ),
    "filled": lambda r: nst.synthesize(
        recipe=r.replace(init="noise"), into=_image("coffee"), region=_labels() == 1
    ),
    "seamless": lambda r: nst.synthesize(
        _image("coffee"), r.replace(init="noise", padding="circular", tv_weight=5), shape=(96, 80)
    ),
    "transparent": lambda r: nst.stylize(
        np.dstack([_image("astronaut"), _labels() > 0]).astype("f4"), _image("coffee"), r
    ),
    "luminance": lambda r: nst.stylize(
        _image("astronaut"), _image("coffee"), r.replace(color="luminance")
    ),
    "grey": lambda r: nst.stylize(_image("astronaut")[..., 0], _image("coffee"), r),
    "adam": lambda r: nst.stylize(
        _image("astronaut"), _image("coffee"), r.replace(optimizer="adam", ema=0.9)
    ),
    "line_search": lambda r: nst.stylize(
        _image("astronaut"), _image("coffee"), r.replace(line_search=True)
    ),
    "tiled": lambda r: nst.stylize(
        _image("astronaut", 200, 150),
        _image("coffee"),
        r.replace(tile=128, size=200, min_size=0, steps=2),
    ),
    "tanh": lambda r: nst.stylize(
        _image("astronaut"), _image("coffee"), r.replace(image_range="tanh")
    ),
    "average": lambda r: nst.stylize(
        _image("astronaut"),
        _image("coffee"),
        r.replace(pooling="average", padding="reflect", style_loss="sliced_wasserstein"),
    ),
}


def _losses(name):
    """Return the losses of the first steps of a preset or a variant."""
    if name in VARIANTS:
        recipe = Recipe(**CPU, size=HEIGHT, min_size=48)
        return [iteration.losses for iteration in VARIANTS[name](recipe)]
    recipe = nst.preset(name, **CPU, size=HEIGHT)
    recipe = nst.on_flavour(recipe, "gatys")
    job = published(name).job
    if job == "transfer":
        iterations = nst.stylize(_image("astronaut"), _image("coffee"), recipe)
    elif job == "texture":
        iterations = nst.synthesize(_image("coffee"), recipe)
    elif job == "solid":
        iterations = nst.synthesize_solid(_image("coffee", 48, 40), (16, 20, 24), recipe)
    else:
        iterations = nst.reconstruct(_image("astronaut"), recipe)
    return [iteration.losses for iteration in iterations]


@pytest.mark.network
@pytest.mark.parametrize("name", [*nst.preset_names(), *VARIANTS])
def test_the_first_steps_have_the_stored_losses(name):
    stored = json.loads(STORED.read_text())[name]
    found = _losses(name)
    assert [list(step) for step in found] == [list(step) for step in stored]
    for step, expected in zip(found, stored, strict=True):
        # Adam's first steps are equally long for small gradients, whatever their rounding errors.
        has_adam = name in nst.preset_names() and bool(nst.preset(name).phases)
        rel = 3e-3 if has_adam else 1e-4
        assert step == pytest.approx(expected, rel=rel, abs=1e-7 * abs(expected["total"]))


if __name__ == "__main__":
    names = [*nst.preset_names(), *VARIANTS]
    STORED.write_text(json.dumps({name: _losses(name) for name in names}, indent=1) + "\n")
