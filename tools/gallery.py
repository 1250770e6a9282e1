"""Make docs/gallery.md and its pictures: `.venv/bin/python tools/gallery.py [FOLDER]`.

Every picture is what a command of the terminal writes; the page shows the commands that were run.
Inputs come with scikit-image, or are painted by the project. What is in the folder already is not
made again. On two cores it takes two hours.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from skimage import data

from napari_nst.io.image_files.write_image import write_image
from napari_nst.recipe import preset_names
from napari_nst.viewer.samples import sample_painting

DOCS = Path(__file__).parents[1] / "docs"
NAPARI_NST = str(Path(sys.executable).with_name("napari-nst"))
GAP, STRIP = 8, 22

INPUTS = {
    "astronaut.png": data.astronaut,
    "coffee.png": lambda: data.coffee()[:, 50:550],
    "cat.png": data.chelsea,
    "painting.png": sample_painting,
    "cell.png": lambda: data.cell()[80:, :],
    "tissue.png": data.immunohistochemistry,
    "tissue-crop.png": lambda: data.immunohistochemistry()[:256, :256],
    "brick.png": lambda: data.brick()[:256, :256],
    "gravel.png": lambda: data.gravel()[:256, :256],
}


@dataclass(frozen=True)
class Row:
    """A picture of the gallery: inputs and results side by side, and the commands that made them.

    Attributes
    ----------
    name : str
        Of the picture's file.
    title, words : str
        What the page says.
    inputs : tuple of str
        Files to show first.
    made : dict of str to str
        Label → command line after ``napari-nst``, whose ``-o`` names the file.
    columns : int
        How many pictures beside each other.
    height : int
        Of each picture on the page, in pixels.
    """

    name: str
    title: str
    words: str
    inputs: tuple[str, ...]
    made: dict[str, str]
    columns: int = 4
    height: int = 256


def _transfer(name: str) -> str:
    return f"stylize astronaut.png painting.png -o {name}.png --preset {name}"


ROWS = [
    Row(
        "default",
        "Style transfer",
        "The recipe `default` with all its steps at 512 px.",
        ("painting.png",),
        {
            name: f"stylize {name}.png painting.png -o {name}-painting.png --size 512"
            for name in ("coffee", "cat", "astronaut")
        },
        columns=2,
        height=360,
    ),
    Row(
        "weights",
        "From a hint of the style to full paint",
        "Style weight 0.5, 10 (the default) and 40.",
        ("coffee.png",),
        {
            f"style weight {weight}": f"stylize coffee.png painting.png -o weight-{weight}.png "
            f"--style-weight {weight}"
            for weight in (0.5, 10, 40)
        },
        columns=2,
        height=360,
    ),
    Row(
        "transfer",
        "Style transfer, other recipes",
        "The first two recipes are ours; the others are those of published programs and articles, "
        "but for strotss and nnst, which take many minutes: see [quality](quality.md). "
        "They run at 256 px with 200 steps, a fraction of the steps of most publications. Recipes "
        "that were tuned for another network run on `gatys` with converted weights (`--convert`).",
        ("astronaut.png", "painting.png"),
        {
            name: _transfer(name) + " --size 256"
            if name in ("default", "draft")
            else _transfer(name) + " --size 256 --steps 200 --convert"
            for name in preset_names("transfer")
            if name not in ("strotss", "nnst")
        },
        columns=5,
    ),
    Row(
        "textures",
        "Texture synthesis, every recipe",
        "A stained tissue, and textures with its statistics that start from noise.",
        ("tissue-crop.png",),
        {
            name: f"synthesize tissue-crop.png -o {name}.png --preset {name} --size 192"
            + ("" if name == "texture" else " --steps 200 --convert")
            for name in preset_names("texture")
        },
        columns=3,
    ),
    Row(
        "style-losses",
        "Texture synthesis, every style loss",
        "The recipe `texture` with each style loss.",
        ("gravel.png",),
        {
            loss: f"synthesize gravel.png -o gravel-{loss}.png --size 128 --style-loss {loss}"
            for loss in (
                *("gram", "shifted_gram", "centred_gram", "mean_covariance", "wasserstein"),
                *("sliced_wasserstein", "mrf"),
            )
        },
    ),
    Row(
        "seamless",
        "Larger than the exemplar, and seamless",
        "A texture twice as wide as its exemplar, and 3 × 3 tiles of it without a seam.",
        ("brick.png",),
        {
            "192 x 384": "synthesize brick.png -o wall.png --size 192 --shape 192 384 --seamless "
            "--tile-preview tiles.png",
            "3 x 3 tiles": "",
        },
    ),
    Row(
        "layers",
        "What each layer keeps",
        "The content reconstructed from the first convolution of each block, and textures of one "
        "to five layers.",
        (),
        {
            "reconstructions": "reconstruct astronaut.png -o layers.png --size 160 --steps 80 "
            "--compare",
            "textures": "synthesize tissue-crop.png -o cumulative.png --size 160 --steps 80 "
            "--compare cumulative",
        },
        columns=2,
    ),
    Row(
        "reconstructions",
        "Content reconstruction, every recipe",
        "Each run starts from noise and makes an image with the same features at one layer.",
        ("coffee.png",),
        {
            name: f"reconstruct coffee.png -o {name}.png --preset {name} --size 192 --steps 100 "
            "--convert"
            for name in preset_names("reconstruction")
        },
    ),
    Row(
        "colours",
        "Whose colours",
        "The colours of the style, or those of the content by five methods.",
        ("coffee.png", "painting.png"),
        {
            color: f"stylize coffee.png painting.png -o {color}.png --size 256 --color {color}"
            for color in ("style", "luminance", "symmetric", "pca", "cholesky", "histogram")
        },
    ),
    Row(
        "micrograph",
        "Grey stays grey, unless told otherwise",
        "A micrograph of a cell in the style of a stained tissue.",
        ("cell.png", "tissue.png"),
        {
            "auto": "stylize cell.png tissue.png -o grey.png --size 256",
            "rgb": "stylize cell.png tissue.png -o rgb.png --size 256 --channels rgb",
        },
    ),
    Row(
        "styles",
        "Size of the strokes, and two styles at once",
        "Half and twice the size of the strokes, then an equal blend of two styles.",
        (),
        {
            "style scale 0.5": "stylize coffee.png painting.png -o fine.png --size 256 "
            "--style-scale 0.5",
            "style scale 1": "stylize coffee.png painting.png -o usual.png --size 256",
            "style scale 2": "stylize coffee.png painting.png -o coarse.png --size 256 "
            "--style-scale 2",
            "two styles": "stylize coffee.png painting.png tissue.png -o blend.png --size 256 "
            "--style-blend 0.5,0.5",
        },
    ),
]


def main() -> None:
    """Run every command whose picture is missing, and write the page."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "gallery")
    folder.mkdir(exist_ok=True)
    for name, image in INPUTS.items():
        write_image(folder / name, image())
    page = ["# Gallery", "", "Made by `tools/gallery.py`. The inputs come with scikit-image; the "]
    page[-1] += "painting is made by the project."
    for row in ROWS:
        made = {label: _made(folder, command) for label, command in row.made.items() if command}
        if row.name == "seamless":
            made["3 x 3 tiles"] = folder / "tiles.png"
        shown = {Path(name).stem: folder / name for name in row.inputs} | made
        sheet = _sheet(shown, row.columns, row.height)
        sheet.save(DOCS / "images" / f"gallery-{row.name}.jpg", quality=88, subsampling=0)
        page += ["", f"## {row.title}", "", row.words, ""]
        page += [f"![{row.title}](images/gallery-{row.name}.jpg)", ""]
        page += [f"    napari-nst {command}" for command in row.made.values() if command]
    (DOCS / "gallery.md").write_text("\n".join(page) + "\n", encoding="utf-8")


def _made(folder: Path, command: str) -> Path:
    words = shlex.split(command)
    output = folder / words[words.index("-o") + 1]
    if not output.exists():
        print("napari-nst", command, flush=True)
        subprocess.run([NAPARI_NST, *words], cwd=folder, check=True)
    return output


def _sheet(pictures: dict[str, Path], columns: int, height: int) -> Image.Image:
    """Return labelled pictures of one height in rows."""
    font = ImageFont.load_default(14)
    cells = []
    for label, path in pictures.items():
        picture = Image.open(path).convert("RGB")
        width = round(picture.width * height / picture.height)
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
        cell = Image.new("RGB", (width, height + STRIP), "white")
        cell.paste(picture, (0, STRIP))
        ImageDraw.Draw(cell).text((2, 2), label, "black", font)
        cells.append(np.asarray(cell))
    rows = [cells[i : i + columns] for i in range(0, len(cells), columns)]
    widths = [sum(cell.shape[1] + GAP for cell in row) - GAP for row in rows]
    sheet = Image.new("RGB", (max(widths), len(rows) * (height + STRIP + GAP)), "white")
    for y, row in enumerate(rows):
        x = 0
        for cell in row:
            sheet.paste(Image.fromarray(cell), (x, y * (height + STRIP + GAP)))
            x += cell.shape[1] + GAP
    return sheet


if __name__ == "__main__":
    main()
