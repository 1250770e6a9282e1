"""The output files of a run: pictures, with the text that says how they were made."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nst.cli.tensorboard import check_tensorboard
from napari_nst.cli.terminal import option, sentence
from napari_nst.io.animation import check_format, write_animation
from napari_nst.io.atomic_write import check_size, check_writable
from napari_nst.io.history import History
from napari_nst.io.image_files.calibration import Calibration
from napari_nst.io.image_files.decoded_image import Limits, Pixels, split_alpha
from napari_nst.io.image_files.embedded_text import jpeg_comment
from napari_nst.io.image_files.write_image import (
    Depth,
    depth_for,
    quantized,
    write_grid,
    write_image,
    write_stack,
    write_volume,
)
from napari_nst.recipe import Recipe
from napari_nst.recipe.grid import Grid

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration

_FILES = ("output", "log", "tensorboard", "animation", "tile_preview")
_PLAIN = ("depth", "animation_every", "animation_depth", "limits", "planes")
_RECORD_BYTES = 32_768  # upper bound for a record without its recipe and the names of its inputs
NO_FILE = Path()  # the output, if no file was given
ANIMATION_MEGABYTES = 1000.0  # for the frames of an animation before they are written


@dataclass
class Outputs:
    """The output files of a run."""

    output: Path
    depth: str | None = None  # bits per channel that the user asked for
    log: Path | None = None
    tensorboard: Path | None = None
    animation: Path | None = None
    animation_every: int | None = None  # None: more of the first steps than of the last
    tile_preview: Path | None = None
    comparison: dict[str, Any] = field(default_factory=dict)  # for the record; empty: one picture
    depths: dict[Path, Depth] = field(default_factory=dict)
    limits: Sequence[Limits | None] = ()  # of each input, where its values were rescaled
    planes: Sequence[Mapping[str, int]] = ()  # page and channel of each input, if it has several
    calibration: Calibration | None = None  # of the image that the result covers
    animation_depth: Depth = 8
    history: History | None = None  # collects the frames of the animation
    resumed_at: int = 0  # the first step of a resumed run, whose log is there; 0: a new run

    def check_files(self, recipe: Recipe, inputs: Sequence[Path], others: Sequence[Path]) -> None:
        """Raise unless all files can be written; the record names `inputs`, but not `others`."""
        files = [self.output, self.tile_preview, self.animation, self.log]
        check_writable([path for path in files if path], [*inputs, *others])
        if self.animation:
            check_format(self.animation)
        elif self.animation_every is not None:
            raise ValueError(
                "--animation-every says which steps --animation has. Give --animation, too."
            )
        if self.tensorboard:
            check_tensorboard(self.tensorboard)
        if _is_jpeg(self.output):
            named = [[str(path), str(path.absolute()), " " * 256] for path in inputs]
            try:
                jpeg_comment(json.dumps([recipe.to_dict(), named]) + " " * _RECORD_BYTES)
            except ValueError:
                raise ValueError(
                    f"{self.output}: a JPEG cannot hold the names of {len(inputs)} inputs. "
                    "Write a PNG or TIFF."
                ) from None

    def check_picture(self, source: Pixels, keeps_alpha: bool) -> None:
        """Raise unless the formats of the files suit a picture made of `source`."""
        wanted = int(self.depth) if self.depth else None
        for path in filter(None, (self.output, self.tile_preview)):
            self.depths[path] = depth_for(path, source, wanted)
            if keeps_alpha and not self.comparison and _is_jpeg(path) and _has_alpha(source):
                raise ValueError(
                    f"{path}: a JPEG has no alpha channel, and the input has one. Write a PNG or "
                    "TIFF."
                )
        if self.animation:
            # Only a grey TIFF animation has more than 8 bit.
            is_deep = check_format(self.animation) == "TIFF" and source.ndim == 2
            if is_deep:
                self.animation_depth = depth_for(self.animation, source, wanted)
            self._collect_frames()

    def to_data(self) -> dict[str, Any]:
        """Return the files as plain data, for the saved state of a run."""
        paths = {name: getattr(self, name) for name in _FILES}
        return {name: str(path.absolute()) for name, path in paths.items() if path} | {
            "depths": {str(path.absolute()): depth for path, depth in self.depths.items()},
            "calibration": None if self.calibration is None else asdict(self.calibration),
            **{name: getattr(self, name) for name in _PLAIN},
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any], resumed_at: int) -> Outputs:
        """Return the files of a run that is resumed at a step."""
        paths = {name: Path(data[name]) for name in _FILES if name in data}
        outputs = cls(paths["output"], resumed_at=resumed_at)
        for name in _FILES:
            setattr(outputs, name, paths.get(name))
        outputs.depths = {Path(path): depth for path, depth in data["depths"].items()}
        for name in _PLAIN:
            setattr(outputs, name, data.get(name, getattr(outputs, name)))
        if data["calibration"] is not None:
            outputs.calibration = Calibration(**data["calibration"])
        if outputs.animation:
            outputs._collect_frames()
        return outputs

    def _collect_frames(self) -> None:
        self.history = History(
            "even" if self.animation_every else "log",
            every=self.animation_every or 1,
            megabytes=ANIMATION_MEGABYTES,
            convert=partial(quantized, "picture", depth=self.animation_depth),
        )

    def check_size(self, shape: tuple[int, int]) -> None:
        """Raise unless the formats of the files hold pictures of a height and width."""
        height, width = shape
        check_size(self.output, shape)
        if self.animation:
            check_size(self.animation, shape)
        if self.tile_preview:
            check_size(self.tile_preview, (3 * height, 3 * width))

    def write(self, finished: Sequence[Iteration], inputs: Sequence[Path]) -> str:
        """Write the last iteration of each picture, and return a phrase that says so.

        Where that fails, the picture is written elsewhere, and an OSError says why and where.
        """
        try:
            return self._write(self.output, finished, inputs)
        except Exception as error:  # of any kind: hours of work are in memory
            # The disk is full, or the folder is gone; other errors are of the format.
            name = self.output.name if isinstance(error, OSError) else f"{self.output.stem}.tif"
            path = self._write_elsewhere(name, finished, inputs)
            if path is None:
                raise
            raise OSError(f"{sentence(error)} The picture is in {path} instead.") from error

    def _write_elsewhere(
        self, name: str, finished: Sequence[Iteration], inputs: Sequence[Path]
    ) -> Path | None:
        """Write the picture into a new folder among temporary files, or else at home."""
        for find in (tempfile.gettempdir, Path.home):
            with suppress(Exception):
                folder = Path(tempfile.mkdtemp(prefix="napari-nst-", dir=find()))
                try:
                    self._write(folder / name, finished, inputs)
                    return folder / name
                except BaseException:
                    folder.rmdir()
                    raise
        return None

    def _write(self, output: Path, finished: Sequence[Iteration], inputs: Sequence[Path]) -> str:
        last = finished[-1]
        text = json.dumps(self._record(finished, inputs))
        if len(last.shape) == 3:
            return self._write_volume(output, last, text)
        height, width = finished[0].shape
        size = f"{width} × {height} pixels"
        if "grid" in last.facts:
            grid = Grid.from_dict(last.facts["grid"]).in_words(option)
            write_grid(output, grid, {one.panel: one.picture for one in finished}, text=text)
            return f"{output} ({len(finished)} of {len(grid.cells)} pictures)"
        if self.comparison:
            # A picture that was interrupted may be smaller than the others.
            alike = [one for one in finished if one.shape == (height, width)]
            pictures = [one.picture for one in alike]
            if pictures[0].ndim == 3:
                pictures = [picture[..., :3] for picture in pictures]
            labels = [one.panels[one.panel] for one in alike]
            write_stack(output, pictures, labels, text=text, calibration=self.calibration)
            return f"{output} ({len(alike)} of {len(last.panels)} pictures, {size})"
        depth = self.depths[self.output]
        write_image(output, last.picture, depth, text=text, calibration=self.calibration)
        return f"{output} ({size}, {depth} bit)"

    def _write_volume(self, output: Path, last: Iteration, text: str) -> str:
        depth = self.depths[self.output]
        write_volume(output, last.picture, depth, text=text, calibration=self.calibration)
        return f"{output} ({' × '.join(map(str, last.shape[::-1]))} voxels, {depth} bit)"

    def write_more(self, last: Iteration, inputs: Sequence[Path]) -> Iterator[str]:
        """Write tile preview and animation, and yield a phrase for each file."""
        if self.comparison:
            return
        if self.tile_preview:
            depth = self.depths[self.tile_preview]
            picture = quantized("picture", last.picture, depth)  # smaller than nine times floats
            tiles = np.tile(picture, (3, 3, 1)[: picture.ndim])
            write_image(self.tile_preview, tiles, depth)
            yield str(self.tile_preview)
        if self.animation and self.history is not None:
            self.history.step(last, is_last=True)
            text = json.dumps(self._record([last], inputs))
            stack = self.history.stack()
            summary = write_animation(
                self.animation, stack, text=text, calibration=self.calibration
            )
            yield f"{self.animation} ({summary})"

    def _record(self, finished: Sequence[Iteration], inputs: Sequence[Path]) -> dict[str, Any]:
        """Return the record of the last iteration, with the absolute paths of the inputs."""
        record = finished[-1].record([str(path) for path in inputs])
        for entry, path in zip(record["inputs"].values(), inputs, strict=False):
            entry["path"] = str(path.absolute())
        for entry, limits in zip(record["inputs"].values(), self.limits, strict=False):
            if limits is not None:
                entry["limits"] = list(limits)
        for entry, plane in zip(record["inputs"].values(), self.planes, strict=False):
            entry |= plane
        if self.comparison:
            record["arguments"] = record.get("arguments", {}) | self.comparison
            in_grid = "grid" in record  # has up to 64 pictures: too many for the losses of layers
            record["pictures"] = {
                one.panels[one.panel]: {
                    name: loss for name, loss in one.losses.items() if not (in_grid and "/" in name)
                }
                for one in finished
            }
        return record


def _is_jpeg(path: Path) -> bool:
    return path.suffix.lower() in (".jpg", ".jpeg")


def _has_alpha(image: Pixels) -> bool:
    """Return whether some pixels are transparent; the engine drops the channel otherwise."""
    opaque = np.iinfo(image.dtype).max if image.dtype.kind == "u" else 1
    _, alpha = split_alpha(image)
    return alpha is not None and bool((alpha < opaque).any())
