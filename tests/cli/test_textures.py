"""``synthesize`` and ``reconstruct``, and their comparisons of layers."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_nst.io.embedded_text import read_text
from napari_nst.io.read_image import read_image
from napari_nst.recipe import preset
from tests.helpers.terminal_tools import QUICK, run, the_line

BLOCKS = ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"]


def labels_in(path):
    with tifffile.TiffFile(path) as tiff:
        labels = tiff.imagej_metadata["Labels"]
    return [labels] if isinstance(labels, str) else labels


def test_a_texture_follows_the_texture_preset(images, engine, capsys):
    assert run("synthesize", "style.jpg", "-o", "out.png", "--steps", 2) == 0
    (order,) = engine.orders
    assert order.name == "synthesize"
    assert order.recipe == preset("texture", steps=2)
    assert json.loads(read_text("out.png"))["inputs"]["exemplar"]["name"] == "style.jpg"
    assert "wrote out.png (8 × 6 pixels, 8 bit)." in capsys.readouterr().err


def test_a_texture_has_the_shape_asked_for_and_tiles(images, engine):
    given = ["--shape", 90, 110, "--seamless", "--steps", 1]
    assert run("synthesize", "style.jpg", "deep.tif", "-o", "out.png", *given) == 0
    (order,) = engine.orders
    assert order.scales[-1].shape == (90, 110)
    assert order.recipe.padding == "circular"
    assert len(order.styles) == 2


@pytest.mark.parametrize(
    ("exemplar", "preview", "shape", "dtype"),
    [
        ("style.jpg", "tiles.png", (18, 24, 3), np.uint8),
        ("grey.png", "tiles.jpg", (18, 24), np.uint8),
        ("deep.tif", "tiles.tif", (18, 24, 3), np.uint16),
    ],
)
def test_a_preview_shows_the_texture_beside_itself(
    images, engine, capsys, exemplar, preview, shape, dtype
):
    given = ["--tile-preview", preview, "--steps", 1]
    assert run("synthesize", exemplar, "-o", "out.png", *given) == 0
    tiles = read_image(preview)
    assert (tiles.shape, tiles.dtype) == (shape, dtype)
    assert f"wrote out.png (8 × 6 pixels, {tiles.itemsize * 8} bit) and {preview}." in (
        capsys.readouterr().err
    )


def test_a_transparent_exemplar_may_become_a_jpeg(images, engine):
    assert run("synthesize", "clear.png", "-o", "out.jpg", "--steps", 1) == 0
    assert read_image("out.jpg").shape == (6, 8, 3)


def test_textures_of_layers_become_labelled_pages(images, engine, capsys):
    given = ["--compare", "layers", "--steps", 2, "--log", "run.jsonl"]
    assert run("synthesize", "style.jpg", "-o", "out.tif", *given) == 0
    assert labels_in("out.tif") == BLOCKS
    assert [order.recipe.style_layers for order in engine.orders] == [
        {name: 1.0} for name in BLOCKS
    ]
    record = json.loads(read_text("out.tif"))
    assert record["arguments"] == {"compare": "layers", "layers": BLOCKS}
    assert list(record["pictures"]) == BLOCKS
    assert (record["step"], record["steps"]) == (10, 10)
    lines = [json.loads(line) for line in Path("run.jsonl").read_text().splitlines()]
    assert [line["picture"] for line in lines] == [name for name in BLOCKS for _ in range(2)]
    err = capsys.readouterr().err
    assert "wrote out.tif (5 pictures of 8 × 6 pixels)." in err
    assert "conv5_1: 100%" in err  # the bar


def test_textures_of_cumulative_layers_become_a_grid(images, engine):
    given = ["--compare", "cumulative", "--layers", "conv1_1, relu2_1", "--steps", 1]
    assert run("synthesize", "style.jpg", "-o", "out.png", *given) == 0
    assert engine.orders[-1].recipe.style_layers == {"conv1_1": 0.5, "relu2_1": 0.5}
    record = json.loads(read_text("out.png"))
    assert record["arguments"] == {"compare": "cumulative", "layers": ["conv1_1", "relu2_1"]}
    assert list(record["pictures"]) == ["conv1_1", "to relu2_1"]
    assert max(read_image("out.png").shape) > 8


def test_a_reconstruction_follows_its_preset_and_takes_a_layer(images, engine):
    assert run("reconstruct", "content.png", "-o", "a.png", "--steps", 2) == 0
    assert run("reconstruct", "grey.png", "-o", "b.png", "--layer", "relu3_1", "--steps", 2) == 0
    first, second = engine.orders
    assert first.recipe == preset("reconstruction", steps=2)
    assert second.recipe == preset("reconstruction", steps=2, content_layers={"relu3_1": 1.0})
    assert read_image("b.png").shape == (6, 8)


@pytest.mark.parametrize(("image", "shape"), [("clear.png", (6, 8, 3)), ("grey.png", (6, 8))])
def test_reconstructions_of_layers_become_labelled_pages(images, engine, image, shape):
    given = ["--compare", "--layers", "conv1_1,relu4_2", "--steps", 1]
    assert run("reconstruct", image, "-o", "out.tif", *given) == 0
    assert labels_in("out.tif") == ["conv1_1", "relu4_2"]
    assert tifffile.imread("out.tif").shape == (2, *shape)
    assert [dict(order.recipe.content_layers) for order in engine.orders] == [
        {"conv1_1": 1.0}, {"relu4_2": 1.0},
    ]  # fmt: skip


def test_ctrl_c_keeps_the_pictures_that_are_done(images, engine, capsys):
    engine.stop_after, engine.error = 3, KeyboardInterrupt()
    given = ["--compare", "--steps", 4]
    assert run("reconstruct", "content.png", "-o", "out.tif", *given) == 130
    said = capsys.readouterr().err.splitlines()[-1]
    assert "stopped after step 3 of 20; wrote out.tif (1 picture of 8 × 6 pixels)." in said
    assert labels_in("out.tif") == ["conv1_1"]


TEXTURE, KEPT = (
    ["synthesize", "style.jpg", "-o", "out.png"],
    ["reconstruct", "grey.png", "-o", "o.png"],
)
WRONG = {
    "no exemplar": (["synthesize", "-o", "out.png"], "Missing argument 'EXEMPLAR..."),
    "no image": (["reconstruct", "-o", "out.png"], "Missing argument 'IMAGE'"),
    "no shape": ([*TEXTURE, "--shape", "big", "9"], "not a valid int"),
    "half a shape": ([*TEXTURE, "--shape", "9"], "requires 2 arguments"),
    "no pixels": ([*TEXTURE, "--shape", "0", "9"], "shape must be at least one pixel"),
    "seams asked for": (
        [*TEXTURE, "--seamless", "--padding", "zeros"],
        "--seamless is --padding circular, not zeros; leave out one",
    ),
    "preview is output": ([*TEXTURE, "--tile-preview", "out.png"], "out.png would be overwritten"),
    "preview of no format": ([*TEXTURE, "--tile-preview", "o.gif"], "o.gif must end in .png"),
    "preview of many": (
        [*TEXTURE, "--compare", "layers", "--tile-preview", "t.png"],
        "--compare does not go with --tile-preview; leave out one of them.",
    ),
    "deep pages": ([*TEXTURE, "--compare", "layers", "--depth", "16"], "not go with --depth"),
    "start of many": ([*KEPT, "--compare", "--init-image", "style.jpg"], "with --init-image"),
    "unknown comparison": ([*TEXTURE, "--compare", "steps"], "is not one of 'layers', 'cumu"),
    "layers of one": ([*TEXTURE, "--layers", "conv1_1"], "--layers is what --compare goes through"),
    "no layers": ([*KEPT, "--compare", "--layers", ""], "layers is empty"),
    "unknown layers": ([*KEPT, "--compare", "--layers", "relu9_9"], "no layer 'relu9_9'"),
    "layers twice": ([*KEPT, "--compare", "--layers", "conv1_1,conv_1"], "twice; give each once"),
    "two kinds of layers": (
        [*KEPT, "--compare", "--layer", "relu4_2"],
        "--compare goes through layers; name them with --layers alone.",
    ),
    "layer and layers": (
        [*KEPT, "--layer", "relu4_2", "--content-layers", "relu3_1"],
        "--layer is --content-layers relu4_2, not relu3_1; leave out one",
    ),
    "unknown layer": ([*KEPT, "--layer", "relu9_9"], "no layer 'relu9_9'"),
    "preset of a transfer": ([*TEXTURE, "--preset", "default"], "init is 'content', which a"),
    "preset without content": ([*KEPT, "--preset", "gatys-texture"], "needs some content"),
    "clear jpeg": (["reconstruct", "clear.png", "-o", "o.jpg"], "a JPEG has no alpha channel"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_told_in_one_line_before_anything_is_written(images, engine, capsys, case):
    before = set(Path().rglob("*"))
    arguments, says = WRONG[case]
    assert run(*arguments) == 2
    assert says in the_line(capsys.readouterr())
    assert set(Path().rglob("*")) == before
    assert not engine.orders


@pytest.mark.network
def test_real_textures_and_reconstructions(images):
    assert (
        run("synthesize", "style.jpg", "-o", "t.png", *QUICK, "--shape", 40, 72, "--steps", 2) == 0
    )
    assert read_image("t.png").shape == (40, 72, 3)
    given = ["--compare", "--layers", "relu1_1,relu2_1", *QUICK, "--steps", 2]
    assert run("reconstruct", "grey.png", "-o", "r.tif", *given) == 0
    pages = tifffile.imread("r.tif")
    assert pages.shape == (2, 48, 64)
    assert (pages[0] != pages[1]).any()
