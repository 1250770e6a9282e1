"""Which layers a recipe's losses read, with which weight, and how large an image they need."""

from __future__ import annotations

from collections.abc import Iterable

from napari_nst.recipe import Recipe
from napari_nst.recipe.layer_names import LAYER_NAMES, canonical_layer
from napari_nst.recipe.sections import HYPERCOLUMN_LOSSES, IMAGE_LOSSES

JOINED = "hypercolumns"
"""What stands for the layer in the name of a loss of joined layers, even of a single one."""


def layer_weights(recipe: Recipe, kind: str) -> dict[str, float]:
    """Return the layers of the ``content`` or ``style`` loss with their weights in the total.

    Terms and phases are left out; use this on the recipes of `Recipe.with_terms`. A style loss of
    the image itself reads no layer.
    """
    if kind == "style" and has_style_of_image(recipe):
        return {}
    factor = recipe.content_weight if kind == "content" else recipe.style_weight
    layers = recipe.content_layers if kind == "content" else recipe.style_layers
    return {layer: factor * weight for layer, weight in layers.items() if factor * weight}


def has_style_of_image(recipe: Recipe) -> bool:
    """Whether the style loss of a recipe is one of the image itself; terms are left out."""
    return recipe.has_style and recipe.style_loss in IMAGE_LOSSES


def compared_layers(recipe: Recipe, kind: str) -> dict[str, tuple[float, dict[str, float]]]:
    """Return what the ``content`` or ``style`` loss compares: name → weight, layers with factors.

    That is one layer after the other, or, as `JOINED`, all layers joined, shallow to deep.
    """
    weights = layer_weights(recipe, kind)
    loss = recipe.content_loss if kind == "content" else recipe.style_loss
    if not (weights and recipe.hypercolumns and loss in HYPERCOLUMN_LOSSES):
        return {layer: (weight, {layer: 1.0}) for layer, weight in weights.items()}
    factor = recipe.content_weight if kind == "content" else recipe.style_weight
    joined = {layer: weights[layer] / factor for layer in sorted(weights, key=LAYER_NAMES.index)}
    return {JOINED: (factor, joined)}


def layers_of(recipe: Recipe, kind: str) -> list[str]:
    """Return the layers of the ``content`` or ``style`` losses of a recipe and its terms."""
    terms = recipe.with_terms()
    return list(dict.fromkeys(layer for term in terms for layer in layer_weights(term, kind)))


def network_layers(recipe: Recipe) -> list[str]:
    """Return the layers that a recipe's losses read: content layers first, then style layers."""
    return [*layers_of(recipe, "content"), *layers_of(recipe, "style")]


def counted(count: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless it is 1."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def shares_of(recipe: Recipe, styles: int) -> list[float]:
    """Return the share of each style in the style loss; the shares add up to 1."""
    blend = recipe.style_blend or (1.0,) * styles
    if len(blend) != styles:
        raise ValueError(
            f"`style_blend` needs {counted(styles, 'number')}, one per style; it has {len(blend)}."
        )
    return [share / sum(blend) for share in blend]


def least_size(layers: Iterable[str], padding: str = "zeros") -> int:
    """Return the smallest side in pixels of an image that has features at every layer."""

    def least(layer: str) -> int:
        if layer.startswith("pool"):
            return 1 << int(layer[-1])
        block = int(layer[-3])
        # Each block before halves the image once; reflection needs a second row to reflect.
        return 1 << (block if padding == "reflect" else block - 1)

    return max((least(canonical_layer(layer)) for layer in layers), default=1)


def least_side(recipe: Recipe) -> int:
    """Return the smallest side in pixels of an image that all losses of all phases can read."""
    phases = map(recipe.phase, range(len(recipe.phases) + 1))
    return max(_least_side(term) for phase in phases for term in phase.with_terms())


def _least_side(recipe: Recipe) -> int:
    """Return `least_side` of a recipe without terms and phases."""
    least = least_size(network_layers(recipe), recipe.padding)
    if recipe.style_loss != "mrf":
        return least
    # A patch must fit into the features.
    layers = layer_weights(recipe, "style")
    return max(least, *(recipe.patch_size * least_size([layer]) for layer in layers), 1)


def check_size(shape: tuple[int, int], name: str, recipe: Recipe) -> None:
    """Refuse an image of a height and width that is too small for the recipe's layers."""
    least = least_side(recipe)
    if min(shape) < least:
        raise ValueError(
            f"`{name}` is {shape[0]} × {shape[1]} pixels, and the recipe's layers need at least "
            f"{least} on both sides. Choose a larger image."
        )
