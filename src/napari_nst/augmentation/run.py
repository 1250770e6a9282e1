"""The variants under way: their files, and their rows in the table."""

from __future__ import annotations

import json
from collections.abc import Collection, Generator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skimage.transform import resize

from napari_nst.augmentation.kept import displacement, lightness, overlap
from napari_nst.augmentation.pairs import Pair, Source
from napari_nst.augmentation.variants import Plan, Variant
from napari_nst.batch.run import THERE, FilesRun, FileStep, is_there
from napari_nst.engine.job.build import order_to_stylize
from napari_nst.engine.job.job import Job
from napari_nst.io.atomic_write import write_atomically
from napari_nst.io.record import has_record
from napari_nst.io.table import read_table

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration
    from napari_nst.io.image_files.decoded_image import Pixels

TABLE = "variants.csv"
"""The table in the folder of the results."""

IMAGES, LABELS = "images", "labels"
"""The folders in it."""

_COLUMNS = (
    "image", "labels", "source", "status", "style", "style_weight", "seed", "overlap",
    "displacement", "total_loss", "seconds", "error",
)  # fmt: skip


class Variants(FilesRun):
    """The pictures of `augment`."""

    def __init__(
        self,
        pairs: Sequence[Pair],
        plan: Plan,
        path: Path,
        *,
        originals: bool,
        **watched: Any,
    ) -> None:
        count, table = len(pairs) * plan.count, path / TABLE
        super().__init__("augment", count, table, plan.recipe.weights, **watched)
        self._pairs, self._plan, self._originals = pairs, plan, originals
        self._former = former_rows(path)

    def _pictures(self) -> Generator[FileStep]:
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
                row = partial(_row, self._row(pair, image, target) | _drawn(variant))
                if is_there(image, job):
                    _write(target, labels)
                    self._add(row(THERE) | self._known(source, image))
                    continue
                write = partial(_written, source, image, target, labels)
                if not (yield from self._make(job, image, row, write)):
                    return

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

    def _table_rows(self) -> Sequence[dict[str, Any]]:
        """Return the rows so far, and those of former runs whose pictures are still there."""
        own = {row["image"] for row in self.rows}
        others = [row for name, row in self._former.items() if name not in own]
        return [*self.rows, *(row for row in others if (self.path / row["image"]).is_file())]

    def _known(self, source: Source, image: Path) -> dict[str, Any]:
        """Return what the table holds of a variant that is there, or else measure it again."""
        former = self._former.get(image.relative_to(self.path).as_posix(), {})
        kept = {key: former[key] for key in ("total_loss", "seconds") if former.get(key)}
        try:
            figures = {key: float(former[key]) for key in ("overlap", "displacement")}
        except (LookupError, TypeError, ValueError):
            picture = Pair("", image, None).read().content
            figures = _figures(source, picture.rgb)
        return figures | kept


def former_rows(folder: Path) -> dict[str, dict[str, str]]:
    """Return the rows of the table of a folder, by the names of their images."""
    with suppress(OSError, ValueError):
        rows = read_table(folder / TABLE)
        return {row["image"]: row for row in rows if row.keys() == {*_COLUMNS}}
    return {}


def refuse_foreign(
    folder: Path, pair: Pair, source: Source, plan: Plan, originals: bool, former: Collection[str]
) -> None:
    """Raise ValueError if a file that was not made here would be replaced, such as labels."""
    ending, labels = pair.label_file()
    suffix, content = pair.image_file(source)
    made: list[tuple[str, str, bytes | None]] = [
        (name, source.suffix, None) for name in plan.names(pair)
    ]
    for name, kind, same in [(pair.name, suffix, content)] * originals + made:
        image = folder / IMAGES / f"{name}{kind}"
        if f"{IMAGES}/{image.name}" in former or (same is None and has_record(image)):
            continue
        for path, own in ((image, same), (folder / LABELS / f"{name}{ending}", labels)):
            if path.is_file() and path.read_bytes() != own:
                raise ValueError(
                    f"`out` has {path}, which would be replaced and is not listed in {TABLE}. "
                    "Choose another folder, or rename the file."
                )


def _job(source: Source, variant: Variant) -> Job:
    """Return the run of a variant, whose record says to which size its result is brought."""
    job = order_to_stylize(source.content, variant.style, variant.recipe)
    return replace(job, arguments={"resized_to": list(source.content.shape)})


def _row(known: dict[str, Any], status: str, error: str = "") -> dict[str, Any]:
    return known | {"status": status, "error": error}


def _drawn(variant: Variant) -> dict[str, Any]:
    recipe = variant.recipe
    return {
        "style": variant.style_name,
        "style_weight": recipe.style_weight,
        "seed": recipe.seed,
    }


def _written(
    source: Source, image: Path, target: Path, labels: bytes, last: Iteration
) -> dict[str, Any]:
    """Write a variant at the size of its image, with its labels, and return its figures."""
    picture: Pixels = last.picture
    if last.shape != source.content.shape:
        shape = (*source.content.shape, *picture.shape[2:])
        picture = resize(picture, shape, order=3, anti_aliasing=True)
    write_atomically(image, source.encoded(picture, json.dumps(last.record())))
    _write(target, labels)
    return {
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
