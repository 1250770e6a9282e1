"""The vocabulary of VGG-19 layers: what they are called, in order, and their aliases.

Canonical names are those of the papers: ``conv1_1`` is a convolution's output *before* its
rectifier, ``relu1_1`` the same after it, ``pool1`` what ends a block.
"""

import difflib
from collections.abc import Iterator

CONVOLUTIONS_PER_BLOCK = (2, 2, 4, 4, 4)
"""How many 3 × 3 convolutions each of VGG-19's five blocks has (Simonyan & Zisserman 2014, E)."""


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
"""What a comparison of layers shows where nobody says: the first convolution of each block."""

EXPLORED_SIZE, EXPLORED_STEPS = 96, 30
"""Longest side in pixels, and iterations, of each picture where all layers are shown at once."""

EXPLORED_LAYERS = tuple(name for name in LAYER_NAMES if not name.startswith("conv"))
"""What can be chosen with sense: the 16 rectified convolutions, and the pool after each block."""

_ALIASES = {
    # Counted convolutions, before the rectifier, as course notebooks name them.
    **{f"conv_{k}": name for k, name in enumerate(CONVOLUTIONS, start=1)},
    # Keras fuses the rectifier into the convolution, so its block5_conv2 is relu5_2.
    **{f"block{name[4]}_conv{name[6]}": name.replace("conv", "relu") for name in CONVOLUTIONS},
    **{f"block{block}_pool": f"pool{block}" for block in range(1, 6)},
}


def canonical_layer(name: str) -> str:
    """Return the canonical name of a VGG-19 layer.

    Parameters
    ----------
    name : str
        ``relu4_2``, or an alias: ``conv_k`` is the k-th convolution (1–16) before its rectifier;
        Keras's ``block5_conv2`` is after it, so ``relu5_2``.

    Raises
    ------
    ValueError
        If no layer has that name; the message suggests the nearest one.
    """
    if name in LAYER_NAMES:
        return name
    if name in _ALIASES:
        return _ALIASES[name]
    near = difflib.get_close_matches(str(name), (*LAYER_NAMES, *_ALIASES), n=1)
    hint = f"did you mean {near[0]!r}?" if near else "use one from conv1_1 … relu5_4, pool5."
    raise ValueError(f"VGG-19 has no layer {name!r}; {hint}")


def poolings_before(layer: str) -> int:
    """Return how many times a layer's features have been halved, its own pooling included.

    Parameters
    ----------
    layer : str
        A canonical name.
    """
    return int(layer[4]) if layer.startswith("pool") else int(layer[-3]) - 1
