"""Guides and fillings from the terminal: files of labels."""

import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_nst.io.embedded_text import read_text
from napari_nst.io.read_image import read_image, read_labels
from tests.helpers.terminal_tools import run, the_line

HALVES = np.where(np.arange(96) < 48, 1, 2) * np.ones((72, 1), int)
HOLE = np.zeros((72, 96), np.uint8)
HOLE[20:50, 30:60] = 255
GOOD = ["content.png", "style.jpg", "-o", "out.png", "--steps", 1]


@pytest.fixture
def labels(images):
    Image.fromarray(HALVES.astype(np.uint8)).save("guide.png")
    Image.fromarray(np.arange(1, 81, dtype=np.uint8).repeat(80).reshape(80, 80) // 41 + 1).save(
        "style_guide.png"
    )
    Image.fromarray(HOLE).save("hole.png")
    Image.fromarray(HOLE > 0).save("bits.png")
    tifffile.imwrite("guide.tif", HALVES.astype(np.int32))
    paletted = Image.fromarray(HALVES.astype(np.uint8), mode="P")
    paletted.putpalette([0, 0, 0, 250, 3, 9, 7, 200, 100])
    paletted.save("palette.png")


def test_guides_reach_the_engine(labels, engine):
    assert run("stylize", *GOOD, "--guide", "guide.png", "--style-guide", "style_guide.png") == 0
    (order,) = engine.orders
    np.testing.assert_array_equal(order.guides.content, HALVES)
    np.testing.assert_array_equal(order.guides.styles[0][:, 0] == 1, np.arange(80) < 40)
    assert order.keep_outside is None
    record = json.loads(read_text("out.png"))
    assert record["arguments"]["guide"] == {"labels": [1, 2], "shape": [72, 96]}


def test_each_style_has_a_guide_or_none_has(labels, engine):
    given = ["content.png", "style.jpg", "style.jpg", "-o", "out.png", "--guide", "guide.png"]
    guides = ["--style-guide", "style_guide.png"] * 2
    assert run("stylize", *given, *guides, "--steps", 1) == 0
    assert run("stylize", *given, "--steps", 1) == 0
    assert [len(order.guides.styles) for order in engine.orders] == [2, 2]
    assert engine.orders[1].guides.styles == (None, None)


def test_unlabelled_pixels_are_kept_at_their_own_size(labels, engine):
    assert run("stylize", *GOOD, "--guide", "hole.png", "--keep-unlabelled") == 0
    (order,) = engine.orders
    assert order.recipe.size == 0
    assert order.scales[-1].shape == (72, 96)
    np.testing.assert_array_equal(order.keep_outside.mask, HOLE > 0)


def test_what_is_too_small_is_said_before_the_run(labels, engine, capsys):
    speck = HALVES.copy()
    speck[4:7, 4:7] = 9
    tifffile.imwrite("speck.tif", speck.astype(np.uint8))
    assert run("stylize", *GOOD, "--guide", "speck.tif", "--size", 96) == 0
    said = capsys.readouterr().err
    assert "napari-nst: Regions of guide are too small for some layers, and left out: l" in said
    assert "Warning" not in said


def test_a_region_is_filled(labels, engine):
    given = ["--into", "content.png", "--region", "hole.png", "-o", "out.png", "--steps", 1]
    assert run("synthesize", "style.jpg", *given) == 0
    assert run("synthesize", *given) == 0
    with_exemplar, without = engine.orders
    assert list(with_exemplar.images) == ["into", "exemplar"]
    assert list(without.images) == ["into"]
    for order in engine.orders:
        np.testing.assert_array_equal(order.keep_outside.mask, HOLE > 0)
        assert order.keep_outside.picture.shape == (72, 96)
    assert json.loads(read_text("out.png"))["inputs"]["into"]["name"] == "content.png"


def test_a_region_of_the_exemplar_is_taken(labels, engine):
    given = ["--into", "style.jpg", "--region", "style_guide.png", "-o", "out.png", "--steps", 1]
    options = ["--exemplar-region", "bits.png"]
    tifffile.imwrite("part.tif", (np.arange(6400).reshape(80, 80) < 3200).astype(np.uint8))
    given[3] = "part.tif"
    assert run("synthesize", "content.png", *given, *options) == 0
    (order,) = engine.orders
    assert order.arguments == {"filled_pixels": 3200, "exemplar_pixels": 900}


def test_what_was_filled_is_filled_again_with_its_region(labels, engine, capsys):
    given = ["--into", "content.png", "--region", "hole.png", "-o", "out.png", "--steps", 1]
    assert run("synthesize", "style.jpg", *given) == 0
    capsys.readouterr()
    assert run("synthesize", "--like", "out.png", "-o", "again.png") == 2
    assert "out.png was made with labels, which it does not hold; give --region" in the_line(
        capsys.readouterr()
    )
    again = ["--like", "out.png", "-o", "again.png", "--region", "hole.png"]
    assert run("synthesize", *again) == 0
    first, second = engine.orders
    assert first.recipe == second.recipe
    assert first.scales == second.scales
    np.testing.assert_array_equal(first.keep_outside.mask, second.keep_outside.mask)


def test_what_was_guided_is_made_again_with_its_guide(labels, engine, capsys):
    assert run("stylize", *GOOD, "--guide", "guide.png") == 0
    capsys.readouterr()
    assert run("stylize", "--like", "out.png", "-o", "again.png") == 2
    assert "does not hold; give --guide again." in the_line(capsys.readouterr())
    assert run("stylize", "--like", "out.png", "-o", "again.png", "--guide", "guide.tif") == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["stylize", *GOOD, "--guide", "no.png"], "no.png: No such file"),
        (["stylize", *GOOD, "--guide", "style.jpg"], "style.jpg is a JPEG, which changes the"),
        (["stylize", *GOOD, "--guide", "content.png"], "content.png is in colour; save labels"),
        (["stylize", *GOOD, "--guide", "hole.png", "--style-guide", "bits.png"], "style_guides mu"),
        (["stylize", *GOOD, "--guide", "style_guide.png"], "guide must be as large as the content"),
        (["stylize", *GOOD, "--style-guide", "style_guide.png"], "style_guides needs labels of"),
        (["stylize", *GOOD, "--keep-unlabelled"], "keep_unlabelled needs labels of the content"),
        (
            ["stylize", *GOOD, "--keep-unlabelled", "--size", "64", "--guide", "hole.png"],
            "--keep-unlabelled is --size 0, not 64; leave out one of them.",
        ),
        (["stylize", *GOOD[:2], "-o", "hole.png", "--guide", "hole.png"], "hole.png"),
        (["synthesize", "-o", "out.png", "--region", "hole.png"], "Missing argument"),
        (["synthesize", "style.jpg", "-o", "out.png", "--region", "hole.png"], "region is for"),
        (["synthesize", "-o", "out.png", "--into", "content.png"], "into needs a region to fill"),
        (
            ["synthesize", "-o", "o.png", "--into", "content.png", "--region", "hole.png",
             "--shape", "64", "64"],
            "shape is that of into",
        ),
        (
            ["synthesize", "-o", "o.png", "--into", "content.png", "--region", "hole.png",
             "--seamless"],
            "padding is 'circular', but a filled region has borders",
        ),
        (
            ["synthesize", "-o", "o.png", "--into", "content.png", "--region", "hole.png",
             "--compare", "layers"],
            "--compare does not go with --into; leave out one of them.",
        ),
        (
            ["synthesize", "-o", "o.jpg", "--into", "clear.png", "--region", "hole.png"],
            "o.jpg: a JPEG has no alpha channel",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_a_line(labels, engine, capsys, arguments, told):
    assert run(*arguments) == 2
    assert told in the_line(capsys.readouterr())
    assert not engine.orders


@pytest.mark.parametrize(
    ("name", "expected"),
    [("guide.png", HALVES), ("guide.tif", HALVES), ("palette.png", HALVES), ("bits.png", HOLE > 0)],
)
def test_labels_are_read_as_they_are(labels, name, expected):
    np.testing.assert_array_equal(read_labels(name), expected)


def test_no_labels_are_found_in_floats_or_several_pages(images):
    tifffile.imwrite("floats.tif", np.zeros((5, 6), np.float32))
    tifffile.imwrite("pages.tif", np.zeros((2, 5, 6), np.uint8))
    for name in ("floats.tif", "pages.tif"):
        with pytest.raises(ValueError, match=f"^{name} holds no labels; save one page of whole"):
            read_labels(name)


@pytest.mark.network
def test_a_filled_file_is_the_same_outside(labels):
    given = ["--into", "content.png", "--region", "hole.png", "-o", "out.png", "--steps", 2]
    assert run("synthesize", *given, "--device", "cpu") == 0
    outside = HOLE == 0
    np.testing.assert_array_equal(
        read_image("out.png")[outside], read_image("content.png")[outside]
    )
