"""The files under way, as callers get them: their steps, their pictures and the table of all."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_nst.batch.files import SUMMARY, summary_row
from napari_nst.engine.api import start
from napari_nst.engine.iteration import Iteration
from napari_nst.engine.job.build import order_to_stylize
from napari_nst.engine.job.job import Job
from napari_nst.engine.steering import Steering
from napari_nst.engine.vgg import weights
from napari_nst.errors import FAILURES, Cancelled, NstError
from napari_nst.io.record import holds_result
from napari_nst.io.save_result import save
from napari_nst.io.table import write_table
from napari_nst.recipe import Recipe

if TYPE_CHECKING:
    from napari_nst.engine.job.input_image import InputImage
    from napari_nst.engine.vgg.weights import Progress

_MOST_FAILURES = 2  # without a success: the others would fail, too


@dataclass(frozen=True, eq=False)
class Picture:
    """One result: what it is made of, and its file."""

    content: Path
    style_files: Sequence[Path]
    styles: Sequence[InputImage]
    output: Path


@dataclass(frozen=True, eq=False)
class FileStep:
    """One step of one file, or its end.

    Attributes
    ----------
    label : str
        Name of the result's file.
    iteration : Iteration
        The step, with its losses and its image.
    finished : bool
        Whether the result has been written.
    done, files : int
        Number of finished results, and of all.
    """

    label: str
    iteration: Iteration
    finished: bool
    done: int
    files: int


class FilesRun(Iterator[FileStep]):
    """Files under way, as `stylize_files` returns them.

    It is an iterator of `FileStep`, and computes a step at each `next`.

    Attributes
    ----------
    path : Path
        The folder of the results.
    rows : list of dict
        The rows of ``summary.csv`` so far.
    failed : dict of str to str
        Name of a result → error, for those that have failed; all others are written.
    """

    def __init__(
        self,
        pictures: Sequence[Picture],
        path: Path,
        recipe: Recipe,
        pixel_sizes: Sequence[float] | None,
        *,
        steering: Steering,
        progress: Progress | None,
    ) -> None:
        self.path, self.done, self.count = path, 0, len(pictures)
        self.rows: list[dict[str, Any]] = []
        self.failed: dict[str, str] = {}
        self.steering = steering
        self._pictures, self._recipe, self._sizes = pictures, recipe, pixel_sizes
        self._progress = progress
        self._steps = self._iterate()

    def __next__(self) -> FileStep:
        """Compute the next step."""
        return next(self._steps)

    def __repr__(self) -> str:
        return f"<stylize_files: {self.done} of {self.count} pictures, {self.path}>"

    def stop(self) -> None:
        """End during the next step, from any thread; finished pictures remain."""
        self.steering.stop()

    def close(self) -> None:
        """End the run; finished pictures remain."""
        self._steps.close()

    def result(self, progress: bool = True) -> list[dict[str, Any]]:
        """Make all pictures that are missing, and return `rows`.

        Parameters
        ----------
        progress : bool
            Show a progress bar.

        Raises
        ------
        NstError
            If files have failed; the message names them. All others are written.
        """
        from tqdm import tqdm

        with tqdm(total=self.count, unit=" picture", disable=not progress) as bar:
            for step in self:
                one = step.iteration
                bar.set_postfix_str(f"{step.label}, step {one.step} of {one.steps}", False)
                bar.update(step.done - bar.n)
            bar.update(self.done - bar.n)
        if self.failed:
            raise NstError(self.failures())
        return self.rows

    def failures(self) -> str:
        """Return a sentence that names the files that have failed; empty without any."""
        listed = "; ".join(f"{name}: {error}" for name, error in self.failed.items())
        noun = "picture has" if len(self.failed) == 1 else "pictures have"
        return f"{len(self.failed)} {noun} failed. {listed}" if self.failed else ""

    def _iterate(self) -> Generator[FileStep, None, None]:
        self.steering.check_usable()
        held: Any = None
        try:
            for picture in self._pictures:
                if self.steering.stopped:
                    return
                try:
                    job = order_to_stylize(
                        str(picture.content), picture.styles, self._recipe, None, self._sizes
                    )
                    is_there = _is_there(picture.output, job)
                except FAILURES as error:
                    self._fail(picture, error)
                    continue
                if is_there:
                    self._add(picture, "there already")
                    continue
                if held is None:  # each run finds the network loaded
                    held = weights.load(self._recipe.weights, self._progress)
                last: Iteration | None = None
                try:
                    run = start(job, self._progress, self.steering)
                    try:
                        for last in run:
                            yield self._step(picture, last)
                    finally:
                        run.close()
                    if self.steering.stopped or last is None:
                        return
                    save(picture.output, last)
                except Cancelled:
                    return
                except FAILURES as error:
                    self._fail(picture, error)
                    continue
                self._add(picture, "written")
                yield replace(self._step(picture, last), finished=True)
        finally:
            self._write_table()
            del held

    def _step(self, picture: Picture, one: Iteration) -> FileStep:
        return FileStep(picture.output.name, one, finished=False, done=self.done, files=self.count)

    def _fail(self, picture: Picture, error: Exception) -> None:
        name = picture.output.name
        self.failed[name] = str(error) or type(error).__name__
        self._add(picture, "left out", self.failed[name])
        if not self.done and len(self.failed) >= min(_MOST_FAILURES, self.count):
            raise NstError(f"{name} failed: {self.failed[name]}") from error
        self.steering.tell(f"{name} failed and is left out: {self.failed[name]}")

    def _add(self, picture: Picture, status: str, error: str = "") -> None:
        self.done += not error
        self.rows.append(
            summary_row(picture.content, picture.style_files, picture.output, status, error)
        )
        self._write_table()

    def _write_table(self) -> None:
        if not self.rows:
            return
        try:
            write_table(self.path / SUMMARY, self.rows)
        except OSError as error:  # the pictures are worth more
            self.steering.tell(str(error))


def _is_there(output: Path, job: Job) -> bool:
    content: Any = job.content
    inputs = {
        "content": [content.metadata["sha256"]],
        "style": [one.metadata["sha256"] for one in job.styles],
    }
    return holds_result(output, "stylize", job.recipe, inputs, job.arguments)
