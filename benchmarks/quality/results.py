"""What was measured of each picture, as JSON beside it, so that nothing is measured twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from benchmarks.quality.inputs import Pair, Pixels
from napari_nst.io.atomic_write import write_atomically
from napari_nst.io.image_files.read_image import read_image
from napari_nst.io.image_files.write_image import write_image
from napari_nst.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Made:
    """A picture that a method made: what is common to transfers and textures.

    Attributes
    ----------
    method, curve, factor
        As of `methods.Method`.
    size : int
        Longest side in pixels.
    seconds, cpu_seconds : float
        Of the clock, and of all threads; the latter tells more if other programs run.
    file : str
        The picture, from the folder of the results.
    """

    method: str
    curve: str
    factor: float
    size: int
    seconds: float
    cpu_seconds: float
    file: str


@dataclass(frozen=True, kw_only=True)
class Transfer(Made):
    """A stylized picture; see `judge.Distances` and `grid_figures`."""

    content: str
    style: str
    content_distance: float
    style_gram: float
    style_sliced: float
    grid: Mapping[str, float]  # period in pixels → figure

    @property
    def pair(self) -> Pair:
        """Its inputs."""
        return Pair(self.content, self.style)


@dataclass(frozen=True, kw_only=True)
class Texture(Made):
    """A synthesized texture: its distances ÷ those of two crops of its exemplar.

    Attributes
    ----------
    s2, spectrum, gram : float
        Ratios; 1 is as far from the exemplar as another crop of the same texture.
    copy, copy_of_crops : int
        Side of the largest patch taken over from the exemplar, and between two crops, in pixels.
    grid, grid_of_exemplar : mapping of str to float
        See `grid_figures`; an exemplar may have a pattern of its own.
    """

    exemplar: str
    s2: float
    spectrum: float
    gram: float
    copy: int
    copy_of_crops: int
    grid: Mapping[str, float]
    grid_of_exemplar: Mapping[str, float]


@dataclass(frozen=True)
class Results:
    """All that one command measured.

    Attributes
    ----------
    date, command : str
        When, and how to repeat it.
    machine, versions : mapping of str to str
        What it was measured on and with.
    transfers, textures : list
        One for each picture.
    """

    date: str
    command: str
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    transfers: list[Transfer]
    textures: list[Texture]

    def write(self, path: Path) -> None:
        """Write the results as JSON."""
        write_atomically(path, (json.dumps(asdict(self), indent=1) + "\n").encode())

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote."""
        plain = json.loads(path.read_text("utf-8"))
        transfers = [Transfer(**row) for row in plain.pop("transfers")]
        textures = [Texture(**row) for row in plain.pop("textures")]
        return cls(**plain, transfers=transfers, textures=textures)


class Cache:
    """A folder with a PNG for each picture, and beside it a JSON file with what was measured.

    A picture is made again if its recipe has changed. A field that recipes did not have yet when it
    was made counts as its default.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def picture(
        self,
        name: str,
        recipe: Recipe,
        make: Callable[[], tuple[np.ndarray[Any, Any], Mapping[str, float]]],
    ) -> tuple[Pixels, dict[str, Any]]:
        """Return a picture as uint8, and the facts about it; make it if it is not there yet.

        `make` returns pixels in [0, 1] and facts, which are plain numbers.
        """
        path = self.folder / f"{name}.png"
        facts = path.with_suffix(".json")
        if facts.exists():
            found = json.loads(facts.read_text("utf-8"))
            if _is(found["recipe"], recipe) and path.exists():
                return read_image(path), found["facts"]
        pixels, made = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, pixels)
        text = json.dumps({"recipe": recipe.to_dict(), "facts": made}, indent=1)
        write_atomically(facts, text.encode())
        return read_image(path), dict(made)


def _is(fields: Mapping[str, Any], recipe: Recipe) -> bool:
    """Say whether stored fields are those of a recipe; False if some are no longer allowed."""
    try:
        return Recipe.from_dict(fields) == recipe
    except (TypeError, ValueError):
        return False
