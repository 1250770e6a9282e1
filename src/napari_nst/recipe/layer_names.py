"""The names of the VGG-19 layers, in order, and their aliases.

Canonical names are those of the papers: ``conv1_1`` is the output of a convolution *before* its
ReLU, ``relu1_1`` is the output *after* the ReLU, ``pool1`` is the pooling that ends a block.
"""

from collections.abc import Iterator

from napari_nst.recipe.suggest import nearest

CONVOLUTIONS_PER_BLOCK = (2, 2, 4, 4, 4)
"""Number of 3 × 3 convolutions in each block of VGG-19 (Simonyan & Zisserman 2014, column E)."""


def _names() -> Iterator[str]:
    for block, convolutions in enumerate(CONVOLUTIONS_PER_BLOCK, start=1):
        for index in range(1, convolutions + 1):
            yield f"conv{block}_{index}"
            yield f"relu{block}_{index}"
        yield f"pool{block}"


LAYER_NAMES: tuple[str, ...] = tuple(_names())
"""conv1_1, relu1_1, conv1_2, … relu5_4, pool5: the 37 layers from shallow to deep."""

CONVOLUTIONS: tuple[str, ...] = tuple(name for name in LAYER_NAMES if name.startswith("conv"))
"""The 16 convolutions in order."""

COMPARED_LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
"""The default layers of a comparison: the first convolution of each block."""

EXPLORED_SIZE, EXPLORED_STEPS = 96, 30
"""Default size in pixels and iterations of each image when all layers are explored."""

EXPLORED_LAYERS = tuple(name for name in LAYER_NAMES if not name.startswith("conv"))
"""The layers that `explore_layers` shows: 16 ReLUs and 5 pools."""

_ALIASES = {
    # The k-th convolution before its ReLU, as course notebooks name it.
    **{f"conv_{k}": name for k, name in enumerate(CONVOLUTIONS, start=1)},
    # Keras fuses the ReLU into the convolution, so its block5_conv2 is relu5_2.
    **{f"block{name[4]}_conv{name[6]}": name.replace("conv", "relu") for name in CONVOLUTIONS},
    **{f"block{block}_pool": f"pool{block}" for block in range(1, 6)},
}


def canonical_layer(name: str) -> str:
    """Return the canonical name of a layer, given that name or an alias, or raise a ValueError."""
    if name in LAYER_NAMES:
        return name
    if str(name) in _ALIASES:  # a record may hold anything
        return _ALIASES[str(name)]
    hint = nearest(name, (*LAYER_NAMES, *_ALIASES)) or "Use one from conv1_1 … relu5_4, pool5."
    raise ValueError(f"VGG-19 has no layer {name!r}. {hint}")


def poolings_before(layer: str) -> int:
    """Return the number of poolings up to a layer, which is given by its canonical name."""
    return int(layer[4]) if layer.startswith("pool") else int(layer[-3]) - 1
