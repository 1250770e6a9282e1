"""Colours of the loss plot, in any theme."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable
from dataclasses import dataclass

from napari.utils.theme import get_theme

from napari_nst.viewer.loss_plot.curves import kind_of

_ON_DARK = {"content": "#56b4e9", "style": "#e69f00", "tv": "#009e73"}
_ON_LIGHT = {"content": "#0072b2", "style": "#c85400", "tv": "#00805c"}
"""Told apart by the colour-blind: Okabe and Ito's set, Color Universal Design (2008), of which two
are darkened on a light ground."""


@dataclass(frozen=True)
class Look:
    """A theme's colours as ``#rrggbb``, and the size of small text in points."""

    background: str
    text: str
    focus: str
    points: int

    @classmethod
    def of(cls, theme: str) -> Look:
        """Return the look of a napari theme."""
        known = get_theme(theme)
        background, text, focus = (
            getattr(known, name).as_hex(format="long") for name in ("background", "text", "current")
        )
        return cls(background, text, focus, max(6, int(known.font_size[:-2]) - 1))

    @property
    def dark(self) -> bool:
        """Whether the ground is darker than the text."""
        return sum(_parts(self.background)) < sum(_parts(self.text))


def colours(names: Iterable[str], look: Look) -> dict[str, str]:
    """Return a colour for each loss: one for each kind, and its shades for the kind's layers.

    Parameters
    ----------
    names : iterable of str
        Such as ``style`` and ``style/relu1_1``.
    look : Look
        Of the ground; the total gets the colour of its text.
    """
    names = list(names)
    base = {"total": look.text, **(_ON_DARK if look.dark else _ON_LIGHT)}
    chosen = {name: base.get(name, look.text) for name in names if "/" not in name}
    for kind in dict.fromkeys(kind_of(name) for name in names if "/" in name):
        layers = [name for name in names if name.startswith(f"{kind}/")]
        for place, name in enumerate(layers):
            share = place / (len(layers) - 1) if len(layers) > 1 else 0.5
            chosen[name] = _shade(base.get(kind, look.text), share, look.dark)
    return chosen


def _shade(colour: str, share: float, dark: bool) -> str:
    """Return a colour lighter and a little further round the circle, the larger the share."""
    red, green, blue = _parts(colour)
    hue, _, saturation = colorsys.rgb_to_hls(red, green, blue)
    lightness = (0.45 + 0.4 * share) if dark else (0.16 + 0.26 * share)
    shade = colorsys.hls_to_rgb((hue + 0.06 * (share - 0.5)) % 1, lightness, saturation)
    return "#" + "".join(f"{round(255 * part):02x}" for part in shade)


def _parts(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue
