"""Hostile records in pictures: the run is made again, or refused in one sentence."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_nst.io.image_files.embedded_text import read_text
from napari_nst.io.image_files.write_image import write_image
from tests.helpers.terminal_tools import run

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["/", "..", "\0", "content.png", "~", "a\nb", "full", "[1,2]"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)  # fmt: skip
ARGUMENTS = [
    "limits", "compare", "layers", "shape", "pixel_sizes", "sweep", "guide", "filled_pixels",
    "exemplar_pixels",
]  # fmt: skip


def places_in(value, at=()):
    """Yield the path of every value in nested dicts and lists."""
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items if isinstance(value, (dict, list)) else ():
        yield from places_in(inner, (*at, key)) if isinstance(inner, (dict, list)) else [(*at, key)]


def replaced(record, place, value):
    record = json.loads(json.dumps(record))
    inner = record
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return record


MADE_BY = {
    "stylize": ["content.png", "style.jpg", "deep.tif", "--limits", "auto"],
    "synthesize": ["style.jpg", "--shape", 40, 50],
    "reconstruct": ["grey.png", "--compare", "--layers", "relu1_1,relu2_1"],
    "sweep": ["content.png", "style.jpg", "--vary", "style_weight=2,4"],
}


@pytest.mark.parametrize("command", MADE_BY)
@settings(max_examples=50, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_record_of_odd_values_is_used_or_refused_in_one_sentence(
    images, engine, capsys, command, data
):
    if not Path("made.png").exists():
        assert run(command, *MADE_BY[command], "-o", "made.png", "--steps", 1) == 0
    record = json.loads(read_text("made.png"))
    places = [place for place in places_in(record) if place]
    places += [("arguments", name) for name in ARGUMENTS]
    places += [("inputs", role, "limits") for role in record["inputs"]]
    changed = replaced(record, data.draw(st.sampled_from(places)), data.draw(VALUES))
    write_image("odd.png", np.zeros((6, 8, 3)), text=json.dumps(changed))
    before = set(Path().rglob("*"))
    capsys.readouterr()
    status = run(command, "--like", "odd.png", "-o", "again.png", "--steps", 1)
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert status in (0, 2)
    if status:
        assert said.startswith("napari-nst: ")
        assert said.count("\n") == 1
    assert set(Path().rglob("*")) - before <= {Path("again.png")}
    Path("again.png").unlink(missing_ok=True)


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 100_000, "1" * 10_000, "\ud7ff" * 9])
def test_text_that_is_no_record_is_named(images, capsys, text):
    write_image("odd.png", np.zeros((6, 8, 3)), text=text)
    assert run("stylize", "--like", "odd.png", "-o", "again.png") == 2
    assert "odd.png" in capsys.readouterr().err
