"""Which slices of a stack are computed, and which of them start from the one before."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np

from napari_nst.io.image_files.decoded_image import Pixels
from napari_nst.recipe.suggest import nearest
from napari_nst.stacks.source import Axis, Stack

Place = tuple[int, ...]
"""The index of a slice in the result, for each axis of `Places.axes`."""

Range = slice | range | int | str
"""Some entries of an axis: a number, or a range such as ``slice(0, 10)`` or ``"0:10"``."""

Names = int | str | Sequence[int | str]

CHANNEL = "c"
_RANGE = re.compile(r"(-?\d*)(?::(-?\d*)(?::(\d*))?)?")


@dataclass(frozen=True)
class Places:
    """The slices of a result: their axes in the content's order, and the order of computing."""

    axes: tuple[Axis, ...]  # of the result, before those of pixels
    ranges: Mapping[str, range]  # axis → indices in the content
    order: tuple[str, ...]  # axes, the slowest first; slices that differ in the last are neighbours
    rgb_channels: tuple[int, ...] = ()  # of the content, if three of them are one RGB image
    channel_axis: str | None = None  # of the content

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of slices along each axis."""
        return tuple(axis.length for axis in self.axes)

    @property
    def count(self) -> int:
        """The number of all slices."""
        return math.prod(self.shape)

    def __iter__(self) -> Iterator[Place]:
        names = [axis.name for axis in self.axes]
        for numbers in product(*(range(len(self.ranges[name])) for name in self.order)):
            own = dict(zip(self.order, numbers, strict=True))
            yield tuple(own[name] for name in names)

    def before(self, place: Place) -> Place | None:
        """Return the neighbour before a slice."""
        if not self.order:
            return None
        axis = [one.name for one in self.axes].index(self.order[-1])
        if place[axis] == 0:
            return None
        return (*place[:axis], place[axis] - 1, *place[axis + 1 :])

    def runs(self, parts: int) -> list[list[Place]]:
        """Return runs of neighbours, at least `parts` if there are enough slices."""
        runs: list[list[Place]] = []
        for place in self:
            if self.before(place) is None:
                runs.append([])
            runs[-1].append(place)
        of_each = math.ceil(parts / max(len(runs), 1))
        return [part for run in runs for part in _split(run, of_each)]

    def in_content(self, place: Place) -> dict[str, int]:
        """Return axis → index in the content."""
        return {
            axis.name: self.ranges[axis.name][number]
            for axis, number in zip(self.axes, place, strict=True)
        }

    def read(self, stack: Stack, place: Place) -> Pixels:
        """Read the slice of a stack, (H, W) or (H, W, C)."""
        at = self.in_content(place)
        if self.channel_axis is None or not self.rgb_channels:
            return stack.read(at)
        channels = (stack.read({**at, self.channel_axis: one}) for one in self.rgb_channels)
        return np.stack(list(channels), axis=-1)

    def label(self, place: Place) -> str:
        """Return the index in the content in words, such as ``t=3, z=12``."""
        found = self.in_content(place)
        parts = [f"{one.name}={found[one.name]}" for one in self.axes if one.length > 1]
        return ", ".join(parts) or "the only slice"


def choose_places(
    stack: Stack,
    axes: Names | None = None,
    slices: Range | Mapping[str, Range] | None = None,
    channel: int | Sequence[int] | None = None,
    channel_axis: int | str | None = None,
) -> Places:
    """Return the slices that arguments of `stylize_stack` choose; errors name the arguments."""
    own = {axis.name: axis for axis in stack.slice_axes}
    shape = stack.data.shape
    if len(shape) == 3 and shape[-1] in (3, 4):  # no network reads slices so narrow
        raise ValueError(
            f"`content` is a single image of colours, {' × '.join(map(str, shape))}. Give a stack, "
            "or use stylize or reconstruct."
        )
    if not own:
        raise ValueError(
            f"`content` is a single image of {' × '.join(map(str, stack.data.shape))}. Give a "
            "stack, or use stylize or reconstruct."
        )
    of_channels = _channel_axis(stack, own, channel_axis)
    if channel is not None and of_channels is None:
        raise ValueError("`channel` needs an axis of channels. Give `channel_axis`, too.")
    others = {name: axis for name, axis in own.items() if name != of_channels}
    order = [_named(stack, one, "axes") for one in _several(axes)] if axes is not None else None
    for name in order or ():
        if name not in others:
            raise ValueError(
                f"`axes` has {name!r}, which is no axis of slices. There are {_listed(others)}."
            )
    ranges = _ranges(stack, others, slices, order)
    fixed = [name for name in others if order is None or name not in order]
    if order is None:
        order, fixed = fixed, []
    for name in fixed:
        if len(ranges[name]) != 1:
            raise ValueError(
                f"`axes` leaves out {name!r}, which has {len(ranges[name])} entries. Add it to "
                f"`axes`, or choose one in `slices`, such as {{{name!r}: 0}}."
            )
    rgb: tuple[int, ...] = ()
    if of_channels is not None:
        count = own[of_channels].length
        rgb = _rgb_channels(channel, count)
        if not rgb:
            ranges[of_channels] = range(count)
            if isinstance(channel, int):
                ranges[of_channels] = _parsed(channel, own[of_channels], "channel")
            fixed.append(of_channels)
    kept = [own[name] for name in own if not (rgb and name == of_channels)]
    return Places(
        tuple(axis.part(ranges[axis.name]) for axis in kept),
        ranges,
        (*fixed, *order),
        rgb,
        of_channels,
    )


def _channel_axis(
    stack: Stack, own: Mapping[str, Axis], channel_axis: int | str | None
) -> str | None:
    if channel_axis is None:
        return CHANNEL if CHANNEL in own and not stack.is_rgb else None
    name = _named(stack, channel_axis, "channel_axis")
    if name not in own or stack.is_rgb:
        kind = "RGB" if stack.is_rgb else f"{name!r} an axis of pixels"
        raise ValueError(f"`channel_axis` is given, but `content` is {kind}. Leave it out.")
    return name


def _named(stack: Stack, axis: int | str, argument: str) -> str:
    """Return the name of an axis that is given by its name or its number."""
    names = [one.name for one in stack.axes]
    if isinstance(axis, str) and axis.lstrip("-").isdigit():
        axis = int(axis)
    if isinstance(axis, int):
        if -len(names) <= axis < len(names):
            return names[axis]
    elif axis in names:
        return axis
    hint = nearest(str(axis), names) if isinstance(axis, str) else ""
    raise ValueError(f"`{argument}` {axis!r} is none of {', '.join(names)}. {hint}".rstrip())


def _several(axes: Names) -> Sequence[int | str]:
    return [axes] if isinstance(axes, (int, str)) else list(axes)


def _ranges(
    stack: Stack,
    own: Mapping[str, Axis],
    slices: Range | Mapping[str, Range] | None,
    order: Sequence[str] | None,
) -> dict[str, range]:
    """Return the indices along each axis."""
    found = {name: range(axis.length) for name, axis in own.items()}
    if slices is None:
        return found
    if not isinstance(slices, Mapping):
        through = list(order or own)
        if len(through) != 1:
            raise ValueError(
                f"`slices` is for one axis, and there are {_listed(own)}. Give a dict, such as "
                f"{{{through[-1]!r}: '0:10'}}."
            )
        slices = {through[0]: slices}
    for axis, chosen in slices.items():
        name = _named(stack, axis, "slices")
        if name not in own:
            raise ValueError(f"`slices` has {name!r}, but the axes of slices are {_listed(own)}.")
        found[name] = _parsed(chosen, own[name], "slices")
    return found


def _parsed(chosen: Range, axis: Axis, argument: str) -> range:
    """Return the indices that a number or a range chooses among those of an axis."""
    every = range(axis.length)
    if isinstance(chosen, str) and (numbers := _RANGE.fullmatch(chosen.replace(" ", ""))):
        first, stop, step = (int(one) if one else None for one in numbers.groups())
        is_one = ":" not in chosen and first is not None
        chosen = first if is_one and first is not None else slice(first, stop, step)
    found: range | None = None
    if isinstance(chosen, int) and -axis.length <= chosen < axis.length:
        at = every[chosen]
        found = range(at, at + 1)
    elif isinstance(chosen, slice) and (chosen.step is None or chosen.step > 0):
        found = every[chosen]
    elif isinstance(chosen, range) and chosen.step > 0 and set(chosen) <= set(every):
        found = chosen
    if found is None or not len(found):
        raise ValueError(
            f"`{argument}` must be indices of {axis.name!r} from 0 to {axis.length - 1}, such as 0 "
            f"or '0:{axis.length}'; not {chosen!r}."
        )
    return found


def _rgb_channels(channel: int | Sequence[int] | None, count: int) -> tuple[int, ...]:
    """Return three channels that are red, green and blue; none for a single one or all in turn."""
    if channel is None or isinstance(channel, int):
        return ()
    numbers = tuple(channel)
    if len(numbers) != 3 or not all(isinstance(n, int) and 0 <= n < count for n in numbers):
        raise ValueError(
            f"`channel` must be one channel or three, from 0 to {count - 1}, such as 0 or "
            f"(0, 1, 2); not {channel!r}."
        )
    return numbers


def _split(run: Sequence[Place], parts: int) -> list[list[Place]]:
    """Divide a run into nearly equal parts that follow each other."""
    parts = min(parts, len(run))
    bounds = [round(len(run) * part / parts) for part in range(parts + 1)]
    return [list(run[a:b]) for a, b in pairwise(bounds)]


def _listed(axes: Mapping[str, Axis]) -> str:
    return ", ".join(axes) or "none"
