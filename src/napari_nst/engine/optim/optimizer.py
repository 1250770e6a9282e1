"""L-BFGS and Adam, one step at a time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from napari_nst.engine.optim.lbfgs import LimitedMemoryBFGS
from napari_nst.engine.optim.stepper import ImageOptimizer, Losses
from napari_nst.engine.run.banded import BandedImage
from napari_nst.engine.run.bands import Bands


class LBFGS(ImageOptimizer):
    """L-BFGS without line search, unless the recipe wants one: one evaluation per step.

    It works on pixels of 0–255. The first step has no curvature to go by; it moves each pixel by
    one of 255 levels on average. Torch's own first step is one unit long over *all* pixels
    together, which bfloat16 cannot even see, and its test for curvature has an absolute bound: so
    the gradient is scaled to the same length whatever the weights.

    Attributes
    ----------
    most_history : int or None
        The past steps that there is memory for, where a recipe's `history` may be more. Each
        takes 4 bytes per number of the image, and twice that with a line search.
    """

    usual_learning_rate = 1.0
    unit = 255.0
    explosion = 1.5
    redraws_every = 10  # it learns the curvature of one function
    most_history: int | None = None

    def end(self) -> BandedImage:
        """Return the image to carry on, without the curvature of this scale."""
        image = super().end()
        del self.optimizer
        return image

    def _new_optimizer(self) -> torch.optim.Optimizer:
        history = min(self.recipe.history, self.most_history or self.recipe.history)
        if not self.recipe.line_search:
            return LimitedMemoryBFGS(
                self.pixels,
                self.learning_rate,
                history,
                partial(self.canvas.keep_in_range, unit=self.unit),
                self.pulse,
                self.bands,
                self.shelf,
            )
        return torch.optim.LBFGS(
            [self.pixels],
            lr=self.learning_rate * self.pixels.numel(),
            max_iter=1,
            max_eval=25,  # torch's own for one iteration leaves the line search no trial
            history_size=history,
            line_search_fn="strong_wolfe",
            # The number of steps is the user's to say; torch's own tolerances end a run unseen.
            tolerance_grad=0,
            tolerance_change=0,
        )

    def _closure(self) -> Callable[[], float]:
        """Return the loss of whatever point the line search has moved the pixels to."""
        if not self.recipe.line_search:
            return super()._closure()
        points = 0

        def total() -> float:
            nonlocal points
            if points:  # the first is where the pixels are
                self._evaluate()
            points += 1
            return self._total() * self.gradient_scale

        return total

    def _divided(self, bands: Bands) -> Bands:
        # Torch's line search takes inner products itself, of all that it has.
        return Bands.undivided(bands.height) if self.recipe.line_search else bands

    def _scale_gradient(self) -> None:
        gradient = self._gradient
        sizes = self.shelf.filled(gradient.shape, lambda rows: gradient[:, :, rows].abs())
        length = self.bands.processes.total(float(sizes.sum()))
        if length > 0:
            self.gradient_scale = 1e4 / length
            gradient.mul_(self.gradient_scale)

    def _after_step(self) -> None:
        super()._after_step()
        # From the second step on the step length is curvature's to say.
        self.optimizer.param_groups[0]["lr"] = self.learning_rate


class Adam(ImageOptimizer):
    """Adam (Kingma & Ba 2015) on pixels kept in [0, 1], its moments carried across scales.

    As in crowsonkb/style-transfer-pytorch: the first moment is resampled like
    the image, the second so that it stays positive, and the count of steps goes on.
    """

    usual_learning_rate = 0.02

    def begin(self, image: Tensor, objective: Losses) -> None:
        """Take over an image, with the moments of the scale before resampled to its size."""
        moments = self._moments() if hasattr(self, "optimizer") else None
        super().begin(image, objective)
        # Of a picture that has become grey, or coloured, they are moments of other numbers.
        if moments is not None and moments[0].rows.shape[1] == self.pixels.shape[1]:
            first, second, step = moments
            shape = (self.bands.height, self.pixels.shape[3])
            periodic = self.recipe.padding == "circular"
            mean = first.resized(shape, self.bands, self.shelf, periodic=periodic)
            square = second.resized(shape, self.bands, self.shelf, smooth=False, periodic=periodic)
            # Fused, torch's Adam goes through memory as it lies there.
            self.optimizer.state[self.pixels] = {
                "step": step,
                "exp_avg": mean.contiguous(),
                "exp_avg_sq": square.relu_().contiguous(),
            }

    def step(self) -> dict[str, float]:
        """Improve the image once and return the weighted parts of its loss."""
        if not (state := self.optimizer.state[self.pixels]):
            # As torch's own, but on the shelf.
            is_fused = self.optimizer.param_groups[0]["fused"]
            state["step"] = torch.zeros((), device=self.pixels.device if is_fused else "cpu")
            for name in ("exp_avg", "exp_avg_sq"):
                state[name] = self._room(self.pixels.dtype).zero_()
        return super().step()

    def _moments(self) -> tuple[BandedImage, BandedImage, Tensor]:
        """Return what has been learned before, the first moment and the second, and the steps."""
        known = self.optimizer.state[self.pixels]
        first, second = known["exp_avg"], known["exp_avg_sq"]
        return BandedImage(first, self.bands), BandedImage(second, self.bands), known["step"]

    def _new_optimizer(self) -> torch.optim.Optimizer:
        recipe = self.recipe
        return torch.optim.Adam(
            [self.pixels],
            lr=self.learning_rate,
            betas=(recipe.beta1, recipe.beta2),
            eps=recipe.epsilon,
            # In one pass, where torch's others have copies of the moments.
            fused=self.pixels.device.type in ("cpu", "cuda"),
        )


OPTIMIZERS: dict[str, type[ImageOptimizer]] = {"lbfgs": LBFGS, "adam": Adam}
"""Recipe's `optimizer` → class."""
