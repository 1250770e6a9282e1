"""The arguments of a job's command, turned into a recipe and images."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import click
import numpy as np

from napari_nst.cli.outputs import NO_FILE, Outputs
from napari_nst.cli.terminal import IMPLIED, option
from napari_nst.engine.job.style_target import SUFFIX, StyleTarget
from napari_nst.engine.vgg import weights as network
from napari_nst.io.image_files.decoded_image import DecodedImage, Limits, Pixels
from napari_nst.io.image_files.embedded_text import read_text
from napari_nst.io.image_files.read_image import decode_image, decode_labels
from napari_nst.io.record import PRESET_JOBS, load_recipe, record_in
from napari_nst.recipe import DEFAULT_PRESETS, Recipe, on_flavour, preset, preset_names
from napari_nst.recipe.convert_weights import FLAVOURS
from napari_nst.recipe.layer_names import COMPARED_LAYERS
from napari_nst.recipe.suggest import nearest


class Provenance:
    """The record in a picture that this program wrote (see `Iteration.record`), and its recipe."""

    def __init__(self, picture: Path, job: str | None = None) -> None:
        record = record_in(read_text(picture))
        if record is None:
            raise ValueError(
                f"{picture} holds no napari-nst record. Choose a file that napari-nst wrote."
            )
        made_by = record["job"]
        if job not in (None, made_by):
            raise ValueError(
                f"{picture} was made by {made_by}, not by {job}. Run napari-nst {made_by}."
            )
        self.picture, self.record = picture, record
        try:
            self.recipe = Recipe.from_dict(record["recipe"])
        except (TypeError, ValueError) as error:
            reason = str(error).replace("`", "")
            raise ValueError(f"{picture}: {reason}") from error

    def argument(self, name: str) -> Any:
        """Return an argument of the job beside images and recipe, None if it was not given."""
        return self.record["arguments"].get(name)

    def inputs(self, role: str) -> list[Path]:
        """Return the files of a role; ``style`` has those of ``style 1``, ``style 2`` and so on."""
        files = []
        for entry in self._entries(role):
            if not isinstance(entry.get("path"), str):
                raise ValueError(f"{self.picture} names no file of its {role}. Give one.")
            path = Path(entry["path"])
            if not path.is_file():  # the inputs may have moved together with the picture
                path = self.picture.parent / path.name
            if not path.is_file():
                raise FileNotFoundError(
                    f"{entry['path']}, the {role} of {self.picture}, is gone. Give another."
                )
            files.append(path)
        return files

    def read(self, role: str, limits: str | None = None) -> list[Any]:
        """Read the files of a role in the recorded ranges, or in those of ``--limits``."""
        images = []
        for path, entry in zip(self.inputs(role), self._entries(role), strict=True):
            recorded = entry.get("limits")
            text = limits if limits or recorded is None else str(recorded).strip("[]")
            plane = entry.get("page"), entry.get("channel")
            images.append(read_style(path, text or "full", *plane))
        return images

    def changes_in(self, images: Mapping[str, Sequence[DecodedImage | StyleTarget]]) -> list[str]:
        """Return a note that names the files whose images, by role, differ from the recorded."""
        changed = [
            str(path)
            for role, found in images.items()
            for path, image, entry in zip(
                self.inputs(role), found, self._entries(role), strict=True
            )
            if pixels_hash(image) != entry.get("sha256")
        ]
        note = f"{', '.join(changed)} changed after {self.picture} was made."
        return [note] if changed else []

    def _entries(self, role: str) -> list[Mapping[str, Any]]:
        inputs = self.record["inputs"]
        return [inputs[name] for name in inputs if name.partition(" ")[0] == role]


@dataclass
class Request:
    """What the commands of all jobs have in common."""

    job: str
    outputs: Outputs
    fields: dict[str, Any]  # of the recipe, given as options
    preset_or_file: str | None = None
    like: Path | None = None
    convert: bool = False
    init_image: Path | None = None
    limits: str | None = None  # the values that are black and white, or "auto"
    page: int | None = None  # of inputs that have several, from 1
    channel: int | None = None
    start: DecodedImage | None = None  # the pixels of init_image
    paths: list[Path] = field(default_factory=list)  # files of the inputs, in the record's order
    notes: list[str] = field(default_factory=list)  # sentences to print before the run
    save_every: float = 60.0  # seconds between two saved states of a run

    @property
    def about(self) -> dict[str, Any]:
        """What is needed to resume the run besides its state."""
        return {
            "title": " × ".join(path.stem for path in self.paths),
            "program": "terminal",
            "inputs": [str(path.absolute()) for path in self.paths],
            "outputs": self.outputs.to_data(),
        }

    @cached_property
    def provenance(self) -> Provenance | None:
        """The provenance of the picture of ``--like``."""
        return Provenance(self.like, self.job) if self.like else None

    def recorded(self, argument: str) -> Any:
        """Return an argument of the job that made the picture of ``--like``."""
        return self.provenance.argument(argument) if self.provenance else None

    def has_recorded(self, role: str) -> bool:
        """Return whether the picture of ``--like`` was made with an image of this role."""
        return self.provenance is not None and role in self.provenance.record["inputs"]

    def imply(self, given: str, name: str, value: Any) -> None:
        """Let an option set a field of the recipe that is not set to another value."""
        if self.fields.setdefault(name, value) != value:
            flag = name.replace("_", "-")
            raise ValueError(
                f"--{given} means --{flag} {value}, not {self.fields[name]}. Leave out one of them."
            )
        if context := click.get_current_context(silent=True):
            context.meta.setdefault(IMPLIED, {})[name] = f"--{given}"

    def compare(self, kind: str | None, layers: str | None, varied: str) -> dict[str, Any]:
        """Return what ``--compare`` compares, if given or recorded and `varied` is not given."""
        named = None if layers is None else split(layers)
        if kind is None and varied not in self.fields:
            kind, named = self.recorded("compare"), named or self.recorded("layers")
        if kind is None:
            if named is not None:
                raise ValueError("--layers names the layers of --compare. Give --compare, too.")
            return {}
        if varied in self.fields:
            raise ValueError("--compare varies the layers. Name them with --layers alone.")
        for flag, value in {
            "init-image": self.init_image,
            "depth": self.outputs.depth,
            "tile-preview": self.outputs.tile_preview,
            "animation": self.outputs.animation,
        }.items():
            if value is not None:
                raise ValueError(f"--compare does not go with --{flag}. Leave out one of them.")
        named = list(COMPARED_LAYERS) if named is None else named
        self.outputs.comparison = {"compare": kind, "layers": named}
        return self.outputs.comparison

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe, for a network that is on this machine or will be fetched."""
        if self.init_image:
            self.imply("init-image", "init", "image")
        if self.provenance and self.preset_or_file:
            raise ValueError("--like and --preset both set the recipe. Leave out one of them.")
        if self.provenance:
            recipe = self.provenance.recipe.replace(**self.fields)
        else:
            name = self.preset_or_file or default_preset(self.job)
            recipe = read_recipe(name, self.fields, self.job)
            usual = PRESET_JOBS[self.job]
            if name in preset_names() and name not in preset_names(usual):
                self.notes.append(
                    f"the preset {name} is not meant for {self.job}; 'napari-nst presets --job "
                    f"{usual}' lists those that are."
                )
        return self._on_available_network(recipe)

    def read(
        self, labels: Sequence[Path | None] = (), **given: Sequence[Path | None]
    ) -> dict[str, list[Any]]:
        """Check all outputs, then return the images of each role, given or else recorded ones.

        They are decoded images, and style targets among the styles.
        """
        roles = {role: [path for path in paths if path] for role, paths in given.items()}
        if self.recipe.init == "image":  # the engine has a message for a missing initial image
            roles["start"] = [self.init_image] if self.init_image else []
        files, recorded = dict(roles), []
        if self.provenance:
            recorded = [role for role in roles if not roles[role]]
            files |= {role: self.provenance.inputs(role) for role in recorded}
        self.check_given(files)
        self.paths = [path for paths in files.values() for path in paths]
        others = [path for path in (*labels, self.like) if path]
        self.outputs.check_files(self.recipe, self.paths, others)

        images = {
            role: self.provenance.read(role, self.limits)
            if self.provenance and role in recorded
            else [self._decoded(role, path) for path in paths]
            for role, paths in files.items()
        }
        every = [_pixels_of(image) for found in images.values() for image in found]
        self.outputs.limits = [image.limits for image in every]
        if self.limits and not any(self.outputs.limits):
            raise ValueError("--limits is for images of more than 8 bits. Leave it out.")
        self.outputs.planes = [image.plane for image in every]
        for name in ("page", "channel"):
            if getattr(self, name) and not any(name in plane for plane in self.outputs.planes):
                raise ValueError(f"No input has several {name}s. Leave out --{name}.")
        if self.provenance:
            step, steps = (self.provenance.record.get(name) for name in ("step", "steps"))
            if step != steps:
                self.notes.append(
                    f"{self.like} was stopped after step {step} of {steps}; this run takes all "
                    "steps."
                )
            if own := self.recorded("losses"):
                names = ", ".join(str(one.get("name")) for one in own)
                self.notes.append(
                    f"{self.like} was made in Python with losses of its own ({names}), which this "
                    "run leaves out."
                )
            self.notes += self.provenance.changes_in({role: images[role] for role in recorded})
        self.start = next(iter(images.pop("start", [])), None)
        source = every[0]
        covers_source = self.job != "synthesize" or "into" in given
        self.outputs.calibration = source.calibration if covers_source else None
        self.outputs.check_picture(source.pixels, covers_source)
        return images

    def _decoded(self, role: str, path: Path) -> DecodedImage | StyleTarget:
        read = read_style if role in ("style", "exemplar") else read_in_range
        return read(path, self.limits, self.page, self.channel)

    def check_given(self, files: Mapping[str, Sequence[Path]]) -> None:
        """Raise an error that names all missing arguments, in the order of the usage line."""
        context = click.get_current_context()
        names = [
            option(str(parameter.name))
            for parameter in context.command.params
            if isinstance(parameter, click.Argument)
            and not files.get(parameter.name or "", True)
            and not (parameter.name == "exemplar" and "into" in files)
        ]
        if self.outputs.output is NO_FILE:
            names.append("--output")
        if names:
            *others, last = names
            listed = f"{', '.join(others)} and {last}" if others else last
            raise click.UsageError(f"{listed} {'are' if others else 'is'} missing.", context)

    def read_labels(
        self,
        path: Path | None,
        of: Sequence[DecodedImage],
        flag: str = "",
        argument: str = "",
    ) -> Pixels | None:
        """Read an option's labels of an image; required if the recorded `argument` had some."""
        if path is None:
            if self.recorded(argument):
                raise ValueError(
                    f"{self.like} was made with labels, which it does not hold. Give --{flag} "
                    "again."
                )
            return None
        labels = decode_labels(path)
        of_image = bool(of) and isinstance(of[0], DecodedImage)
        return self._upright_as(of[0], labels, path) if of_image else labels.pixels

    def _upright_as(self, image: DecodedImage, labels: DecodedImage, path: Path) -> Pixels:
        """Return labels, turned as their image was if they were drawn on it as it is stored."""
        shape, stored, upright = labels.pixels.shape, image.stored_shape, image.pixels.shape[:2]
        if image.orientation == 1 or labels.orientation != 1 or shape != stored:
            return labels.pixels
        if stored != upright:
            self.notes.append(
                f"{path} has the shape of its image as it is stored. Both are turned upright."
            )
            return labels.turned_as(image).pixels
        self.notes.append(
            f"{path} is read as labels of the upright image, but that image is stored in another "
            "orientation, which napari shows."
        )
        return labels.pixels

    def _on_available_network(self, recipe: Recipe) -> Recipe:
        """Return the recipe, converted if ``--convert`` is given and its network is missing."""
        usual, flavour = Recipe.weights, recipe.weights
        if flavour == usual or flavour not in FLAVOURS:
            return recipe  # for the usual network, the progress bar of its download is enough
        found = network.verify(flavour)
        if found.state == "ok":
            return recipe
        if self.convert:
            recipe = on_flavour(recipe, usual)
            outcome = f"; this runs on {usual} with converted weights, an approximation."
        else:
            size = f"{found.download_size / 1e6:.0f} MB"
            outcome = f" and will be fetched ({size}). --convert runs on {usual} instead."
        self.notes.append(f"the {flavour} network is not on this machine{outcome}")
        return recipe


def pixels_hash(image: DecodedImage | StyleTarget) -> str:
    """Return the SHA-256 of an image's pixels or of a style target, as records have it."""
    if isinstance(image, StyleTarget):
        return image.sha256
    return hashlib.sha256(np.ascontiguousarray(image.pixels).data).hexdigest()


def default_preset(job: str) -> str:
    """Return the name of a job's default recipe."""
    return DEFAULT_PRESETS[PRESET_JOBS[job]]


def read_recipe(preset_or_file: str, changes: Mapping[str, Any], job: str | None = None) -> Recipe:
    """Return a preset, or the recipe in a JSON file, with fields replaced.

    The message for an unknown name lists the presets of a job alone.
    """
    if preset_or_file in preset_names():
        return preset(preset_or_file, **changes)
    path = Path(preset_or_file)
    if not path.is_file():
        names = preset_names(PRESET_JOBS[job] if job else None)
        hint = nearest(preset_or_file, names) or nearest(preset_or_file, preset_names())
        known = hint or f"Choose one of {', '.join(names)}, or a recipe's JSON file."
        raise ValueError(f"There is no preset or file {preset_or_file!r}. {known}")
    return load_recipe(path).replace(**changes)


def read_in_range(
    path: Path, limits: str | None, page: int | None = None, channel: int | None = None
) -> DecodedImage:
    """Read an image; of more than 8 bits, in [0, 1] by limits, by default those in the file.

    `limits` are two numbers, ``auto`` for the extremes, or ``full`` for the range of the type.
    """
    image = decode_image(path, page, channel)
    if image.pixels.dtype == np.uint8 or limits == "full":
        return replace(image, limits=None)
    if limits == "auto":
        return image.scaled(image.extremes())
    if limits is not None:
        return image.scaled(parse_limits(limits))
    return image if image.limits is None else image.scaled(image.limits)


def read_style(
    path: Path, limits: str | None, page: int | None = None, channel: int | None = None
) -> DecodedImage | StyleTarget:
    """Read a style: an image, as `read_in_range`, or a style target."""
    if path.suffix.lower() == SUFFIX:
        return StyleTarget.load(path)
    return read_in_range(path, limits, page, channel)


def _pixels_of(image: DecodedImage | StyleTarget) -> DecodedImage:
    """Return an image, or for a style target one pixel with as many channels."""
    if isinstance(image, DecodedImage):
        return image
    return DecodedImage(np.zeros((1, 1) if image.is_grey else (1, 1, 3), np.uint8))


def parse_limits(text: str) -> Limits:
    """Return the values of black and white in the text of ``--limits``."""
    try:
        low, high = (float(number) for number in split(text))
    except ValueError:
        low = high = math.nan
    if not -math.inf < low < high < math.inf:
        raise ValueError(
            f"--limits must be auto, or the values of black and white, such as 0,4095; not {text}."
        )
    return low, high


def split(text: str) -> list[str]:
    """Split a value such as "relu1_1, relu2_1" at commas and spaces."""
    return text.replace(",", " ").split()
