"""The examples of docs/python.md run, with few steps of an untrained network."""

import re
from pathlib import Path

import pytest
from PIL import Image

from napari_nst.engine.job import build
from napari_nst.engine.run import run as engine_run
from napari_nst.io.image_files.read_image import read_image
from tests.helpers.small_images import CONTENT, STYLE

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


@pytest.fixture(autouse=True)
def _small(monkeypatch, tmp_path, untrained):
    checked = build.checked_recipe
    monkeypatch.setattr(engine_run, "load", lambda *_: untrained)
    monkeypatch.setattr(
        build, "checked_recipe", lambda *given: checked(*given).replace(steps=2, size=32)
    )
    monkeypatch.chdir(tmp_path)
    Image.fromarray(CONTENT).save("photo.png")
    Image.fromarray(STYLE).save("painting.png")


def test_the_examples_run_one_after_the_other():
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    variables = {}
    for block in blocks:
        exec(block, variables)
    assert len(blocks) > 4
    assert variables["picture"].shape == (32, 32, 3)
    assert variables["picture"].dtype == CONTENT.dtype
    assert read_image("painted.png").shape == (32, 32, 3)
    assert variables["run"].last.losses["contrast"] > 0
