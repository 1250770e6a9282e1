"""Which network a recipe runs on, where its own is not on this machine."""

from __future__ import annotations

from napari_nst.recipe import Recipe, on_flavour

_EVERYWHERE = "gatys"
"""The default flavour, whose bar says enough when it is fetched."""


def settle(recipe: Recipe, convert: bool) -> tuple[Recipe, list[str]]:
    """Return the recipe to run, and what to say before it starts.

    Parameters
    ----------
    recipe : Recipe
        As the user asked for it.
    convert : bool
        Whether to change it for the default flavour rather than fetch its own.
    """
    from napari_nst.engine.vgg import weights as network

    flavour = recipe.weights
    if flavour == _EVERYWHERE or flavour not in network.FLAVOURS:
        return recipe, []
    found = network.verify(flavour)
    if found.state == "ok":
        return recipe, []
    missing = f"the {flavour} network is not on this machine"
    if convert:
        said = f"{missing}, so this runs on {_EVERYWHERE} with converted weights, approximately."
        return on_flavour(recipe, _EVERYWHERE), [said]
    size = f"{found.download_size / 1e6:.0f} MB"
    said = f"{missing} and will be fetched ({size}); --convert runs on {_EVERYWHERE} instead."
    return recipe, [said]
