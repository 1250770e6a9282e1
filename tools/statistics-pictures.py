"""Make the pictures of docs/statistics.md: `.venv/bin/python tools/statistics-pictures.py`.

Two textures are synthesized and measured beside their exemplars, other parts of the photographs,
and beside each other. The table is printed as Markdown.
"""

from __future__ import annotations

import numpy as np
from pictures import captioned, eight_bit, last, save
from skimage import data

import napari_nst as nst
from napari_nst.texture_statistics.draw import drawn

SIDE = 192
SHOWN = (
    "volume fraction", "correlation length", "mean chord x", "boundary per area",
    "anisotropy of the spectrum", "S2", "lineal path", "chord lengths", "power spectrum",
    "grey histogram", "Gram relu2_2", "Gram relu3_2", "Gram relu4_2", "largest copied square",
)  # fmt: skip
PHOTOGRAPHS = {"gravel": data.gravel, "grass": data.grass}


def main() -> None:
    """Print the ratios, and write the textures and the curves of the first."""
    pictures, columns = {}, {}
    for name, load in PHOTOGRAPHS.items():
        photograph = load()
        exemplar, other = photograph[:SIDE, :SIDE], photograph[-SIDE:, -SIDE:]
        texture = last(nst.synthesize(exemplar, nst.preset("texture", size=0))).picture
        measured = nst.statistics(texture, exemplar, copies=True)
        if not columns:
            save("statistics-curves", drawn(measured))
            print(measured)
        columns[f"{name}, synthesized"] = measured
        columns[f"{name}, another part"] = nst.statistics(other, exemplar, copies=True)
        pictures[f"{name}: exemplar"] = exemplar
        pictures[f"{name}: synthesized"] = eight_bit(texture)
    exemplar, texture = pictures["gravel: exemplar"], pictures["grass: exemplar"]
    columns["grass beside gravel"] = nst.statistics(texture, exemplar, copies=True)
    save("statistics", captioned(pictures, columns=4))
    print("| ratio to crops of the exemplar |", " | ".join(columns), "|")
    print("| --- |", " | ".join(["---"] * len(columns)), "|")
    for name in SHOWN:
        cells = [text_of(one[name]) for one in columns.values()]
        print(f"| {name} |", " | ".join(cells), "|")


def text_of(row: object) -> str:
    """Return a ratio, or the side of the largest copied square beside that of crops."""
    if row.name == "largest copied square":
        return f"{row.image:.0f} px ({row.between_crops:.0f})"
    return "–" if np.isnan(row.ratio) else f"{row.ratio:.2f}"


if __name__ == "__main__":
    main()
