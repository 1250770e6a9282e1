"""Pictures that are made one after another into a folder, as callers get them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_nst.engine.api import start
from napari_nst.engine.iteration import Iteration
from napari_nst.engine.job.job import Job
from napari_nst.engine.steering import Steering
from napari_nst.engine.vgg import weights
from napari_nst.errors import FAILURES, Cancelled, NstError
from napari_nst.io.record import holds_result
from napari_nst.io.table import write_table

if TYPE_CHECKING:
    from napari_nst.engine.vgg.weights import Progress

WRITTEN, THERE, LEFT_OUT = "written", "there already", "left out"
"""The status of a picture in the table."""

_MOST_FAILURES = 2  # without a success: the others would fail, too
Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class FileStep:
    """One step of one picture, or its end.

    Attributes
    ----------
    label : str
        Name of the picture's file.
    iteration : Iteration
        The step, with its losses and its image.
    finished : bool
        Whether the picture has been written.
    done, files : int
        Number of finished pictures, and of all.
    """

    label: str
    iteration: Iteration
    finished: bool
    done: int
    files: int


class FilesRun(Iterator[FileStep]):
    """Pictures under way, as `stylize_files` and `augment` return them.

    It is an iterator of `FileStep`, and computes a step at each `next`.

    Attributes
    ----------
    path : Path
        The folder of the pictures.
    rows : list of dict
        The rows of the table so far.
    failed : dict of str to str
        Name of a picture → error, for those that have failed; all others are written.
    """

    def __init__(
        self,
        name: str,  # of the function
        count: int,
        table: Path,
        flavour: str,  # of the network
        steering: Steering,
        progress: Progress | None,
    ) -> None:
        self.path, self.done, self.count = table.parent, 0, count
        self.rows: list[Row] = []
        self.failed: dict[str, str] = {}
        self.steering = steering
        self._name, self._table, self._flavour = name, table, flavour
        self._progress = progress
        self._held: Any = None
        self._steps = self._iterate()

    def __next__(self) -> FileStep:
        """Compute the next step."""
        return next(self._steps)

    def __repr__(self) -> str:
        return f"<{self._name}: {self.done} of {self.count} pictures, {self.path}>"

    def stop(self) -> None:
        """End during the next step, from any thread; finished pictures remain."""
        self.steering.stop()

    def close(self) -> None:
        """End the run; finished pictures remain."""
        self._steps.close()

    def result(self, progress: bool = True) -> list[Row]:
        """Make all pictures that are missing, and return `rows`.

        Parameters
        ----------
        progress : bool
            Show a progress bar.

        Raises
        ------
        NstError
            If pictures have failed; the message names them. All others are written.
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
        """Return a sentence that names the pictures that have failed; empty without any."""
        listed = "; ".join(f"{name}: {error}" for name, error in self.failed.items())
        noun = "picture has" if len(self.failed) == 1 else "pictures have"
        return f"{len(self.failed)} {noun} failed. {listed}" if self.failed else ""

    @abstractmethod
    def _pictures(self) -> Generator[FileStep]:
        """Make all pictures, by `_make`, `_add` and `_leave_out`."""

    def _iterate(self) -> Generator[FileStep]:
        self.steering.check_usable()
        try:
            yield from self._pictures()
        finally:
            self._write_table()
            self._held = None

    def _make(
        self, job: Job, path: Path, row: Callable[[str, str], Row], write: Callable[..., Row]
    ) -> Generator[FileStep, None, bool]:
        """Compute a picture; return False if the run has been stopped.

        `write` gets its last iteration, writes the file, and returns entries of the table, which
        are added to those of `row`, a function of the status and the error.
        """
        if self._held is None:  # each run finds the network loaded
            self._held = weights.load(self._flavour, self._progress)
        step: FileStep | None = None
        try:
            run = start(job, self._progress, self.steering)
            try:
                for one in run:
                    self._progress = None  # the estimate of the first picture is shown alone
                    step = FileStep(path.name, one, False, self.done, self.count)
                    yield step
            finally:
                run.close()
            if self.steering.stopped or step is None:
                return False
            more = write(step.iteration)
        except Cancelled:
            return False
        except FAILURES as error:
            self._leave_out(path, row, error)
            return True
        self._add(row(WRITTEN, "") | more)
        yield replace(step, finished=True, done=self.done)
        return True

    def _leave_out(self, path: Path, row: Callable[[str, str], Row], error: Exception) -> None:
        """Note that a picture has failed; raise if the others would, too."""
        name, said = path.name, str(error) or type(error).__name__
        self.failed[name] = said
        self._add(row(LEFT_OUT, said))
        if not self.done and len(self.failed) >= min(_MOST_FAILURES, self.count):
            raise NstError(f"{name} failed: {said}") from error
        self.steering.tell(f"{name} failed and is left out: {said}")

    def _add(self, row: Row) -> None:
        self.rows.append(row)
        self.done += row["status"] in (WRITTEN, THERE)
        if row["status"] in (WRITTEN, LEFT_OUT):  # the others take no time
            self._write_table()

    def _table_rows(self) -> Sequence[Row]:
        return self.rows

    def _write_table(self) -> None:
        rows = self._table_rows()
        if not rows:
            return
        try:
            write_table(self._table, rows)
        except OSError as error:  # the pictures are worth more
            self.steering.tell(str(error))


def is_there(path: Path, job: Job) -> bool:
    """Whether a file holds the end of a run of the same job."""
    content: Any = job.content
    inputs = {
        "content": [content.metadata["sha256"]],
        "style": [one.metadata["sha256"] for one in job.styles],
    }
    return holds_result(path, "stylize", job.recipe, inputs, job.arguments)
