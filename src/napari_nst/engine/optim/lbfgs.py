"""L-BFGS without line search (Liu & Nocedal 1989) for one large image, in little memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from napari_nst.engine.optim.bases import Shape
from napari_nst.engine.optim.parametrization import Parametrization


class LimitedMemoryBFGS:
    """L-BFGS with one evaluation per step and its history in bfloat16.

    The inverse Hessian is that of the two-loop recursion, in the compact form of Byrd, Nocedal &
    Schnabel 1994, theorem 2.2: inner products of the history and one weighted sum of it. A step
    then reads the history twice instead of four times and waits for the device once. The matrix is
    positive definite however the history is rounded.

    The recursion usually starts from a multiple of the identity. Here it starts from a multiple of
    a diagonal matrix, the `DiagonalScaling` of the pixels.

    `variables` (1, C, H, W) or (1, C, N), contiguous, are changed in place; `parametrization` says
    what they are. `lr` multiplies every step; before any curvature is known, a step of `lr` 1 moves
    pixels by 1 on average. `history` is the number of past steps that are stored, at 4 bytes per
    variable each. They hold what the limits of the parametrization leave of a step.
    """

    chunk = 2**19
    """Elements of the whole history that are converted to float32 at a time."""

    settled = 8
    """From this step on, the diagonal scaling is updated only at every eighth step, because all
    inner products depend on it."""

    def __init__(
        self,
        variables: Tensor,
        lr: float,
        history: int,
        parametrization: Parametrization,
    ) -> None:
        # No torch.optim.Optimizer: its constructor imports torch._dynamo, which takes seconds.
        self.leaf = variables
        self.lr = lr
        self.variables = variables.detach()[0].flatten(1)
        self.parametrization = parametrization
        # Past steps, and the change of the gradient at each.
        shape = (2, history, *self.variables.shape)
        self.past = torch.zeros(shape, dtype=torch.bfloat16, device=variables.device)
        # Inner products of the changes with the steps, and with the scaled changes; and of both
        # with the gradient.
        self.products = torch.zeros(2, history, history, dtype=torch.float64)
        self.with_gradient = torch.zeros(2, history, dtype=torch.float64)
        self.order: list[int] = []  # rows of the history in use, old to new
        self.row = 0  # the row of the last step
        self.learned = 0
        self.previous: Tensor | None = None  # the gradient before the last step
        self.scaling = DiagonalScaling(parametrization.basis.shapes, variables.device)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:
        """Take one step along the gradient that the variables have."""
        assert self.leaf.grad is not None
        gradient = self.leaf.grad[0].flatten(1)
        if self.previous is not None:
            self._learn(gradient, self.previous)
        if self.order:
            weights, scale = self._direction()
        else:
            weights = torch.zeros(2, 0)
            moved = self.parametrization.basis.image(self.leaf.grad)
            scale = moved.numel() / max(float(moved.abs().sum()), 1e-30)
        self._move(gradient, weights, scale)
        self.previous = gradient

    def state(self) -> dict[str, Any]:
        """Return all that the next steps depend on, besides the variables and their gradient."""
        rows = max([self.row, *self.order]) + 1
        return {
            "lr": self.lr,
            "history": self.past.shape[1],
            "past": self.past[:, :rows],
            "products": self.products,
            "with_gradient": self.with_gradient,
            "order": list(self.order),
            "row": self.row,
            "learned": self.learned,
            "previous": self.previous,
            "scaling": [self.scaling.moved, self.scaling.changed, self.scaling.of_pixels],
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a state of the same history, which is that of variables of the same shape."""
        device, past, previous = self.past.device, state["past"], state["previous"]
        self.lr, self.row, self.learned = state["lr"], state["row"], state["learned"]
        self.order = list(state["order"])
        self.past[:, : past.shape[1]].copy_(past)
        self.products.copy_(state["products"])
        self.with_gradient.copy_(state["with_gradient"])
        self.previous = None if previous is None else previous.to(device)
        moved, changed, of_pixels = (one.to(device) for one in state["scaling"])
        self.scaling.moved, self.scaling.changed = moved, changed
        self.scaling.of_pixels = of_pixels

    def _learn(self, gradient: Tensor, previous: Tensor) -> None:
        """Store the change of the gradient at the last step, if it tells a positive curvature."""
        change = previous.neg_().add_(gradient)  # nobody else needs the previous gradient
        self.past[1, self.row] = change
        self.scaling.learn(self.past[0, self.row], change)
        rescaled = self.learned < self.settled or self.learned % self.settled == 0
        if rescaled:
            self.scaling.update()
        self.learned += 1
        self._multiply(gradient, rescaled)
        if self.products[0, self.row, self.row] > 0:
            self.order.append(self.row)
            self.row = (self.row + 1) % self.past.shape[1]

    def _multiply(self, gradient: Tensor, rescaled: bool) -> None:
        """Compute the inner products that the last step, the gradient or the scaling change."""
        rows = max([self.row, *self.order]) + 1
        columns = slice(0, rows) if rescaled else slice(self.row, self.row + 1)
        found = gradient.new_zeros(2 * rows, 1)
        for channel, part in self._chunks():
            past = self.past[:, :rows, channel, part].to(gradient.dtype)
            right = torch.cat([past[1, columns], gradient[channel, None, part]])
            past[1] *= self.scaling.of_pixels[part]
            found = found + past.flatten(0, 1) @ right.mT
        known = found.cpu().double().view(2, rows, -1)
        self.products[:, :rows, columns] = known[..., :-1]
        self.products[1, columns, :rows] = known[1, :, :-1].mT
        self.with_gradient[:, :rows] = known[..., -1]

    def _direction(self) -> tuple[Tensor, float]:
        """Return the weights of past steps and changes, and of the gradient, in the product H g."""
        order = torch.tensor(self.order)
        steps, changes = self.products[:, order][:, :, order]
        of_steps, of_changes = self.with_gradient[:, order, None]
        later = steps.triu()  # each step with the changes that did not come before it
        scale = later[-1, -1] / changes[-1, -1]
        first = torch.linalg.solve_triangular(later, of_steps, upper=True)
        rest = later.diagonal()[:, None] * first + scale * (changes @ first - of_changes)
        second = torch.linalg.solve_triangular(later.mT, rest, upper=False)
        weights = torch.zeros(2, max(self.order) + 1, dtype=torch.float64)
        weights[:, order] = torch.stack([second[:, 0], -scale * first[:, 0]])
        return weights, float(scale)

    def _move(self, gradient: Tensor, weights: Tensor, scale: float) -> None:
        """Take the step, and store what the limits leave of it."""
        lr = float(self.lr)
        rows = weights.shape[1]
        weights = weights.to(gradient.dtype).to(gradient.device)
        start = None if self.parametrization.limits_each else self.variables.clone()
        for channel, part in self._chunks():
            variables = self.variables[channel, part]
            before = variables.clone()
            of_steps, of_changes = torch.einsum(
                "kr,krn->kn", weights, self.past[:, :rows, channel, part].to(gradient.dtype)
            )
            scaled = torch.add(of_changes, gradient[channel, part], alpha=scale)
            variables.sub_(of_steps.addcmul_(scaled, self.scaling.of_pixels[part]), alpha=lr)
            if start is None:
                self.parametrization.limit(variables)
                self.past[0, self.row, channel, part] = variables - before
        if start is not None:
            self.parametrization.limit(self.leaf.detach())
            self.past[0, self.row] = self.variables - start
        self.order = [row for row in self.order if row != self.row]

    def _chunks(self) -> Iterator[tuple[int, slice]]:
        """Yield channels and slices of pixels."""
        channels, pixels = self.variables.shape
        length = max(1, self.chunk // self.past.shape[1])
        for channel in range(channels):
            for start in range(0, pixels, length):
                yield channel, slice(start, start + length)


class DiagonalScaling:
    """How far each variable moves for a change of its gradient: the inverse of its own curvature.

    Sky and foliage differ by an order of magnitude. The curvature is measured in cells of 16 × 16
    pixels over all channels and about the last ten steps, and interpolated between cells. The
    variables are the pixels of images of some `shapes`, one after another.
    """

    cell = 16
    decay = 0.9
    floor = 0.01
    """Share of the mean over all cells that every cell gets, so that no cell stops moving."""

    def __init__(self, shapes: Sequence[Shape], device: torch.device) -> None:
        self.shapes = shapes
        self.grids = [(-(-height // self.cell), -(-width // self.cell)) for height, width in shapes]
        """Rows and columns of the cells of each image."""
        cells = sum(map(math.prod, self.grids))
        self.moved = self.changed = torch.zeros(cells, device=device)
        self.of_pixels = torch.ones(sum(map(math.prod, shapes)), device=device)
        """1 on average over the cells."""

    def learn(self, step: Tensor, change: Tensor) -> None:
        """Take in a step and the change of the gradient, each (C, N)."""
        moved, changed = self._energy(step), self._energy(change)
        # Steps get shorter; without this factor the last would count for less than the first.
        size = changed.mean()
        share = torch.where(size > 0, 1 / size, 0)
        self.moved = self.moved * self.decay + moved * share
        self.changed = self.changed * self.decay + changed * share

    def update(self) -> None:
        """Compute `of_pixels` from all that was learned."""
        moved, changed = (
            energy + self.floor * energy.mean() + 1e-30 for energy in (self.moved, self.changed)
        )
        of_cells = (moved / changed).sqrt()
        of_cells = of_cells / of_cells.mean()
        of_grids = torch.split(of_cells, [math.prod(grid) for grid in self.grids])
        fine = []
        for cells, grid, (height, width) in zip(of_grids, self.grids, self.shapes, strict=True):
            cells = cells.view(1, 1, *grid)
            enlarged = interpolate(cells, scale_factor=float(self.cell), mode="bilinear")
            fine.append(enlarged[0, 0, :height, :width].flatten())
        self.of_pixels = torch.cat(fine)

    def _energy(self, values: Tensor) -> Tensor:
        """Return the mean square of each cell over its pixels and all channels, summed."""
        energy = torch.zeros_like(self.moved)
        for channel in values:  # one at a time, to save memory
            square = channel.float().square()
            images = torch.split(square, [math.prod(shape) for shape in self.shapes])
            cells = [
                avg_pool2d(image.view(1, 1, *shape), self.cell, ceil_mode=True).flatten()
                for image, shape in zip(images, self.shapes, strict=True)
            ]
            energy = energy + torch.cat(cells)
        return energy
