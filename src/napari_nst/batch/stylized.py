"""Many contents, each in a style or in several."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_nst.batch.files import SUMMARY, summary_row
from napari_nst.batch.run import THERE, WRITTEN, FilesRun, FileStep, Row, is_there
from napari_nst.engine.job.build import order_to_stylize
from napari_nst.errors import FAILURES
from napari_nst.io.save_result import save
from napari_nst.recipe import Recipe

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration
    from napari_nst.engine.job.input_image import InputImage


@dataclass(frozen=True, eq=False)
class Picture:
    """One result: what it is made of, and its file."""

    content: Path
    style_files: Sequence[Path]
    styles: Sequence[InputImage]
    output: Path

    def row(self, status: str, error: str = "") -> Row:
        """Return its row in the table."""
        return summary_row(self.content, self.style_files, self.output, status, error)


class StylizedFiles(FilesRun):
    """The pictures of `stylize_files`."""

    def __init__(
        self,
        pictures: Sequence[Picture],
        path: Path,
        recipe: Recipe,
        pixel_sizes: Sequence[float] | None,
        **watched: Any,
    ) -> None:
        count, table = len(pictures), path / SUMMARY
        super().__init__("stylize_files", count, table, recipe.weights, **watched)
        self._todo, self._recipe, self._sizes = pictures, recipe, pixel_sizes

    def _pictures(self) -> Generator[FileStep]:
        for picture in self._todo:
            if self.steering.stopped:
                return
            content = str(picture.content)
            try:
                job = order_to_stylize(content, picture.styles, self._recipe, None, self._sizes)
            except FAILURES as error:
                self._leave_out(picture.output, picture.row, error)
                continue
            if is_there(picture.output, job):
                self._add(picture.row(THERE))
                continue
            write = partial(_written, picture)
            if not (yield from self._make(job, picture.output, picture.row, write)):
                return


def _written(picture: Picture, last: Iteration) -> Row:
    save(picture.output, last)
    return picture.row(WRITTEN)
