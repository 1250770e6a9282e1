"""Objectives for tests of optimizers: plain functions of an image, differentiated by autograd."""

import torch


class Differentiated:
    """What an optimizer minimises, from a function image → named parts; counts evaluations."""

    def __init__(self, function):
        self.function = function
        self.evaluations = 0

    def value_and_grad(self, image):
        self.evaluations += 1
        leaf = image.detach().clone().requires_grad_()
        parts = self.function(leaf)
        (gradient,) = torch.autograd.grad(sum(parts.values()), leaf)
        return {name: part.item() for name, part in parts.items()}, gradient

    def values(self, image):
        return {name: part.item() for name, part in self.function(image).items()}

    def with_fixed(self, image):
        return image

    def redraw(self):
        return False


class Misbehaving(Differentiated):
    """An objective whose losses are multiplied by a value at some evaluations, from 1."""

    def __init__(self, function, wrong, value):
        super().__init__(function)
        self.wrong, self.value = wrong, value

    def value_and_grad(self, image):
        parts, gradient = super().value_and_grad(image)
        if self.evaluations in self.wrong:
            return {name: part * self.value for name, part in parts.items()}, gradient * self.value
        return parts, gradient


class Redrawn(Differentiated):
    """Distances to a target that every redraw moves; `curvature` is that of the variables."""

    def __init__(self, target):
        super().__init__(self._distance)
        self.target = target
        self.curvature = torch.linspace(1, 4, target.numel()).view_as(target)

    def _distance(self, image):
        return {"tv": (self.curvature * (image - self.target).square()).sum() / 2}

    def redraw(self):
        self.target = 1 - self.target
        return True


def distance_to(target, weight=1.0):
    """Return a function in two parts whose minimum, 0, is at `target`."""
    curvature = torch.linspace(1, 4, target.numel()).view_as(target) * weight

    def parts(image):
        square = curvature * (image - target).square()
        return {"left": square[..., :4].sum(), "right": square[..., 4:].sum()}

    return parts


def valley(image):
    """Rosenbrock's function of neighbouring pixels: long, narrow and bent."""
    left, right = image[..., :-1] * 4 - 2, image[..., 1:] * 4 - 2
    return {
        "content/walls": 100 * (right - left.square()).square().mean(),
        "tv": (1 - left).square().mean(),
    }
