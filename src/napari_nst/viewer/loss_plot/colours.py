"""Colours of the loss plot, for light and dark themes and for colour-blind eyes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from napari.utils.theme import get_theme
from qtpy.QtGui import QColor

# Okabe and Ito's colours (Color Universal Design, 2008); two are darkened for a light background.
_ON_DARK = {"content": "#56b4e9", "style": "#e69f00", "tv": "#009e73"}
_ON_LIGHT = {"content": "#0072b2", "style": "#c85400", "tv": "#00805c"}


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
        """Whether the background is darker than the text."""
        return QColor(self.background).lightnessF() < QColor(self.text).lightnessF()


def colours(names: Sequence[str], look: Look) -> dict[str, str]:
    """Return a colour for each loss; those of layers are shades of their sum's colour."""
    base = _ON_DARK if look.dark else _ON_LIGHT
    chosen = {}
    for name in names:
        kind, _, layer = name.partition("/")
        chosen[name] = base.get(kind, look.text)
        if layer:
            layers = [other for other in names if other.startswith(f"{kind}/")]
            share = layers.index(name) / (len(layers) - 1) if len(layers) > 1 else 0.5
            chosen[name] = _shade(chosen[name], share, look.dark)
    return chosen


def _shade(colour: str, share: float, dark: bool) -> str:
    """Return a colour lighter, and of a slightly different hue, the larger the share is."""
    hue, saturation, _, _ = QColor(colour).getHslF()
    lightness = (0.45 + 0.4 * share) if dark else (0.16 + 0.26 * share)
    return QColor.fromHslF((hue + 0.06 * (share - 0.5)) % 1, saturation, lightness).name()
