"""Strategies of hypothesis: any valid recipe that is soon run, and any small image."""

import numpy as np
from hypothesis import strategies as st

from napari_nst.recipe import CONTROLS, Recipe
from napari_nst.recipe.fields import LayerWeights
from napari_nst.recipe.layer_names import LAYER_NAMES
from napari_nst.recipe.sections import HYPERCOLUMN_LOSSES, NORMS, TILED_LOSSES

SHALLOW = LAYER_NAMES[: LAYER_NAMES.index("relu3_1") + 1]
WEIGHTS = st.sampled_from([0.0, 1e-12, 0.3, 1.0, 8.0, 1e12])
LAYERS = st.dictionaries(st.sampled_from(SHALLOW), WEIGHTS, max_size=3)

SOON_DONE = {
    "size": st.sampled_from([0, 1, 16, 24, 33]),
    "steps": st.integers(1, 3),
    "min_size": st.sampled_from([0, 0, 12, 100]),
    "style_scale": st.floats(0.05, 2.0),
    "projections": st.integers(0, 4),
    "patch_size": st.integers(1, 4),
    "learning_rate": st.sampled_from([0.0, 0.0, 1e-12, 0.1, 1.0, 1000.0]),
    "epsilon": st.sampled_from([1e-16, 1e-8, 1.0, 1e9]),
    "tile": st.sampled_from([0, 0, 128]),
    "style_blend": st.just(()),
    "terms": st.sampled_from([(), [{"style_loss": "gram", "style_layers": "relu1_2"}]]),
    "phases": st.sampled_from(
        [(), [{"sizes": "all", "steps": 2, "pooling": "l2"}, {"optimizer": "adam", "terms": []}]]
    ),
    "device": st.just("cpu"),
}


def values_of(name):
    """Return any value that a field allows, of those that are soon run."""
    control = CONTROLS[name]
    if name in SOON_DONE:
        return SOON_DONE[name]
    if control.kind is LayerWeights:
        return LAYERS
    if control.kind is bool:
        return st.booleans()
    if control.choices:
        return st.sampled_from(control.choices)
    most = min(control.maximum, 1e12)
    if control.kind is int:
        return st.integers(int(control.minimum), int(min(most, 2**31 - 1)))
    return st.sampled_from([control.minimum, most]) | st.floats(control.minimum, most)


@st.composite
def recipes(draw, losses=tuple(NORMS), **fixed):
    """Return a valid recipe with one of some style losses, and other fields by chance."""
    names = [name for name in CONTROLS if name != "weights"]
    chosen = draw(st.sets(st.sampled_from(names), max_size=8))
    chosen |= {"size", "steps", "content_layers", "style_layers"}
    fields = {name: draw(values_of(name)) for name in names if name in chosen}
    fields |= {"style_loss": draw(st.sampled_from(losses)), "device": "cpu", **fixed}
    if not any(fields["content_layers"].values()) or not fields.get("content_weight", 1):
        fields |= {"style_layers": {"relu1_1": 1.0}, "style_weight": 8.0}
    if fields.get("style_norm", Recipe.style_norm) not in NORMS[fields["style_loss"]]:
        fields["style_norm"] = draw(st.sampled_from(NORMS[fields["style_loss"]]))
    if fields.get("color") == "luminance":
        fields["final_color"] = "none"
    if fields["style_loss"] not in TILED_LOSSES:
        fields["tile"] = 0
    compared = {fields["style_loss"], fields.get("content_loss", Recipe.content_loss)}
    if compared.isdisjoint(HYPERCOLUMN_LOSSES):
        fields["hypercolumns"] = False
    return Recipe(**fields)


@st.composite
def images(draw, least=1, most=36):
    """Return an image as a caller may hand it in: of one colour, saturated, dark, or of noise."""
    shape = draw(st.tuples(st.integers(least, most), st.integers(least, most)))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    channels = draw(st.sampled_from([(), (3,), (3,), (4,)]))
    kind = draw(st.sampled_from(["one colour", "saturated", "noise", "black", "white", "dark"]))
    image = {
        "one colour": lambda: np.broadcast_to(rng.random((1, 1, *channels)), (*shape, *channels)),
        "saturated": lambda: rng.integers(0, 2, (*shape, *channels)).astype(float),
        "noise": lambda: rng.random((*shape, *channels)),
        "black": lambda: np.zeros((*shape, *channels)),
        "white": lambda: np.ones((*shape, *channels)),
        "dark": lambda: rng.random((*shape, *channels)) * 1e-3,
    }[kind]()
    if channels == (4,):
        image = np.concatenate([image[..., :3], rng.integers(0, 2, (*shape, 1))], axis=-1)
    if draw(st.booleans()):
        return (image * 255).round().astype(np.uint8)
    return image.astype(np.float32)
