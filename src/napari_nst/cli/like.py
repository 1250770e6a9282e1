"""The provenance in a picture of this program, for ``--like`` and for the commands that inspect."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_nst.io.embedded_text import read_text
from napari_nst.io.record import record_in
from napari_nst.recipe import Recipe

if TYPE_CHECKING:
    from napari_nst.io.read_image import Pixels


@dataclass(frozen=True)
class Provenance:
    """A picture's file, its record (see `Iteration.record`) and its recipe."""

    picture: Path
    record: Mapping[str, Any]
    recipe: Recipe

    @classmethod
    def read(cls, picture: Path, job: str | None = None) -> Provenance:
        """Read the record of a picture, which must be of this job unless that is None."""
        record = record_in(read_text(picture))
        if record is None:
            raise ValueError(
                f"{picture} does not say how it was made; take a picture of napari-nst."
            )
        if job not in (None, record["job"]):
            raise ValueError(
                f"{picture} was made by {record['job']}, not {job}; take napari-nst "
                f"{record['job']}."
            )
        try:
            recipe = Recipe.from_dict(record["recipe"])
        except (TypeError, ValueError) as error:
            raise ValueError(f"{picture}: {error}") from error
        return cls(picture, record, recipe)

    def argument(self, name: str) -> Any:
        """Return an argument of the job beside images and recipe, None if it was not given."""
        return self.record["arguments"].get(name)

    def inputs(self, role: str) -> list[Path]:
        """Return the files of a role; ``style`` has those of ``style 1``, ``style 2`` and so on."""
        return [self._file(entry, role) for entry in self.entries(role)]

    def changed(self, role: str, files: Sequence[Path], images: Sequence[Pixels]) -> list[Path]:
        """Return the files of a role whose images differ from the recorded ones."""
        import numpy as np

        hashes = [hashlib.sha256(np.ascontiguousarray(image).data).hexdigest() for image in images]
        known = [entry.get("sha256") for entry in self.entries(role)]
        rows = zip(files, hashes, known, strict=True)
        return [path for path, found, recorded in rows if found != recorded]

    def entries(self, role: str) -> list[Mapping[str, Any]]:
        """Return what the record says of each image of a role."""
        inputs = self.record["inputs"]
        return [inputs[name] for name in inputs if name.partition(" ")[0] == role]

    def _file(self, entry: Mapping[str, Any], role: str) -> Path:
        if not isinstance(entry.get("path"), str):
            raise ValueError(f"{self.picture} names no file of its {role}; give one.")
        path = Path(entry["path"])
        beside = self.picture.parent / path.name  # if all files came from another machine
        for found in (path, beside):
            if found.exists():
                return found
        raise FileNotFoundError(f"{path}, the {role} of {self.picture}, is gone; give another.")
