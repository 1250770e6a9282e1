"""What a run writes: the picture or the pictures, with the text that says how they were made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_nst.io import atomic_write as outputs
from napari_nst.recipe import Recipe

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration
    from napari_nst.io.history import History
    from napari_nst.io.read_image import Depth, Pixels

_ROOM = 32_768
"""Bytes for what a record holds beside its recipe and the names of its inputs, generously."""

KEPT_MEGABYTES = 1000.0
"""Memory for the pictures of ``--animation`` until they are written, in millions of bytes."""


@dataclass
class Results:
    """The files of a run.

    Its checks raise OSError or ValueError, in one sentence, where something cannot be written.

    Attributes
    ----------
    output : Path
        The picture; or those of a comparison, as a stack.
    depth : str or None
        Bits per channel that were asked for.
    log, tensorboard : Path or None
        Where to write what happens.
    animation : Path or None
        The pictures of several steps, one after the other.
    animation_every : int or None
        How many steps lie between two of these; None takes more of the first than of the last.
    tile_preview : Path or None
        The picture three times beside and three times below itself.
    comparison : dict
        What a comparison compares, as its record says it; empty for a single picture.
    depths : dict
        Each picture's bits per channel, once it is known of what it will be made.
    kept : History or None
        What watches the run for `animation`, from then on too.
    """

    output: Path
    depth: str | None
    log: Path | None
    tensorboard: Path | None
    animation: Path | None = None
    animation_every: int | None = None
    tile_preview: Path | None = None
    comparison: dict[str, Any] = field(default_factory=dict)
    depths: dict[Path, Depth] = field(default_factory=dict)
    kept: History | None = None

    def check_files(self, inputs: Sequence[Path]) -> None:
        """Find out whether all files can be written."""
        files = [self.output, self.tile_preview, self.animation, self.log]
        outputs.check_writable([path for path in files if path], inputs)
        if self.animation:
            from napari_nst.io.animation import check_format

            check_format(self.animation)
        elif self.animation_every is not None:
            raise ValueError("--animation-every says what --animation keeps; give that too.")
        if self.tensorboard:
            from napari_nst.cli import tensorboard

            tensorboard.check(self.tensorboard)

    def check_picture(self, source: Pixels, keeps_alpha: bool) -> None:
        """Find out whether the files' formats suit a picture of this source."""
        from napari_nst.io.read_image import depth_for

        wanted = int(self.depth) if self.depth else None
        for path in (self.output, self.tile_preview):
            if path is None:
                continue
            self.depths[path] = depth_for(path, source, wanted)
            if keeps_alpha and not self.comparison and _is_jpeg(path) and _has_alpha(source):
                raise ValueError(
                    f"{path}: a JPEG has no alpha channel, which the input has; take PNG or TIFF."
                )
        if self.animation:
            self.kept = self._history(self.animation, source, wanted)

    def _history(self, path: Path, source: Pixels, wanted: int | None) -> History:
        from napari_nst.io.animation import check_format
        from napari_nst.io.history import History
        from napari_nst.io.write_image import depth_for, levels

        # Of these formats, a TIFF of grey alone goes deeper than 8 bit.
        is_deep = check_format(path) == "TIFF" and source.ndim == 2
        depth = depth_for(path, source, wanted) if is_deep else 8
        return History(
            "log" if self.animation_every is None else "even",
            every=self.animation_every or 1,
            megabytes=KEPT_MEGABYTES,
            convert=partial(levels, "picture", depth=depth),
        )

    def check_text(self, recipe: Recipe, inputs: Sequence[Path]) -> None:
        """Find out whether the picture's format has room for the record."""
        from napari_nst.io.embedded_text import jpeg_comment

        named = [[str(path), str(path.absolute()), " " * 256] for path in inputs]
        draft = json.dumps([recipe.to_dict(), named])
        try:
            jpeg_comment(draft + " " * _ROOM if _is_jpeg(self.output) else "")
        except ValueError:
            raise ValueError(
                f"{self.output}: a JPEG has no room for the names of {len(inputs)} inputs; take "
                "PNG or TIFF."
            ) from None

    def write(self, finished: Sequence[Iteration], inputs: Sequence[Path]) -> str:
        """Write the pictures, and return a phrase that says so.

        Parameters
        ----------
        finished : sequence of Iteration
            The last of the run; of a comparison the last of each picture.
        inputs : sequence of Path
            Of what it was made.
        """
        from napari_nst.io.read_image import write_image, write_stack

        text = json.dumps(self._record(finished, inputs))
        height, width = finished[0].shape
        size = f"{width} × {height} pixels"
        if "grid" in finished[-1].facts:
            return self._write_grid(finished, text)
        if self.comparison:
            # One that was interrupted may not have come to the size of the others.
            alike = [one for one in finished if one.shape == finished[0].shape]
            labels = [one.panels[one.panel] for one in alike]
            write_stack(self.output, [_opaque(one.picture) for one in alike], labels, text=text)
            count = f"{len(alike)} picture{'s' if len(alike) > 1 else ''}"
            return f"wrote {self.output} ({count} of {size})"
        picture = finished[-1].picture
        depth = self.depths[self.output]
        write_image(self.output, picture, depth, text=text)
        said = f"wrote {self.output} ({size}, {depth} bit)"
        if self.tile_preview:
            tiles = _tiled(picture)
            write_image(self.tile_preview, tiles, self.depths[self.tile_preview])
            said += f" and {self.tile_preview}"
        if self.animation and self.kept is not None:
            from napari_nst.io.animation import write_animation

            self.kept.step(finished[-1], is_last=True)
            facts = write_animation(self.animation, self.kept.stack(), text=text)
            said += f" and {self.animation} ({facts})"
        return said

    def _write_grid(self, finished: Sequence[Iteration], text: str) -> str:
        from napari_nst.io.contact_sheet import Grid
        from napari_nst.io.grid_writing import write_grid

        grid = Grid.from_dict(finished[-1].facts["grid"])
        write_grid(self.output, grid, {one.panel: one.picture for one in finished}, text=text)
        return f"wrote {self.output} ({len(finished)} of {len(grid.cells)} pictures)"

    def _record(self, finished: Sequence[Iteration], inputs: Sequence[Path]) -> dict[str, Any]:
        """Return how it was made: names as they were given, and where `Made` finds the files."""
        record = finished[-1].record([str(path) for path in inputs])
        for facts, path in zip(record["inputs"].values(), inputs, strict=False):
            facts["path"] = str(path.absolute())
        if self.comparison:
            record["arguments"] = record.get("arguments", {}) | self.comparison
            record["pictures"] = {one.panels[one.panel]: _summary(one) for one in finished}
        return record


def _summary(iteration: Iteration) -> dict[str, float]:
    """Return the losses of a picture; of one among many, without those of each layer."""
    losses = dict(iteration.losses)
    if "grid" in iteration.facts:
        losses = {name: loss for name, loss in losses.items() if "/" not in name}
    return losses


def _is_jpeg(path: Path) -> bool:
    return path.suffix.lower() in (".jpg", ".jpeg")


def _has_alpha(image: Pixels) -> bool:
    """Whether some pixels are transparent: else the engine leaves the channel out."""
    import numpy as np

    most = np.iinfo(image.dtype).max if image.dtype.kind == "u" else 1
    return image.ndim == 3 and image.shape[-1] == 4 and bool((image[..., 3] < most).any())


def _opaque(picture: Pixels) -> Pixels:
    return picture if picture.ndim == 2 else picture[..., :3]


def _tiled(picture: Pixels) -> Pixels:
    import numpy as np

    return np.tile(picture, (3, 3) if picture.ndim == 2 else (3, 3, 1))
