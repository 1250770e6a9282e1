"""An ensemble under way: the steps of its seeds, their statistics, and images of all together."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nst.ensembles.seeds import SeedPlaces
from napari_nst.ensembles.table import EnsembleTable, StoredTable
from napari_nst.io.image_files.decoded_image import DecodedImage, Pixels
from napari_nst.stacks.places import Place
from napari_nst.stacks.slice_job import SliceInputs
from napari_nst.stacks.stack_run import SliceStep, StackRun
from napari_nst.stacks.store import STATES
from napari_nst.texture_statistics.compare import statistics

if TYPE_CHECKING:
    from napari_nst.stacks.api import Started

TABLE = f"{STATES}/statistics.jsonl"
"""The file of the table in the folder of the result; zarr lists no files of an array."""

Values = np.ndarray[Any, np.dtype[np.float32]]
Compute = Callable[[StackRun], Iterator[SliceStep]]


class EnsembleRun(StackRun):
    """An ensemble under way, as `synthesize_ensemble` returns it.

    It is a `StackRun` whose slices are seeds: an iterator of `SliceStep`, which computes a step at
    each `next`, and measures a texture when it is finished.

    Attributes
    ----------
    path : Path
        The zarr folder of the result.
    failed : dict of str to str
        Label, such as ``seed=3``, → error of the seeds that have failed twice, or once so far.
    exemplar : ndarray
        (H, W) or (H, W, 3): the exemplar as large as the recipe has it, with the data type of the
        textures. They are compared with it.
    exemplar_mask : ndarray or None
        (H, W) bool: which of its pixels count; None if all do.
    """

    def __init__(
        self,
        started: Started,
        exemplar: Pixels,
        exemplar_mask: Pixels | None,
        pixel: tuple[tuple[float, float], str] | None,  # sides and unit; None: not measured
    ) -> None:
        self.exemplar, self.exemplar_mask = exemplar, exemplar_mask
        self._pixel = pixel
        _, _, places, store, *_ = started
        assert isinstance(places, SeedPlaces)
        self._seeds = places.seeds
        self._stored = StoredTable(store.path / TABLE)
        super().__init__(*started)

    @property
    def seeds(self) -> tuple[int, ...]:
        """All seeds, in the order of `array`."""
        return self._seeds

    @property
    def table(self) -> EnsembleTable:
        """The statistics of the seeds that have been measured."""
        rows = self._stored.rows
        return EnsembleTable({seed: rows[seed] for seed in self._seeds if seed in rows})

    def mean_and_deviation(self) -> tuple[Values, Values]:
        """Return the mean and the standard deviation of each pixel over all finished seeds.

        Both are float32, (H, W) or (H, W, 3), in the values of `array`. One texture is in memory at
        a time.

        Raises
        ------
        ValueError
            If fewer than two seeds are finished.
        """
        count = 0
        mean: Any = 0.0
        squares: Any = 0.0
        for place in self.places:
            if self.is_done(place):  # Welford 1962: in one pass, without differences of large sums
                count += 1
                apart = self.store.read(place).astype(np.float64) - mean
                mean = mean + apart / count
                squares = squares + apart**2 * ((count - 1) / count)
        if count < 2:
            raise ValueError(
                f"{count} {'seed is' if count == 1 else 'seeds are'} finished; a standard "
                "deviation needs two."
            )
        return mean.astype(np.float32), np.sqrt(squares / (count - 1)).astype(np.float32)

    def inputs(self, place: Place) -> SliceInputs:
        """Return what a texture is made of: its seed."""
        return SliceInputs(np.array(self._seeds[place[0]]))

    def _iterate(self, compute: Compute) -> Generator[SliceStep, None, None]:
        return super()._iterate(lambda _: self._measured_too(compute))

    def _measured_too(self, compute: Compute) -> Iterator[SliceStep]:
        """Yield the steps of all seeds, and measure those that are finished."""
        for place in self.places:  # a run that was killed may have left some
            self._measure(place)
        for step in compute(self):
            self._measure(step.place)
            yield step

    def _measure(self, place: Place) -> None:
        seed = self._seeds[place[0]]
        if self._pixel is None or seed in self._stored.rows or not self.is_done(place):
            return
        if self.is_stopped():  # the next run measures it
            return
        sides, unit = self._pixel
        found = statistics(
            *map(self._as_measured, (self.store.read(place), self.exemplar)),
            exemplar_mask=self.exemplar_mask, scale=sides, unit=unit, copies=True,
            recipe=self.job.recipe, progress=self.progress,
        )  # fmt: skip
        self._stored.add(seed, found.rows)

    def _as_measured(self, pixels: Pixels) -> Pixels:
        """Return stored pixels as `statistics` takes them."""
        limits = self.job.limits
        return pixels if limits is None else DecodedImage(pixels).scaled(limits).pixels
