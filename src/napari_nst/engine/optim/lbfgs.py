"""L-BFGS without line search (Liu & Nocedal 1989), for one large image, in little memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from napari_nst.engine.cancel import Pulse, go_on
from napari_nst.engine.run.bands import UNIT, Bands
from napari_nst.engine.run.shelf import MEMORY, Shelf

Constrain = Callable[[Tensor], None]
"""Keeps numbers in their range, in place, each by itself."""


class LimitedMemoryBFGS(torch.optim.Optimizer):
    """L-BFGS with one evaluation per step, its past in bfloat16.

    Its matrix is that of the two-loop recursion, in the form of Byrd, Nocedal & Schnabel 1994,
    theorem 2.2: it takes inner products of what is remembered and one weighted sum of it, so that
    a step reads the past twice instead of four times and waits for the device once. The matrix is
    positive definite however the past is rounded.

    The matrix that the recursion starts from is not one number times the identity, as usual, but
    one number times the `Reach` of each pixel.

    Parameters
    ----------
    numbers : Tensor
        What is optimised, (1, C, H, W), contiguous; it is changed in place.
    rate : float
        Factor of every step. Where no curvature is known yet, a step times this is one unit long,
        on average over all numbers.
    history : int
        How many past steps are remembered, at 4 bytes per number each.
    constrain : callable
        Applied to the numbers after a step. What is remembered is what it leaves of the step.
    pulse : callable, optional
        Called with each part of the numbers, of which a large image has many; what it raises ends
        the step where it is.
    bands : Bands, optional
        Of which the numbers are this process's rows: inner products are sums, which all share.
    shelf : Shelf, optional
        Where the past lies.
    """

    chunk = 2**19
    """How many numbers of all remembered steps together are looked at at once, as float32."""

    settled = 8
    """From this step on the reach changes with every so many steps only: with it, all inner
    products do."""

    def __init__(
        self,
        numbers: Tensor,
        rate: float,
        history: int,
        constrain: Constrain,
        pulse: Pulse = go_on,
        bands: Bands | None = None,
        shelf: Shelf = MEMORY,
    ) -> None:
        super().__init__([numbers], {"lr": rate})
        self.bands = bands or Bands.undivided(numbers.shape[2])
        self.numbers = numbers.detach()[0].flatten(1)
        self.constrain = constrain
        self.pulse = pulse
        self.shelf = shelf
        # Past steps, and what each changed in the gradient.
        shape = (2, history, *self.numbers.shape)
        self.past = shelf.zeros(shape, torch.bfloat16, numbers.device)
        # Of steps, and of changes times reach, with changes; and both with the gradient.
        self.products = torch.zeros(2, history, history, dtype=torch.float64)
        self.with_gradient = torch.zeros(2, history, dtype=torch.float64)
        self.order: list[int] = []
        """Which of the remembered steps count, old to new."""
        self.row = 0
        """Where the last step is written to."""
        self.learned = 0
        self.before: Tensor | None = None
        """The gradient before the last step."""
        self.reach = Reach(numbers, self.bands, shelf)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move the numbers by one step, by the gradient that they have."""
        gradient = self.param_groups[0]["params"][0].grad[0].flatten(1)
        if self.before is not None:
            self._learn(gradient, self.before)
        if self.order:
            weights, scale = self._direction()
        else:
            weights = torch.zeros(2, 0)
            sizes = self.shelf.filled(gradient.shape, lambda some: gradient[:, some].abs(), dim=1)
            numbers, length = map(
                self.bands.processes.total, (gradient.numel(), float(sizes.sum()))
            )
            scale = numbers / max(length, 1e-30)
        self._move(gradient, weights, scale)
        self.before = gradient

    def _learn(self, gradient: Tensor, before: Tensor) -> None:
        """Remember what the last step changed, if it says something of the curvature."""
        change = before.neg_().add_(gradient)  # nobody else needs the gradient before
        self.past[1, self.row] = change
        self.reach.learn(self.past[0, self.row], change)
        anew = self.learned < self.settled or self.learned % self.settled == 0
        if anew:
            self.reach.renew()
        self.learned += 1
        self._multiply(gradient, anew)
        if self.products[0, self.row, self.row] > 0:
            self.order.append(self.row)
            self.row = (self.row + 1) % self.past.shape[1]

    def _multiply(self, gradient: Tensor, anew: bool) -> None:
        """Compute the inner products that the last step and the gradient, or the reach, change."""
        rows = max([self.row, *self.order]) + 1
        columns = slice(0, rows) if anew else slice(self.row, self.row + 1)
        found = gradient.new_zeros(2 * rows, 1)
        for channel, part in self._parts():
            past = self.past[:, :rows, channel, part].to(gradient.dtype)
            right = torch.cat([past[1, columns], gradient[channel, None, part]])
            past[1] *= self.reach.of_pixels[part]
            found = found + past.flatten(0, 1) @ right.mT
        self.bands.add_up([found])
        known = found.cpu().double().view(2, rows, -1)
        self.products[:, :rows, columns] = known[..., :-1]
        self.products[1, columns, :rows] = known[1, :, :-1].mT
        self.with_gradient[:, :rows] = known[..., -1]

    def _direction(self) -> tuple[Tensor, float]:
        """Return the weights of the remembered steps and changes, and the gradient's, in H g."""
        order = torch.tensor(self.order)
        steps, changes = self.products[:, order][:, :, order]
        of_steps, of_changes = self.with_gradient[:, order, None]
        later = steps.triu()  # of each step with the changes that did not come before it
        scale = later[-1, -1] / changes[-1, -1]
        first = torch.linalg.solve_triangular(later, of_steps, upper=True)
        rest = later.diagonal()[:, None] * first + scale * (changes @ first - of_changes)
        second = torch.linalg.solve_triangular(later.mT, rest, upper=False)
        weights = torch.zeros(2, max(self.order) + 1, dtype=torch.float64)
        weights[:, order] = torch.stack([second[:, 0], -scale * first[:, 0]])
        return weights, float(scale)

    def _move(self, gradient: Tensor, weights: Tensor, scale: float) -> None:
        """Take the step, and write down what is left of it after the limits of the range."""
        rate = float(self.param_groups[0]["lr"])
        rows = weights.shape[1]
        weights = weights.to(gradient.dtype).to(gradient.device)
        for channel, part in self._parts():
            numbers = self.numbers[channel, part]
            before = numbers.clone()
            of_steps, of_changes = torch.einsum(
                "kr,krn->kn", weights, self.past[:, :rows, channel, part].to(gradient.dtype)
            )
            by_reach = torch.add(of_changes, gradient[channel, part], alpha=scale)
            numbers.sub_(of_steps.addcmul_(by_reach, self.reach.of_pixels[part]), alpha=rate)
            self.constrain(numbers)
            self.past[0, self.row, channel, part] = numbers - before
        self.order = [row for row in self.order if row != self.row]

    def _parts(self) -> Iterator[tuple[int, slice]]:
        """Yield channels and slices of pixels."""
        channels, pixels = self.numbers.shape
        length = max(1, self.chunk // self.past.shape[1])
        for channel in range(channels):
            for start in range(0, pixels, length):
                self.pulse()
                yield channel, slice(start, start + length)


class Reach:
    """How far pixels go for a change of their gradient: the inverse of their own curvature.

    Sky and foliage differ by an order of magnitude. It is measured over cells of 16 × 16 pixels,
    all channels and the last ten steps or so, and lies smoothly between cells.

    Attributes
    ----------
    of_pixels : Tensor
        (H · W), 1 on average over the cells.
    """

    cell = UNIT
    memory = 0.9
    band = 32
    """Rows of cells that are looked at at once."""
    evenness = 0.01
    """How much of the whole image's mean each cell has, that none is left behind for good."""

    def __init__(self, numbers: Tensor, bands: Bands, shelf: Shelf) -> None:
        self.shape = (numbers.shape[-2], numbers.shape[-1])
        self.bands = bands
        self.shelf = shelf
        rows, columns = (-(-length // self.cell) for length in (bands.height, self.shape[1]))
        # Of all cells in each process: they are few, and lie smoothly beyond its own.
        self.moved = self.changed = numbers.new_zeros((1, 1, rows, columns), dtype=torch.float32)
        self.of_pixels = shelf.empty(self.shape, torch.float32, numbers.device).fill_(1).flatten()

    def learn(self, step: Tensor, change: Tensor) -> None:
        """Take in a step and what it changed in the gradient, each (C, H · W)."""
        energies = torch.zeros_like(self.moved).repeat(2, 1, 1, 1)
        first = self.bands.own.core.start // self.cell
        for energy, values in zip(energies, (step, change), strict=True):
            own = self._energy(values)[0]
            energy[:, first : first + own.shape[1]] = own
        self.bands.add_up([energies])
        moved, changed = energies[:1], energies[1:]
        # Steps get shorter, and the last shall not count for less than the first.
        size = changed.mean()
        share = torch.where(size > 0, 1 / size, 0)
        self.moved = self.moved * self.memory + moved * share
        self.changed = self.changed * self.memory + changed * share

    def renew(self) -> None:
        """Go over to what has been learned."""
        moved, changed = (
            energy + self.evenness * energy.mean() + 1e-30 for energy in (self.moved, self.changed)
        )
        of_cells = (moved / changed).sqrt()
        of_cells = of_cells / of_cells.mean()
        fine = self.shelf.filled((1, 1, *self.shape), lambda rows: self._between(of_cells, rows))
        self.of_pixels = fine.flatten()

    def _between(self, of_cells: Tensor, rows: slice) -> Tensor:
        """Return what lies between cells, (1, 1, h, W), of some of this process's rows."""
        own = self.bands.own.core.start
        first = max(0, (own + rows.start) // self.cell - 1)
        last = -(-(own + rows.stop) // self.cell)
        near = of_cells[:, :, first : last + 1]
        fine = interpolate(near, scale_factor=float(self.cell), mode="bilinear")
        top = own + rows.start - first * self.cell
        return fine[..., top : top + rows.stop - rows.start, : self.shape[1]]

    def _energy(self, values: Tensor) -> Tensor:
        """Return the mean square of each cell and channel, (1, 1, rows, columns)."""
        total = values.new_zeros((), dtype=torch.float32)
        rows = self.band * self.cell * self.shape[1]
        for channel in values:  # some of one at a time, for memory's sake
            squares = (some.float().square() for some in channel.split(rows))
            energies = [
                avg_pool2d(one.view(1, 1, -1, self.shape[1]), self.cell, ceil_mode=True)
                for one in squares
            ]
            total = total + torch.cat(energies, dim=2)
        return total
