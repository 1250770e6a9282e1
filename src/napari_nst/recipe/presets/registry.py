"""How a published recipe is written down: a function that says whose it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from napari_nst.recipe.recipe import Recipe

MakeRecipe = Callable[[], Recipe]


@dataclass(frozen=True)
class Published:
    """What is known about a preset besides its fields.

    Attributes
    ----------
    name : str
        What it is called.
    job : {"transfer", "texture", "reconstruction"}
        What it is for.
    summary : str
        Whose recipe it is, in one line.
    source : str
        Paper, article or program, with the commit that was read.
    flavour : str
        The network that its weights were tuned for.
    """

    name: str
    job: str
    summary: str
    source: str
    flavour: str


@dataclass(frozen=True)
class Entry:
    """A preset: what is known about it, and its fields.

    Attributes
    ----------
    facts : Published
        Whose it is and what for.
    recipes : mapping of str to Recipe
        Flavour → the recipe that its source has for it, the preset's own flavour first.
    """

    facts: Published
    recipes: Mapping[str, Recipe]

    def recipe_for(self, flavour: str) -> Recipe:
        """Return what the source has for a flavour, or else for the preset's own."""
        return self.recipes.get(flavour, self.recipes[self.facts.flavour])


def published(
    name: str, *, job: str, source: str, variants: tuple[MakeRecipe, ...] = ()
) -> Callable[[MakeRecipe], Entry]:
    """Turn a function that makes a recipe into a preset; its docstring's first line sums it up.

    Parameters
    ----------
    name, job, source : str
        As in `Published`.
    variants : tuple of callable
        Make what the same source has for other flavours of network.
    """

    def entry(make: MakeRecipe) -> Entry:
        own, *others = (maker().replace(name=name) for maker in (make, *variants))
        summary = (make.__doc__ or "").strip().partition("\n")[0]
        recipes = {recipe.weights: recipe for recipe in (own, *others)}
        return Entry(Published(name, job, summary, source, own.weights), MappingProxyType(recipes))

    return entry
