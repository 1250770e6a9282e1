"""The variants under way, as callers get them: their steps, their files and the table of all."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skimage.transform import resize

from napari_nst.augmentation.kept import displacement, lightness, overlap
from napari_nst.augmentation.pairs import Pair, Source
from napari_nst.augmentation.variants import Plan, Variant
from napari_nst.engine.api import start
from napari_nst.engine.iteration import Iteration
from napari_nst.engine.job.build import order_to_stylize
from napari_nst.engine.job.job import Job
from napari_nst.engine.steering import Steering
from napari_nst.engine.vgg import weights
from napari_nst.errors import FAILURES, Cancelled, NstError
from napari_nst.io.atomic_write import write_atomically
from napari_nst.io.record import holds_result
from napari_nst.io.table import read_table, write_table

if TYPE_CHECKING:
    from napari_nst.engine.vgg.weights import Progress
    from napari_nst.io.decoded_image import Pixels

TABLE = "variants.csv"
"""The table in the folder of the results."""

IMAGES, LABELS = "images", "labels"
"""The folders in it."""

_COLUMNS = (
    "image", "labels", "source", "status", "style", "style_weight", "seed", "overlap",
    "displacement", "total_loss", "seconds", "error",
)  # fmt: skip
_MOST_FAILURES = 2  # without a success: the others would fail, too


@dataclass(frozen=True, eq=False)
class VariantStep:
    """One step of one variant, or its end.

    Attributes
    ----------
    label : str
        Name of the variant's files, such as ``cells_01``.
    step, steps : int
        Number of this step, and of all steps of the variant.
    losses : dict of str to float
        As in `Iteration.losses`.
    finished : bool
        Whether the variant has been written.
    done, variants : int
        Number of finished variants, and of all.
    iteration : Iteration
        The step with its image, at the size of the recipe.
    """

    label: str
    step: int
    steps: int
    losses: dict[str, float]
    finished: bool
    done: int
    variants: int
    iteration: Iteration


class AugmentRun(Iterator[VariantStep]):
    """Variants under way, as `augment` returns them.

    It is an iterator of `VariantStep`, and computes a step at each `next`.

    Attributes
    ----------
    path : Path
        The folder of the results.
    rows : list of dict
        The rows of ``variants.csv`` so far.
    failed : dict of str to str
        Name → error of the variants that have failed; all others are written.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        plan: Plan,
        path: Path,
        *,
        originals: bool,
        steering: Steering,
        progress: Progress | None,
    ) -> None:
        self.path, self.done, self.count = path, 0, len(pairs) * plan.count
        self.rows: list[dict[str, Any]] = []
        self.failed: dict[str, str] = {}
        self.steering = steering
        self._pairs, self._plan, self._originals = pairs, plan, originals
        self._progress = progress
        self._former: dict[str, dict[str, str]] = {}
        self._steps = self._iterate()

    def __next__(self) -> VariantStep:
        """Compute the next step."""
        return next(self._steps)

    def __repr__(self) -> str:
        return f"<augment: {self.done} of {self.count} variants, {self.path}>"

    def stop(self) -> None:
        """End during the next step, from any thread; finished variants remain."""
        self.steering.stop()

    def close(self) -> None:
        """End the run; finished variants remain."""
        self._steps.close()

    def result(self, progress: bool = True) -> list[dict[str, Any]]:
        """Make all variants that are missing, and return `rows`.

        Parameters
        ----------
        progress : bool
            Show a progress bar.

        Raises
        ------
        NstError
            If variants have failed; the message names them. All others are written.
        """
        from tqdm import tqdm

        with tqdm(total=self.count, unit=" variant", disable=not progress) as bar:
            for step in self:
                bar.set_postfix_str(f"{step.label}, step {step.step} of {step.steps}", False)
                bar.update(step.done - bar.n)
            bar.update(self.done - bar.n)
        if self.failed:
            raise NstError(self.failures())
        return self.rows

    def failures(self) -> str:
        """Return a sentence that names the variants that have failed; empty without any."""
        listed = "; ".join(f"{name}: {error}" for name, error in self.failed.items())
        noun = "variant has" if len(self.failed) == 1 else "variants have"
        return f"{len(self.failed)} {noun} failed. {listed}" if self.failed else ""

    def _iterate(self) -> Generator[VariantStep, None, None]:
        self.steering.check_usable()
        with suppress(OSError, ValueError, LookupError):
            self._former = {row[IMAGES[:-1]]: row for row in read_table(self.path / TABLE)}
        for folder in (IMAGES, LABELS):
            (self.path / folder).mkdir(parents=True, exist_ok=True)
        held: Any = None
        try:
            for pair in self._pairs:
                source = pair.read()
                ending, labels = pair.label_file()
                if self._originals:
                    self._write_original(pair, source, ending, labels)
                for variant in self._plan.variants(pair):
                    if self.steering.stopped:
                        return
                    job = _job(source, variant)
                    image = self.path / IMAGES / f"{variant.name}{source.suffix}"
                    target = self.path / LABELS / f"{variant.name}{ending}"
                    row = self._row(pair, image, target) | _drawn(variant)
                    if _is_there(image, job):
                        _write(target, labels)
                        self._add(row | self._known(row["image"], source, image))
                        self.done += 1
                        continue
                    if held is None:  # each run finds the network loaded
                        held = weights.load(self._plan.recipe.weights, self._progress)
                    last = yield from self._make(variant, job)
                    if self.steering.stopped or isinstance(last, Cancelled):
                        return
                    if isinstance(last, Exception):
                        self._fail(variant.name, row, last)
                        continue
                    try:
                        found = _finished(source, last, image)
                        _write(target, labels)
                    except FAILURES as error:
                        self._fail(variant.name, row, error)
                        continue
                    self.done += 1
                    self._add(row | found)
                    yield replace(self._step(variant, last), finished=True)
        finally:
            self._write_table()
            del held

    def _make(
        self, variant: Variant, job: Job
    ) -> Generator[VariantStep, None, Iteration | Exception]:
        """Yield the steps of a variant, and return the last one or what has ended it."""
        last: Iteration | None = None
        try:
            run = start(job, self._progress, self.steering)
            try:
                for last in run:
                    self._progress = None  # the estimate of the first variant is shown alone
                    yield self._step(variant, last)
            finally:
                run.close()
        except FAILURES as error:
            return error
        return last if last is not None else NstError("The run had no step.")

    def _step(self, variant: Variant, one: Iteration) -> VariantStep:
        return VariantStep(
            variant.name, one.step, one.steps, one.losses,
            finished=False, done=self.done, variants=self.count, iteration=one,
        )  # fmt: skip

    def _fail(self, name: str, row: dict[str, Any], error: Exception) -> None:
        self.failed[name] = str(error) or type(error).__name__
        self._add(row | {"status": "failed", "error": self.failed[name]})
        if not self.done and len(self.failed) >= min(_MOST_FAILURES, self.count):
            raise NstError(f"{name} failed: {self.failed[name]}") from error
        self.steering.tell(f"{name} failed and is left out: {self.failed[name]}")

    def _write_original(self, pair: Pair, source: Source, ending: str, labels: bytes) -> None:
        suffix, content = pair.image_file(source)
        image = self.path / IMAGES / f"{pair.name}{suffix}"
        target = self.path / LABELS / f"{pair.name}{ending}"
        _write(image, content)
        _write(target, labels)
        row = self._row(pair, image, target)
        self._add(row | {"status": "original", "overlap": 1.0, "displacement": 0.0})

    def _row(self, pair: Pair, image: Path, labels: Path) -> dict[str, Any]:
        names = {"image": image, "labels": labels}
        row: dict[str, Any] = dict.fromkeys(_COLUMNS, "")
        row |= {name: path.relative_to(self.path).as_posix() for name, path in names.items()}
        return row | {"source": pair.name}

    def _known(self, name: str, source: Source, image: Path) -> dict[str, Any]:
        """Return what the table holds of a variant that is there, or else measure it again."""
        former = self._former.get(name, {})
        kept = {key: former[key] for key in ("total_loss", "seconds") if former.get(key)}
        try:
            figures = {key: float(former[key]) for key in ("overlap", "displacement")}
        except (LookupError, TypeError, ValueError):
            picture = Pair("", image, None).read().content
            figures = _figures(source, picture.rgb)
        return {"status": "there already", **figures, **kept}

    def _add(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        if row["status"] in ("written", "failed"):
            self._write_table()

    def _write_table(self) -> None:
        if not self.rows:
            return
        try:
            write_table(self.path / TABLE, self.rows)
        except OSError as error:  # the pictures are worth more
            self.steering.tell(str(error))


def _job(source: Source, variant: Variant) -> Job:
    """Return the run of a variant, whose record says to which size its result is brought."""
    job = order_to_stylize(source.content, variant.style, variant.recipe)
    return replace(job, arguments={"resized_to": list(source.content.shape)})


def _is_there(image: Path, job: Job) -> bool:
    content: Any = job.content
    inputs = {
        "content": [content.metadata["sha256"]],
        "style": [one.metadata["sha256"] for one in job.styles],
    }
    return holds_result(image, "stylize", job.recipe, inputs, job.arguments)


def _drawn(variant: Variant) -> dict[str, Any]:
    recipe = variant.recipe
    return {
        "style": variant.style_name,
        "style_weight": recipe.style_weight,
        "seed": recipe.seed,
    }


def _finished(source: Source, last: Iteration, image: Path) -> dict[str, Any]:
    """Write a variant at the size of its image, and return its figures."""
    picture: Pixels = last.picture
    if last.shape != source.content.shape:
        shape = (*source.content.shape, *picture.shape[2:])
        picture = resize(picture, shape, order=3, anti_aliasing=True)
    write_atomically(image, source.encoded(picture, json.dumps(last.record())))
    return {
        "status": "written",
        **_figures(source, picture),
        "total_loss": last.losses["total"],
        "seconds": round(last.seconds, 1),
    }


def _figures(source: Source, picture: Pixels) -> dict[str, float]:
    one, other = lightness(source.content.rgb), lightness(picture)
    return {
        "overlap": round(overlap(one, other), 3),
        "displacement": round(displacement(one, other), 2),
    }


def _write(path: Path, content: bytes) -> None:
    """Write a file, unless it is there already."""
    with suppress(OSError):
        if path.read_bytes() == content:
            return
    write_atomically(path, content)
