"""Losses that a caller has written, beside those of the recipe."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

from napari_nst.recipe.layer_names import canonical_layer

_TAKEN = ("total", "content", "style", "tv")
"""Names of the sums in `Iteration.losses`."""


@dataclass(frozen=True, eq=False)
class OwnLoss:
    """A loss of your own for `stylize`, `synthesize` and `reconstruct`, beside the recipe's.

    It compares features of layers, or the image itself. In guided or inpainted runs it compares
    the whole image that the run works on, not region by region.

    Parameters
    ----------
    name : str
        Its name in `Iteration.losses`; the parts of its layers are ``name/relu3_1`` and so on, that
        of the image is ``name/image``. Letters, digits, ``-`` and ``_``; not ``content``, ``style``
        or another name of ours.
    loss : callable, or object with `target` and `forward`
        A callable gets features (1, C, H', W') of a layer, or the image (1, 3, H, W), RGB in
        [0, 1], as a float32 tensor of torch, and returns a tensor of one element that can be
        differentiated. If it has a method `target`, this gets the same of the style or the content,
        once for each size, and what it returns is the second argument: ``loss(features, target)``,
        or ``loss.forward(features, target)``. Targets have no gradients.
    layers : str or sequence of str
        The layers, each of which is compared alone, such as ``("relu2_1", "relu3_1")``; without
        layers, the image is compared.
    of : {"style", "content"}
        What `target` gets. Of several styles, each has a target, and its share in the loss.
    weight : float
        Its weight in the total, above 0.

    Raises
    ------
    TypeError, ValueError
        If a parameter cannot be used.

    Examples
    --------
    >>> def contrast(image):
    ...     return (image.std() - 0.3).square()
    >>> nst.OwnLoss("contrast", contrast, weight=50)  # doctest: +SKIP
    """

    name: str
    loss: Any = field(repr=False)
    layers: str | Sequence[str] = ()
    of: str = "style"
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"[\w-]+", self.name):
            raise ValueError(
                f"`name` must be letters, digits, - and _, as it is part of the names of losses; "
                f"not {self.name!r}."
            )
        if self.name in _TAKEN:
            raise ValueError(f"`name` {self.name!r} is that of a loss of ours. Choose another.")
        if isinstance(self.loss, type):
            raise TypeError(
                f"`loss` is the class {self.loss.__name__}. Give an object: {self.loss.__name__}()."
            )
        if not callable(self.compare):
            raise TypeError(
                "`loss` must be a function, or an object with the method forward; not "
                f"{self.loss!r}."
            )
        if self.of not in ("style", "content"):
            raise ValueError(f"`of` must be 'style' or 'content'; not {self.of!r}.")
        weight: Any = self.weight
        if not isinstance(weight, Real) or not 0 < float(weight) < math.inf:
            raise ValueError(f"`weight` must be a number above 0 and finite; not {weight!r}.")
        layers = (self.layers,) if isinstance(self.layers, str) else self.layers
        if isinstance(layers, Mapping) or not isinstance(layers, Iterable):
            raise TypeError(
                f"`layers` must be names of layers, such as ('relu2_1', 'relu3_1'); not {layers!r}."
            )
        self._check_parameters()
        # Frozen, so that a run's losses cannot change unnoticed.
        object.__setattr__(self, "layers", tuple(canonical_layer(layer) for layer in layers))

    def _check_parameters(self) -> None:
        """Raise TypeError if a function cannot be called with what it gets."""
        given = "features" if self.layers else "image"
        called: dict[str, tuple[Callable[..., Any], list[str]]] = {
            f"loss {self.name!r}": (self.compare, [given])
        }
        cure = "To compare with a target, give an object with the methods target and forward."
        if self.target is not None:
            called = {
                f"method target of loss {self.name!r}": (self.target, [given]),
                f"loss {self.name!r}": (self.compare, [given, "target"]),
            }
            cure = "Change its parameters."
        for title, (function, arguments) in called.items():
            try:
                # A module of torch takes what its method takes.
                signature = inspect.signature(getattr(function, "forward", function))
            except (TypeError, ValueError):  # such as a function of C, which has none
                continue
            try:
                signature.bind(*arguments)
            except TypeError:
                raise TypeError(
                    f"The {title} is called with ({', '.join(arguments)}), but takes {signature}. "
                    f"{cure}"
                ) from None

    @property
    def compare(self) -> Callable[..., Any]:
        """The function that compares."""
        found: Any = self.loss if callable(self.loss) else getattr(self.loss, "forward", None)
        return found  # type: ignore[no-any-return]

    @property
    def target(self) -> Callable[[Any], Any] | None:
        """The function that makes the target of features or an image, if there is one."""
        return getattr(self.loss, "target", None)

    @property
    def parts(self) -> dict[str, str]:
        """Name of each part in the losses → its layer, or ``image``."""
        return {f"{self.name}/{where}": where for where in self.layers or ("image",)}

    @property
    def metadata(self) -> dict[str, Any]:
        """What the record can hold of it."""
        named = self.loss if hasattr(self.loss, "__qualname__") else type(self.loss)
        return {
            "name": self.name,
            "function": f"{named.__module__}.{named.__qualname__}",
            "layers": list(self.layers),
            "of": self.of,
            "weight": float(self.weight),
        }


def layers_of_own(losses: Iterable[OwnLoss], of: str | None = None) -> list[str]:
    """Return the layers of own losses, or of those with a target of the content or the style."""
    chosen = [one for one in losses if of is None or (one.target is not None and one.of == of)]
    return list(dict.fromkeys(layer for one in chosen for layer in one.layers))


def checked_own(
    losses: Sequence[OwnLoss], function: str, roles: tuple[bool, bool]
) -> tuple[OwnLoss, ...]:
    """Refuse what is no own loss, two of one name, or a target of an image that the job lacks.

    `roles` says whether there are a content and styles.
    """
    if isinstance(losses, OwnLoss) or not isinstance(losses, Iterable):
        raise TypeError(
            "`losses` must be a list of nst.OwnLoss, such as [nst.OwnLoss('contrast', contrast)]; "
            f"not {losses!r}."
        )
    losses = tuple(losses)
    for one in losses:
        if not isinstance(one, OwnLoss):
            raise TypeError(f"`losses` must be a list of nst.OwnLoss; {one!r} is none.")
    names = [one.name for one in losses]
    if len(set(names)) < len(names):
        raise ValueError(f"`losses` have names of their own; these are {', '.join(names)}.")
    for one in losses:
        for kind, other, exists in zip(
            ("content", "style"), ("style", "content"), roles, strict=True
        ):
            if one.target is not None and one.of == kind and not exists:
                raise ValueError(
                    f"The loss {one.name!r} has a target of the {kind}, which {function} has not. "
                    f"Set `of={other!r}`."
                )
    return losses
