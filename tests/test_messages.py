"""One message, in the words of Python, of the terminal and of the window."""

import click
import pytest

from napari_nst import preset
from napari_nst.cli import terminal
from napari_nst.cli.commands.jobs import synthesize
from napari_nst.recipe import CONTROLS
from napari_nst.recipe.grid import Cell, Grid

WRAPPED = "`padding='circular'` is set, but `into` has borders. Set `padding='replicate'`."


@pytest.fixture
def command():
    with click.Context(synthesize) as context:
        yield context


def test_the_terminal_names_options_and_arguments_of_the_command(command):
    told = terminal.in_options("`exemplar 2`, `size`, `into`, `recipe` and `content_weight`")
    assert told == "EXEMPLAR 2, --size, --into, --preset and content_weight"
    told = terminal.in_options("`line_search=True` is set. Set `line_search=False`.")
    assert "--line-search is" in told
    assert "--no-line-search" in told


def test_the_terminal_names_the_option_that_implied_a_value(command):
    assert "--padding circular is" in terminal.in_options(WRAPPED)
    command.meta[terminal.IMPLIED] = {"padding": "--seamless"}
    told = terminal.in_options(WRAPPED)
    assert "--padding" not in told
    assert told.count("--seamless") == 2


def test_the_window_names_labels_and_check_boxes():
    from napari_nst.viewer.words import in_window

    told = in_window(WRAPPED)
    assert told.startswith("Seamless is on, but Fill in")
    assert told.endswith("Untick Seamless.")
    told = in_window("`size` or `style_weight`; set `init='noise'`, or set `line_search=True`.")
    assert told == "Size or Style weight; set Start from to noise, or tick L-BFGS line search."
    assert in_window("`size` is wrong.", "texture") == "Exemplar size is wrong."


def test_headings_of_sweeps_name_fields_in_other_words():
    cell = Cell("size 96 · steps 20", caption="size 96 · steps 20")
    named = Grid(("size 96",), ("steps 20",), (cell,)).in_words(str.upper)
    assert (named.rows, named.columns) == (("SIZE 96",), ("STEPS 20",))
    assert named.cells[0].label == named.cells[0].caption == "SIZE 96 · STEPS 20"


@pytest.mark.parametrize("name", ["size", "style_layers", "style_blend", "terms", "init"])
def test_messages_about_a_field_mark_its_name(name):
    with pytest.raises((TypeError, ValueError), match=f"`{name}`"):
        CONTROLS[name].checked(name, object())


def test_entries_of_a_field_are_named_as_they_are_written():
    with pytest.raises(ValueError, match=r"`terms`, entry 1: style_weight "):
        preset(terms=[{"style_weight": -1}])
