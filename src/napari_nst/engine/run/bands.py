"""The rows of an image, divided among the processes that compute it together.

Each has its own: of the picture, of the optimiser's state and of a content's features. For the
network it asks the others for the few rows around them that its features depend on, and what
these then are to change by it gives back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_nst.engine.distributed import ALONE, Processes
from napari_nst.engine.tiling.spans import Axis, Span, length_of

UNIT = 16
"""Bands start at multiples of so many rows, as cells of the optimiser's `Reach` do."""


@dataclass(frozen=True)
class Bands:
    """Rows of an image, each some process's.

    Attributes
    ----------
    spans : tuple of Span
        Each process's, top to bottom: its own rows, and those that it has to see.
    processes : Processes
        Which of them is this one.
    """

    spans: tuple[Span, ...]
    processes: Processes = ALONE

    @classmethod
    def of(cls, rows: Axis, processes: Processes) -> Bands:
        """Divide rows; they belong to a single process where there are too few for all."""
        unit = max(1, UNIT // rows.cell)
        if processes.count == 1 or rows.cells // unit < processes.count:
            return cls.undivided(rows.length)
        return cls(tuple(rows.divided(processes.count, unit=unit)), processes)

    @classmethod
    def of_first(cls, height: int, processes: Processes) -> Bands:
        """Return the rows of an image that the first process alone has."""
        nothing = slice(height, height)
        others = [Span(nothing, (nothing,))] * (processes.count - 1)
        return cls((*cls.undivided(height).spans, *others), processes)

    @classmethod
    def undivided(cls, height: int) -> Bands:
        """Return the rows of an image that is all this process's."""
        return cls((Span(slice(0, height), (slice(0, height),)),))

    @property
    def own(self) -> Span:
        """The rows of this process."""
        return self.spans[self.processes.rank]

    @property
    def height(self) -> int:
        """All rows."""
        return int(self.spans[-1].core.stop)

    @property
    def are_divided(self) -> bool:
        """Whether there are other processes with other rows."""
        return self.processes.count > 1

    def has_all(self, image: Tensor) -> bool:
        """Whether an image (N, C, H, W) has all rows, not this process's own alone."""
        return image.shape[2] == self.height

    def cut(self, image: Tensor) -> Tensor:
        """Return this process's rows of a whole image (N, C, H, W), a view."""
        return image[:, :, self.own.core]

    def around(self, image: Tensor) -> Tensor:
        """Return what this process sees of a whole image (N, C, H, W)."""
        if not self.are_divided:
            return image
        return torch.cat([image[:, :, piece] for piece in self.own.reach], dim=2)

    def positions(self, values: Tensor, side: int) -> Tensor:
        """Return this process's rows of a layer's (N, C, H', W') that are `side` pixels apart."""
        return values[:, :, self.own.positions(side)]

    def reaching(self, rows: Sequence[tuple[slice, ...]]) -> Bands:
        """Return the same bands where each process sees other rows than these do."""
        spans = (Span(own.core, reach) for own, reach in zip(self.spans, rows, strict=True))
        return Bands(tuple(spans), self.processes)

    def surrounded(self, rows: Tensor) -> Tensor:
        """Return what this process sees, given its own rows (N, C, h, W), and others theirs."""
        own, me = self.own, self.processes.rank
        if not self.are_divided and own.reach == (own.core,):
            return rows
        seen = rows.new_empty((*rows.shape[:2], own.length, rows.shape[3]))
        for piece in self._shared(of=me, seen_by=me):
            seen[:, :, own.at(piece)] = rows[:, :, self._among_own(piece)]
        given = {
            other: [self._among_own(piece) for piece in self._shared(of=me, seen_by=other)]
            for other in self._others
        }
        taken = {other: self._shared(of=other, seen_by=me) for other in self._others}
        for piece, values in self._exchanged(rows, given, taken):
            seen[:, :, own.at(piece)] = values
        return seen

    def returned(self, seen: Tensor) -> Tensor:
        """Return the sums of own rows over all processes that see them: the way back.

        Parameters
        ----------
        seen : Tensor
            (N, C, h, W), of the rows that this process sees.
        """
        if not self.are_divided:
            return seen
        own, me = self.own, self.processes.rank
        rows = seen[:, :, own.at(own.core)].contiguous()
        given = {
            other: [own.at(piece) for piece in self._shared(of=other, seen_by=me)]
            for other in self._others
        }
        taken = {other: self._shared(of=me, seen_by=other) for other in self._others}
        for piece, values in self._exchanged(seen, given, taken):
            rows[:, :, self._among_own(piece)] += values
        return rows

    def whole(self, rows: Tensor) -> Tensor:
        """Return all rows, in every process, given each one's own (N, C, h, W)."""
        everything = (slice(0, self.height),)
        return self.reaching([everything] * self.processes.count).surrounded(rows)

    def at_first(self, rows: Tensor) -> Tensor:
        """Return all rows, given each one's own (N, C, h, W), in the first process alone.

        Others get back their own: none but one has to hold a picture that is to be shown.
        """
        if not self.are_divided:
            return rows
        if self.processes.rank:
            self.processes.exchange({0: rows.contiguous()}, {})
            return rows
        image = rows.new_empty((*rows.shape[:2], self.height, rows.shape[3]))
        others = {rank: self._room_for(span, rows) for rank, span in enumerate(self.spans) if rank}
        self.processes.exchange({}, others)
        image[:, :, self.own.core] = rows
        for rank, part in others.items():
            image[:, :, self.spans[rank].core] = part
        return image

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by their sums over all who have rows; as `Processes.add_up`."""
        self.processes.add_up(tensors)

    @staticmethod
    def _room_for(span: Span, rows: Tensor) -> Tensor:
        return rows.new_empty((*rows.shape[:2], length_of(span.core), rows.shape[3]))

    @property
    def _others(self) -> set[int]:
        return set(range(self.processes.count)) - {self.processes.rank}

    def _among_own(self, piece: slice) -> slice:
        """Return where some of this process's rows of the image are among all of its own."""
        top = self.own.core.start
        return slice(piece.start - top, piece.stop - top)

    def _exchanged(
        self,
        values: Tensor,
        given: Mapping[int, Sequence[slice]],
        taken: Mapping[int, Sequence[slice]],
    ) -> Iterator[tuple[slice, Tensor]]:
        """Yield rows of the image, in pieces, and what other processes give of them.

        Parameters
        ----------
        values : Tensor
            (N, C, h, W): what this one has.
        given : mapping of int to sequence of slice
            Rank → rows of that which another gets.
        taken : mapping of int to sequence of slice
            Rank → rows of the image that another gives.
        """
        messages = {
            other: torch.cat([values[:, :, piece] for piece in pieces], dim=2)
            for other, pieces in given.items()
            if pieces
        }
        lengths = {other: list(map(length_of, pieces)) for other, pieces in taken.items() if pieces}
        room = {
            other: values.new_empty((*values.shape[:2], sum(each), values.shape[3]))
            for other, each in lengths.items()
        }
        self.processes.exchange(messages, room)
        for other, part in room.items():
            pieces = torch.split(part, lengths[other], dim=2)
            yield from zip(taken[other], pieces, strict=True)

    def _shared(self, *, of: int, seen_by: int) -> list[slice]:
        """Return the rows of one process that another one sees, in pieces."""
        core = self.spans[of].core
        pieces = (
            slice(max(core.start, piece.start), min(core.stop, piece.stop))
            for piece in self.spans[seen_by].reach
        )
        return [piece for piece in pieces if piece.start < piece.stop]
