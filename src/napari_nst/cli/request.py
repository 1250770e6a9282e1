"""What a user asked of a job's command, made ready: the recipe and the images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_nst.cli import flavours
from napari_nst.cli.like import Made
from napari_nst.cli.outputs import Results
from napari_nst.io.record import KINDS
from napari_nst.recipe import DEFAULT_PRESETS, Recipe, preset, preset_names
from napari_nst.recipe.json_file import load_recipe

if TYPE_CHECKING:
    from napari_nst.io.read_image import Pixels


@dataclass
class Request:
    """What the commands of the three jobs have in common.

    Its methods raise OSError, TypeError or ValueError for what the user got wrong, in one sentence.

    Attributes
    ----------
    job : str
        Name of the command, and of the engine's function.
    command : click.Context
        Of the command, which knows its parameters.
    fields : dict
        Fields of the recipe that were given as options.
    preset_or_file, like, convert
        Where the recipe comes from.
    init_image : Path or None
        What to start from.
    results : Results
        What to write.
    start : ndarray or None
        The image to start from, once it is read.
    paths : list of Path
        The files that were read, in the order in which the engine records its inputs.
    notes : list of str
        What to say before the run starts.
    labels : list of Path
        Files of labels, which a record does not hold and the results may not overwrite.
    """

    job: str
    command: click.Context
    fields: dict[str, Any]
    preset_or_file: str | None
    like: Path | None
    convert: bool
    init_image: Path | None
    results: Results
    start: Pixels | None = None
    paths: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    labels: list[Path] = field(default_factory=list)

    @cached_property
    def made(self) -> Made | None:
        """What is to be made again."""
        return Made.read(self.like, self.job) if self.like else None

    def recorded(self, argument: str) -> Any:
        """Return what the job was called with when it made the picture of ``--like``."""
        return self.made.argument(argument) if self.made else None

    def read_labels(self, path: Path | None, option: str, argument: str) -> Pixels | None:
        """Read labels, or refuse to do without where those of a record are needed again.

        Parameters
        ----------
        path : Path or None
            What ``--option`` says.
        option : str
            Its name.
        argument : str
            What a record has where there were labels.
        """
        if path is None:
            if self.recorded(argument):
                raise ValueError(
                    f"{self.like} was made with labels, which it does not hold; give --{option} "
                    "again."
                )
            return None
        from napari_nst.io.read_image import read_labels

        return read_labels(path)

    def imply(self, option: str, name: str, value: Any) -> None:
        """Let an option set a field of the recipe, unless that was given otherwise."""
        if self.fields.setdefault(name, value) != value:
            flag = name.replace("_", "-")
            raise ValueError(
                f"--{option} is --{flag} {value}, not {self.fields[name]}; leave out one of them."
            )

    def compare(self, kind: str | None, layers: str | None, varied: str) -> dict[str, Any]:
        """Settle whether pictures of several layers are compared, and how.

        Parameters
        ----------
        kind : str or None
            What ``--compare`` says.
        layers : str or None
            What ``--layers`` says.
        varied : str
            The field of the recipe that a comparison sets. Where it is given, a recorded one ends.

        Returns
        -------
        dict
            ``compare`` and, unless they are the usual ones, ``layers``; empty for one picture.
        """
        named = layers.replace(",", " ").split() if layers is not None else None
        if kind is None and varied not in self.fields:
            kind, named = self.recorded("compare"), named or self.recorded("layers")
        if kind is None:
            if named is not None:
                raise ValueError("--layers is what --compare goes through; give that too.")
            return {}
        if varied in self.fields:
            raise ValueError("--compare goes through layers; name them with --layers alone.")
        for flag, value in {
            "init-image": self.init_image,
            "depth": self.results.depth,
            "tile-preview": self.results.tile_preview,
            "animation": self.results.animation,
        }.items():
            if value is not None:
                raise ValueError(f"--compare does not go with --{flag}; leave out one of them.")
        self.results.comparison = {"compare": kind} | ({} if named is None else {"layers": named})
        return self.results.comparison

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe, on a flavour of the network that is here or will be fetched."""
        if self.init_image:
            self.imply("init-image", "init", "image")
        if self.made and self.preset_or_file:
            raise ValueError("--like and --preset are a recipe each; leave out one of them.")
        if self.made:
            recipe = self.made.recipe.replace(**self.fields)
        else:
            recipe = read_recipe(self.preset_or_file or default_preset(self.job), self.fields)
        recipe, note = flavours.settle(recipe, self.convert)
        self.notes.extend(note)
        return recipe

    def read(self, **given: Sequence[Path]) -> list[list[Pixels]]:
        """Return the images of each role: of the files that were given, or else recorded.

        Before any is read, what is to be written is found possible.
        """
        roles = dict(given)
        if self.recipe.init == "image":
            roles["start"] = [self.init_image] if self.init_image else []
        files = {role: self._files(role, paths) for role, paths in roles.items()}
        self.paths = [path for paths in files.values() for path in paths]
        like = [self.like] if self.like else []
        self.results.check_files([*self.paths, *self.labels, *like])
        self.results.check_text(self.recipe, self.paths)

        from napari_nst.io.read_image import read_image

        images = {role: [read_image(path) for path in paths] for role, paths in files.items()}
        if self.made:
            self.notes.extend(self.made.note)
            recorded = [role for role in files if not roles[role]]
            changed = [p for r in recorded for p in self.made.changed(r, files[r], images[r])]
            if changed:
                listed = ", ".join(map(str, changed))
                self.notes.append(f"not as it was when {self.like} was made: {listed}.")
        self.start = next(iter(images.pop("start", [])), None)
        pattern = next(iter(images.values()))[0]
        keeps_alpha = self.job != "synthesize" or "into" in given
        self.results.check_picture(pattern, keeps_alpha=keeps_alpha)
        return list(images.values())

    def read_texture(
        self, exemplar: Sequence[Path], into: Path | None
    ) -> tuple[list[Pixels] | None, Pixels | None]:
        """Return the exemplars and the image that they are to fill; one of them may be missing."""
        if into is None and not (self.made and self.made.has("into")):
            (exemplars,) = self.read(exemplar=exemplar)
            return exemplars, None
        roles = {"into": [into] if into else []}
        if exemplar or (self.made and self.made.has("exemplar")):
            roles["exemplar"] = list(exemplar)
        (image,), *others = self.read(**roles)
        return (others[0] if others else None), image

    def _files(self, role: str, given: Sequence[Path]) -> list[Path]:
        files = list(given) or (self.made.inputs(role) if self.made else [])
        if not files and role != "start":  # of which the engine says what it is needed for
            parameter = next(one for one in self.command.command.params if one.name == role)
            raise click.MissingParameter(ctx=self.command, param=parameter)
        return files


def default_preset(job: str) -> str:
    """Return the name of the recipe that a job follows where nobody says."""
    return DEFAULT_PRESETS[KINDS[job]]


def read_recipe(preset_or_file: str, changes: Mapping[str, Any]) -> Recipe:
    """Return a preset, or the recipe in a file of JSON, with fields replaced.

    Raises
    ------
    OSError, TypeError, ValueError
        If it is neither, or not a recipe.
    """
    if preset_or_file in preset_names():
        return preset(preset_or_file, **changes)
    path = Path(preset_or_file)
    if not path.is_file():
        known = ", ".join(preset_names())
        raise ValueError(f"preset must be {known} or a recipe's JSON file; not {preset_or_file!r}.")
    return load_recipe(path).replace(**changes)
