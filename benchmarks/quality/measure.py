"""Make each picture and texture, and measure it."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import combinations
from statistics import median
from typing import Any

import click
import numpy as np
from torch import Tensor

import napari_nst as nst
from benchmarks.quality.grid_figures import grid_figures
from benchmarks.quality.inputs import EXEMPLARS, Images, Pair, Pixels
from benchmarks.quality.judge import Judge, relative_error
from benchmarks.quality.methods import Method
from benchmarks.quality.results import Cache, Texture, Transfer
from benchmarks.texture_distance import corners
from napari_nst.texture_statistics.measure import REACH
from napari_nst.texture_statistics.sample import lightness_of
from napari_nst.texture_statistics.spectrum import Spectrum, rms
from napari_nst.texture_statistics.two_point import (
    bright_half,
    two_point_correlation,
    two_point_distance,
)


class TextureStatistics:
    """What textures of one exemplar are compared by, and how far two crops of it are apart."""

    def __init__(self, whole: Pixels, size: int, judge: Judge) -> None:
        if 2 * size > min(whole.shape[:2]):
            raise ValueError(
                f"A texture's size must be at most {min(whole.shape[:2]) // 2}, half its "
                f"exemplar's, so that crops do not overlap; not {size}."
            )
        self.judge = judge
        self.exemplar, *others = corners(whole, size)
        self.wanted, *statistics = [self.of(crop) for crop in (self.exemplar, *others)]
        between = [self.apart(*two) for two in combinations([self.wanted, *statistics], 2)]
        self.spread = {name: median(one[name] for one in between) for name in between[0]}
        self.copy_of_crops = round(median(nst.copy_score(crop, self.exemplar) for crop in others))

    def of(self, texture: Pixels) -> tuple[Any, Any, Mapping[str, Tensor]]:
        """Return S2 of the bright phase, the power spectrum and the Gram matrices of a texture.

        The bright phase is half of the pixels of each texture, so that S2 compares structures only.
        """
        channels = texture.reshape(*texture.shape[:2], -1)
        s2 = two_point_correlation(bright_half(lightness_of(channels)), texture.shape[0] // REACH)
        return s2, Spectrum(channels / 255).radial, self.judge.grams(texture)

    def apart(
        self, one: tuple[Any, Any, Mapping[str, Tensor]], other: tuple[Any, ...]
    ) -> dict[str, float]:
        """Return the distances between the statistics of two textures."""
        grams = {
            layer: float(relative_error(gram, other[2][layer])) for layer, gram in one[2].items()
        }
        return {
            "s2": two_point_distance(one[0], other[0]),
            "spectrum": rms(one[1] - other[1]),
            **grams,
        }

    def ratios(self, texture: Pixels) -> dict[str, float]:
        """Return a texture's distances ÷ those between two crops: s2, spectrum and gram.

        `gram` is that of the worst layer.
        """
        distances = self.apart(self.of(texture), self.wanted)
        ratios = {name: distance / self.spread[name] for name, distance in distances.items()}
        s2, spectrum = ratios.pop("s2"), ratios.pop("spectrum")
        return {"s2": s2, "spectrum": spectrum, "gram": max(ratios.values())}


def transfers(
    pairs: Iterable[Pair],
    methods: Iterable[Method],
    images: Images,
    judge: Judge,
    cache_folder: Cache,
) -> Iterator[Transfer]:
    """Yield each pair by each method; results have three channels, also those of grey contents."""
    methods = list(methods)
    for pair in pairs:
        content, style = images[pair.content], images[pair.style]
        for method in methods:
            recipe = method.recipe.replace(channels="rgb")
            name = f"{recipe.size}/{pair.content}-{pair.style}/{file_name(method.name)}"
            picture, facts = cache_folder.picture(
                name,
                recipe,
                partial(_run, partial(nst.stylize, content, style, recipe)),
            )
            found = judge.distances(picture, content, style)
            row = Transfer(
                method=method.name,
                curve=method.curve,
                factor=method.factor,
                size=recipe.size,
                file=f"{name}.png",
                content=pair.content,
                style=pair.style,
                content_distance=found.content,
                style_gram=found.style_gram,
                style_sliced=found.style_sliced,
                grid=_by_text(grid_figures(picture)),
                **facts,
            )
            click.echo(
                f"{pair}, {recipe.size} px, {method.name}: content {found.content:.3f}, style "
                f"{found.style_gram:.3f} and {found.style_sliced:.3f}, {row.seconds:.0f} s",
                err=True,
            )
            yield row


def textures(
    names: Iterable[str], size: int, methods: Iterable[Method], judge: Judge, cache_folder: Cache
) -> Iterator[Texture]:
    """Yield a texture of each exemplar by each method, as large as the crop of the exemplar."""
    methods = list(methods)
    for exemplar in names:
        statistics = TextureStatistics(EXEMPLARS[exemplar](), size, judge)
        for method in methods:
            recipe = method.recipe.replace(size=0)
            name = f"textures-{size}/{exemplar}/{file_name(method.name)}"
            texture, facts = cache_folder.picture(
                name,
                recipe,
                partial(_run, partial(nst.synthesize, statistics.exemplar, recipe)),
            )
            row = Texture(
                method=method.name,
                curve=method.curve,
                factor=method.factor,
                size=size,
                file=f"{name}.png",
                exemplar=exemplar,
                copy=nst.copy_score(texture, statistics.exemplar),
                copy_of_crops=statistics.copy_of_crops,
                grid=_by_text(grid_figures(texture)),
                grid_of_exemplar=_by_text(grid_figures(statistics.exemplar)),
                **statistics.ratios(texture),
                **facts,
            )
            click.echo(
                f"{exemplar}, {size} px, {method.name}: S2 {row.s2:.2f}, spectrum "
                f"{row.spectrum:.2f}, Gram {row.gram:.2f}, copy {row.copy} ({row.copy_of_crops})",
                err=True,
            )
            yield row


def exemplar_crop(name: str, size: int) -> Pixels:
    """Return the crop of an exemplar that textures are made from."""
    return corners(EXEMPLARS[name](), size)[0]


def file_name(method: str) -> str:
    """Return a method's name without characters that file systems refuse."""
    return re.sub(r"[^\w.-]+", "-", method.replace(" × ", "-x"))


def _run(
    begin: Callable[[], Iterator[nst.Iteration]],
) -> tuple[np.ndarray[Any, Any], dict[str, float]]:
    """Run to the end, and return the last picture, and its seconds."""
    began, cpu_began = time.perf_counter(), time.process_time()
    (last,) = deque(begin(), maxlen=1)
    seconds = {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu_began,
    }
    return last.picture, seconds


def _by_text(figures: Mapping[int, float]) -> dict[str, float]:
    """Return figures with text as keys, as JSON has them."""
    return {str(period): figure for period, figure in figures.items()}
