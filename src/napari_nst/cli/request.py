"""The arguments of a job's command, turned into a recipe and images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_nst.cli.like import Provenance
from napari_nst.cli.outputs import Outputs
from napari_nst.io.record import PRESET_JOBS, load_recipe
from napari_nst.recipe import DEFAULT_PRESETS, Recipe, on_flavour, preset, preset_names
from napari_nst.recipe.convert_weights import FLAVOURS

if TYPE_CHECKING:
    from napari_nst.io.read_image import Pixels


@dataclass
class Request:
    """What the commands of all jobs have in common.

    Methods raise OSError, TypeError or ValueError, in one sentence, for errors of the user.
    """

    job: str
    outputs: Outputs
    fields: dict[str, Any]  # of the recipe, given as options
    preset_or_file: str | None = None
    like: Path | None = None
    convert: bool = False
    init_image: Path | None = None
    start: Pixels | None = None  # the pixels of init_image
    paths: list[Path] = field(default_factory=list)  # files of the inputs, in the record's order
    labels: list[Path] = field(default_factory=list)  # input files that a record does not hold
    notes: list[str] = field(default_factory=list)  # sentences to print before the run

    @cached_property
    def provenance(self) -> Provenance | None:
        """The provenance of the picture of ``--like``."""
        return Provenance.read(self.like, self.job) if self.like else None

    def recorded(self, argument: str) -> Any:
        """Return an argument of the job that made the picture of ``--like``."""
        return self.provenance.argument(argument) if self.provenance else None

    def imply(self, option: str, name: str, value: Any) -> None:
        """Let an option set a field of the recipe that is not set to another value."""
        if self.fields.setdefault(name, value) != value:
            flag = name.replace("_", "-")
            raise ValueError(
                f"--{option} is --{flag} {value}, not {self.fields[name]}; leave out one of them."
            )

    def compare(self, kind: str | None, layers: str | None, varied: str) -> dict[str, Any]:
        """Return what ``--compare`` and ``--layers`` compare; nothing for a single picture.

        Giving `varied`, the field of the recipe that a comparison sets, ends a recorded comparison.
        """
        named = None if layers is None else split(layers)
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
            "depth": self.outputs.depth,
            "tile-preview": self.outputs.tile_preview,
            "animation": self.outputs.animation,
        }.items():
            if value is not None:
                raise ValueError(f"--compare does not go with --{flag}; leave out one of them.")
        self.outputs.comparison = {"compare": kind} | ({} if named is None else {"layers": named})
        return self.outputs.comparison

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe, for a network that is on this machine or will be fetched."""
        if self.init_image:
            self.imply("init-image", "init", "image")
        if self.provenance and self.preset_or_file:
            raise ValueError("--like and --preset are a recipe each; leave out one of them.")
        if self.provenance:
            recipe = self.provenance.recipe.replace(**self.fields)
        else:
            recipe = read_recipe(self.preset_or_file or default_preset(self.job), self.fields)
        return self._on_available_network(recipe)

    def read(self, **given: Sequence[Path]) -> list[list[Pixels]]:
        """Return the images of each role, from the given files or else from the recorded ones.

        Whether all outputs can be written is checked before any image is read.
        """
        roles = dict(given)
        if self.recipe.init == "image":
            roles["start"] = [self.init_image] if self.init_image else []
        files = {role: self._files(role, paths) for role, paths in roles.items()}
        self.paths = [path for paths in files.values() for path in paths]
        like = [self.like] if self.like else []
        self.outputs.check_files([*self.paths, *self.labels, *like])
        self.outputs.check_text(self.recipe, self.paths)

        from napari_nst.io.read_image import read_image

        images = {role: [read_image(path) for path in paths] for role, paths in files.items()}
        if self.provenance:
            recorded = [role for role in files if not roles[role]]
            self._note_differences(self.provenance, {r: (files[r], images[r]) for r in recorded})
        self.start = next(iter(images.pop("start", [])), None)
        source = next(iter(images.values()))[0]
        keeps_alpha = self.job != "synthesize" or "into" in given
        self.outputs.check_picture(source, keeps_alpha=keeps_alpha)
        return list(images.values())

    def read_texture(
        self, exemplar: Sequence[Path], into: Path | None
    ) -> tuple[list[Pixels] | None, Pixels | None]:
        """Return the exemplars and the image to fill; either may be None."""

        def is_recorded(role: str) -> bool:
            return bool(self.provenance and self.provenance.entries(role))

        if into is None and not is_recorded("into"):
            (exemplars,) = self.read(exemplar=exemplar)
            return exemplars, None
        roles: dict[str, Sequence[Path]] = {"into": [into] if into else []}
        if exemplar or is_recorded("exemplar"):
            roles["exemplar"] = exemplar
        (image,), *others = self.read(**roles)
        return (others[0] if others else None), image

    def read_labels(self, path: Path | None, option: str, argument: str) -> Pixels | None:
        """Read the labels of an option, which are required if the recorded `argument` had some."""
        if path is None:
            if self.recorded(argument):
                raise ValueError(
                    f"{self.like} was made with labels, which it does not hold; give --{option} "
                    "again."
                )
            return None
        from napari_nst.io.read_image import read_labels

        return read_labels(path)

    def _files(self, role: str, given: Sequence[Path]) -> list[Path]:
        files = list(given) or (self.provenance.inputs(role) if self.provenance else [])
        if not files and role != "start":  # the engine has a better message for a missing start
            context = click.get_current_context()
            parameter = next(one for one in context.command.params if one.name == role)
            raise click.MissingParameter(ctx=context, param=parameter)
        return files

    def _note_differences(
        self, made: Provenance, inputs: Mapping[str, tuple[list[Path], list[Pixels]]]
    ) -> None:
        """Note how the run will differ from the one that made the picture of ``--like``."""
        step, steps = made.record.get("step"), made.record.get("steps")
        if step != steps:
            self.notes.append(
                f"{self.like} was stopped after step {step} of {steps}; this goes on to the last."
            )
        changed = [path for role, (files, images) in inputs.items()
                   for path in made.changed(role, files, images)]  # fmt: skip
        if changed:
            listed = ", ".join(map(str, changed))
            self.notes.append(f"not as it was when {self.like} was made: {listed}.")

    def _on_available_network(self, recipe: Recipe) -> Recipe:
        """Return the recipe, converted if ``--convert`` is given and its network is missing."""
        from napari_nst.engine.vgg.weights import verify

        usual, flavour = Recipe.weights, recipe.weights
        if flavour == usual or flavour not in FLAVOURS:
            return recipe  # for the usual network, the progress bar of its download is enough
        found = verify(flavour)
        if found.state == "ok":
            return recipe
        if self.convert:
            recipe = on_flavour(recipe, usual)
            outcome = f", so this runs on {usual} with converted weights, approximately."
        else:
            size = f"{found.download_size / 1e6:.0f} MB"
            outcome = f" and will be fetched ({size}); --convert runs on {usual} instead."
        self.notes.append(f"the {flavour} network is not on this machine{outcome}")
        return recipe


def default_preset(job: str) -> str:
    """Return the name of a job's default recipe."""
    return DEFAULT_PRESETS[PRESET_JOBS[job]]


def read_recipe(preset_or_file: str, changes: Mapping[str, Any]) -> Recipe:
    """Return a preset, or the recipe in a JSON file, with fields replaced."""
    if preset_or_file in preset_names():
        return preset(preset_or_file, **changes)
    path = Path(preset_or_file)
    if not path.is_file():
        known = ", ".join(preset_names())
        raise ValueError(f"preset must be {known} or a recipe's JSON file; not {preset_or_file!r}.")
    return load_recipe(path).replace(**changes)


def split(text: str) -> list[str]:
    """Split a value such as "relu1_1, relu2_1" at commas and spaces."""
    return text.replace(",", " ").split()
