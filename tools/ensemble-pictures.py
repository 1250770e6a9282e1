"""Make the picture of docs/ensembles.md: `.venv/bin/python tools/ensemble-pictures.py`.

Six seeds of three materials are synthesized and measured. The table is printed as Markdown.
"""

from __future__ import annotations

import time

import numpy as np
from pictures import captioned, eight_bit, save
from skimage import data

import napari_nst as nst

SIZE, SEEDS = 160, 6
SHOWN = (
    "volume fraction", "correlation length", "boundary per area", "S2", "lineal path",
    "chord lengths", "power spectrum", "grey histogram", "Gram relu2_2", "Gram relu4_2",
)  # fmt: skip
EXEMPLARS = {
    "gravel": data.gravel()[:SIZE, :SIZE],
    "brick": data.brick()[:256, :256],
    "tissue": data.immunohistochemistry()[:256, :256],
}


def main() -> None:
    """Print the table, and write the exemplars, the textures, and what they are together."""
    pictures, columns = {}, {}
    for name, exemplar in EXEMPLARS.items():
        begin = {"exemplar": exemplar, "recipe": nst.preset("texture", size=SIZE), "seeds": SEEDS}
        began = time.process_time()
        made = nst.synthesize_ensemble(**begin, statistics=False)
        pixels = np.asarray(made.result(progress=False))
        halfway = time.process_time()
        run = nst.synthesize_ensemble(**begin, out=made.path)
        run.result(progress=False)
        seconds = halfway - began, time.process_time() - halfway
        columns[name] = (run.table, seconds)
        print(name, run.table, *(f"{one / SEEDS:.1f} s" for one in seconds), sep="\n")
        mean, deviation = run.mean_and_deviation()
        pictures[f"{name}: exemplar"] = run.exemplar
        for seed, one in zip(run.seeds, pixels, strict=True):
            pictures[f"{name}: seed {seed}"] = np.moveaxis(one, 0, -1) if one.ndim == 3 else one
        pictures[f"{name}: mean"] = eight_bit(mean / 255)
        # White is half of the range, which nothing exceeds.
        pictures[f"{name}: deviation"] = eight_bit((deviation / 127.5).clip(0, 1))
    save("ensemble", captioned(pictures, columns=SEEDS + 3))
    print("| |", " | ".join(columns), "|")
    print("| --- |", " | ".join(["---"] * len(columns)), "|")
    for title, cell in {
        "largest copied squares": lambda table: ", ".join(map(str, table.copies.values())) + " px",
        "between crops": lambda table: f"{table.between_crops:.0f} px",
        "layout correlations": lambda t: ", ".join(f"{one:.2f}" for one in t.layouts.values()),
        "verdicts": verdicts_text,
        **{name: lambda table, name=name: ratio_text(table, name) for name in SHOWN},
    }.items():
        print(f"| {title} |", " | ".join(cell(table) for table, _ in columns.values()), "|")
    for number, title in enumerate(("synthesis", "measuring")):
        cells = [f"{seconds[number] / SEEDS:.1f} s" for _, seconds in columns.values()]
        print(f"| {title} of a seed |", " | ".join(cells), "|")


def verdicts_text(table: nst.EnsembleTable) -> str:
    """Return how many seeds have each verdict."""
    found = list(table.verdicts.values())
    return ", ".join(f"{found.count(one)} {one}" for one in dict.fromkeys(found))


def ratio_text(table: nst.EnsembleTable, name: str) -> str:
    """Return the mean and the standard deviation of a ratio over all seeds."""
    ratios = table.ratios(name)
    known = ratios[~np.isnan(ratios)]
    return f"{known.mean():.2f} ± {known.std(ddof=1):.2f}" if len(known) > 1 else "–"


if __name__ == "__main__":
    main()
