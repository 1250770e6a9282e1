"""Register functions that make published recipes as presets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from napari_nst.recipe.recipe import Recipe

MakeRecipe = Callable[[], Recipe]


@dataclass(frozen=True)
class Published:
    """A preset: its job, its source, and its recipes."""

    name: str
    job: str  # transfer, texture or reconstruction
    summary: str
    source: str  # paper, article or program, with the commit
    recipes: Mapping[str, Recipe] = field(repr=False)  # flavour → recipe, the preset's own first

    @property
    def flavour(self) -> str:
        """The flavour of the network that the preset's weights were tuned for."""
        return next(iter(self.recipes))

    def recipe_for(self, flavour: str) -> Recipe:
        """Return the recipe that the source has for a flavour, or else the preset's own."""
        return self.recipes.get(flavour, self.recipes[self.flavour])


REGISTERED: dict[str, Published] = {}
"""Name → preset, in the order in which they were registered."""


def register(
    *, job: str, source: str, variants: tuple[MakeRecipe, ...] = ()
) -> Callable[[MakeRecipe], MakeRecipe]:
    """Register a function's recipe as a preset.

    The name of the function is that of the preset, with hyphens; the first line of its docstring is
    the summary. `variants` make the recipes that the source has for other flavours of the network.
    """

    def add(make: MakeRecipe) -> MakeRecipe:
        name = make.__name__.replace("_", "-")
        recipes = [maker().replace(name=name) for maker in (make, *variants)]
        by_flavour = MappingProxyType({recipe.weights: recipe for recipe in recipes})
        summary = (make.__doc__ or "").partition("\n")[0]
        REGISTERED[name] = Published(name, job, summary, source, by_flavour)
        return make

    return add
