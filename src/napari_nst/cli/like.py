"""What a picture of ours says of how it was made, to make it again."""

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
class Made:
    """A picture with its record.

    Attributes
    ----------
    path : Path
        The picture.
    record : mapping
        As `Iteration.record` returns it, with each input's `path`.
    recipe : Recipe
        What made it.
    """

    path: Path
    record: Mapping[str, Any]
    recipe: Recipe

    @classmethod
    def read(cls, path: Path, job: str | None = None) -> Made:
        """Read the record of a picture that a job has made, or any job.

        Raises
        ------
        OSError
            If there is no such file.
        ValueError
            If it holds no record, another job's, or one with a recipe that cannot be used.
        """
        record = record_in(read_text(path))
        if record is None:
            raise ValueError(f"{path} does not say how it was made; take a picture of napari-nst.")
        if job not in (None, record["job"]):
            raise ValueError(
                f"{path} was made by {record['job']}, not {job}; take napari-nst {record['job']}."
            )
        try:
            recipe = Recipe.from_dict(record["recipe"])
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}: {error}") from error
        return cls(path, record, recipe)

    @property
    def note(self) -> list[str]:
        """What to say of the picture before it is made again."""
        step, steps = self.record.get("step"), self.record.get("steps")
        if step == steps:
            return []
        return [f"{self.path} was stopped after step {step} of {steps}; this goes on to the last."]

    def argument(self, name: str) -> Any:
        """Return what else the job was called with, None where it was not."""
        return self.record["arguments"].get(name)

    def has(self, role: str) -> bool:
        """Return whether an image of a role was given."""
        return bool(self._facts(role))

    def inputs(self, role: str) -> list[Path]:
        """Return the files of a role, as ``style`` is that of ``style 1``, ``style 2`` and so on.

        Raises
        ------
        FileNotFoundError
            If one of them is gone.
        ValueError
            If one of them was no file, but a layer.
        """
        return [self._file(facts, role) for facts in self._facts(role)]

    def changed(self, role: str, files: Sequence[Path], images: Sequence[Pixels]) -> list[Path]:
        """Return which of a role's files hold other images than those recorded."""
        known = [facts.get("sha256") for facts in self._facts(role)]
        return [
            path
            for path, image, sha256 in zip(files, images, known, strict=True)
            if _sha256(image) != sha256
        ]

    def _facts(self, role: str) -> list[Mapping[str, Any]]:
        inputs = self.record["inputs"]
        return [inputs[name] for name in inputs if name.partition(" ")[0] == role]

    def _file(self, facts: Mapping[str, Any], role: str) -> Path:
        if not isinstance(facts.get("path"), str):
            raise ValueError(f"{self.path} names no file of its {role}; give one.")
        path = Path(facts["path"])
        beside = self.path.parent / path.name  # where all of them came from another machine
        for found in (path, beside):
            if found.exists():
                return found
        raise FileNotFoundError(f"{path}, the {role} of {self.path}, is gone; give another.")


def _sha256(image: Pixels) -> str:
    import numpy as np

    return hashlib.sha256(np.ascontiguousarray(image).data).hexdigest()
