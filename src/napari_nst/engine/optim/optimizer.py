"""The optimizers of recipes: L-BFGS, Adam and RMSprop on the variables of an image."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from napari_nst.engine.images.convert import resize
from napari_nst.engine.optim.bases import joined, split
from napari_nst.engine.optim.image_optimizer import AdamMoments, ImageOptimizer
from napari_nst.engine.optim.lbfgs import LimitedMemoryBFGS


class LBFGS(ImageOptimizer):
    """L-BFGS, with one evaluation per step unless the recipe wants a line search.

    The variables are pixels of 0–255. The first step knows no curvature and moves each pixel by
    one of 255 levels on average. Torch's own first step is one unit long over all pixels together,
    too small for bfloat16, and its test for curvature has an absolute bound. Therefore the gradient
    is scaled to the same length whatever the weights.
    """

    default_lr = 1.0
    unit = 255.0
    explosion = 1.5
    redraws_every = 10  # it learns the curvature of one function

    def _new_optimizer(self) -> torch.optim.Optimizer | LimitedMemoryBFGS:
        if not self.recipe.line_search:
            return LimitedMemoryBFGS(self.variables, self.lr, self.history, self.parametrization)
        return torch.optim.LBFGS(
            [self.variables],
            lr=self.lr * self.variables.numel(),
            max_iter=1,
            max_eval=25,  # torch's default for one iteration leaves the line search no trial
            history_size=self.history,
            line_search_fn="strong_wolfe",
            # The user chooses the number of steps; torch's tolerances would end a run silently.
            tolerance_grad=0,
            tolerance_change=0,
        )

    def _closure(self) -> Callable[[], float]:
        """Return the loss at the point to which the line search has moved the variables."""
        if not self.recipe.line_search:
            return super()._closure()
        is_first = True

        def total() -> float:
            nonlocal is_first
            if not is_first:  # the first point is the current image
                self._evaluate()
            is_first = False
            return self._total * self.gradient_scale

        return total

    def _scale_gradient(self) -> None:
        length = float(self._gradient.abs().sum())
        if length > 0:
            self.gradient_scale = 1e4 / length
            self._gradient.mul_(self.gradient_scale)

    def _after_step(self) -> None:
        # From the second step on, curvature determines the length.
        if isinstance(self.optimizer, torch.optim.Optimizer):
            self.optimizer.param_groups[0]["lr"] = self.lr

    def _shift_gradient(self, change: Tensor) -> None:
        # L-BFGS learns from the change of the gradient at the last step. With the previous gradient
        # shifted, this change is still that of the function before.
        if isinstance(self.optimizer, LimitedMemoryBFGS):
            previous = self.optimizer.previous
        else:
            previous = self.optimizer.state[self.variables].get("prev_flat_grad")
        if previous is not None:
            previous.add_(change.view_as(previous))


class Adam(ImageOptimizer):
    """Adam (Kingma & Ba 2015) on pixels in [0, 1], its moments carried across scales.

    As in crowsonkb/style-transfer-pytorch: the first moment is resampled like the image, the
    second so that it stays positive, and the count of steps goes on.
    """

    optimizer: torch.optim.Optimizer
    default_lr = 0.02

    @property
    def moments(self) -> AdamMoments | None:
        """What the optimizer of the next scale starts with."""
        state = self.optimizer.state.get(self.variables)
        if not state:
            return None
        return AdamMoments(
            state["exp_avg"], state["exp_avg_sq"], state["step"], self.parametrization.basis
        )

    def _warm_start(self, moments: AdamMoments | None) -> None:
        basis = self.parametrization.basis
        if moments is None or type(moments.basis) is not type(basis):
            return
        # An image that became grey, or coloured, has other variables.
        if moments.first.shape[1] != self.variables.shape[1]:
            return
        if not math.isfinite(float(moments.first.norm() + moments.second.norm())):
            return
        periodic = self.recipe.padding == "circular"

        def resized(values: Tensor, smooth: bool) -> Tensor:
            images = zip(split(values, moments.basis.shapes), basis.shapes, strict=True)
            return joined([resize(*one, smooth=smooth, periodic=periodic) for one in images])

        # torch's fused Adam reads memory in the order in which it is stored.
        self.optimizer.state[self.variables] = {
            "step": moments.step,
            "exp_avg": resized(moments.first, smooth=True).contiguous(),
            "exp_avg_sq": resized(moments.second, smooth=False).relu().contiguous(),
        }

    def _new_optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(
            [self.variables],
            lr=self.lr,
            betas=(self.recipe.beta1, self.recipe.beta2),
            eps=self.recipe.epsilon,
            # One pass over memory; the other implementations copy the moments.
            fused=self.variables.device.type in ("cpu", "cuda"),
        )


class RMSprop(ImageOptimizer):
    """RMSprop (Tieleman & Hinton 2012) on pixels in [0, 1], begun anew at each scale.

    Its first steps are 1/√(1 − beta2) times the learning rate, ten times it by default, because
    the mean of squares starts at 0 and is not corrected for that, as in STROTSS (Kolkin et al.
    2019).
    """

    default_lr = 0.002

    def _new_optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(
            [self.variables],
            lr=self.lr,
            alpha=self.recipe.beta2,
            eps=self.recipe.epsilon,
            foreach=False,  # there is one tensor, which the other implementation copies
        )


OPTIMIZERS: dict[str, type[ImageOptimizer]] = {"lbfgs": LBFGS, "adam": Adam, "rmsprop": RMSprop}
"""Recipe's `optimizer` → class."""
