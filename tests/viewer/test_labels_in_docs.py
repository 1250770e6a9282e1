"""The pages name controls, buttons and sections by the labels that the window shows."""

import re
from pathlib import Path

import pytest
import yaml
from napari.components import ViewerModel
from qtpy.QtWidgets import QCheckBox, QComboBox, QLabel, QPushButton

import napari_nst
from napari_nst.viewer.content_reconstruction import ContentReconstruction
from napari_nst.viewer.docks.files import StylizeFiles
from napari_nst.viewer.docks.solid import SolidTexture
from napari_nst.viewer.docks.training_data import TrainingData
from napari_nst.viewer.statistics.widget import StatisticsWidget
from napari_nst.viewer.style_transfer import StyleTransfer
from napari_nst.viewer.texture_synthesis import TextureSynthesis

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES.remove(ROOT / "docs" / "performance.md")  # begins paragraphs with their subject in italics
NAMED = re.compile(r"(?<!\*)\*([A-Z][^*▸]*)\*(?!\*)")
"""A name in italics with a capital letter, as controls have it; no path of menus."""


def texts_of(widget):
    """The texts of buttons, labels and drop-downs."""
    kinds = (QPushButton, QCheckBox, QLabel)
    texts = {one.text().strip("▸▾ ") for kind in kinds for one in widget.findChildren(kind)}
    for box in widget.findChildren(QComboBox):
        texts |= {box.itemText(index) for index in range(box.count())}
    return texts


@pytest.fixture(scope="module")
def shown(qapp):
    """All that the widgets show."""
    texts = {"Resume"}
    for make in (StyleTransfer, TextureSynthesis, ContentReconstruction):
        widget = make(ViewerModel())
        texts |= texts_of(widget.native)
        entries = [action.text() for action in widget.settings_menu.menu().actions()]
        texts |= {text.replace("this layer", "…") for text in entries}
    for dock in (StatisticsWidget, SolidTexture, TrainingData, StylizeFiles):
        texts |= texts_of(dock(ViewerModel()))
    manifest = yaml.safe_load(
        (Path(napari_nst.__file__).with_name("napari.yaml")).read_text("utf-8")
    )
    parts = manifest["contributions"]
    texts |= {one["display_name"] for one in parts["widgets"]}
    texts |= {one["title"] for one in parts["configurations"]["compute"]["properties"].values()}
    return texts


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_names_in_italics_are_labels(page, shown):
    text = re.sub(
        r"```.*?```|^    .*?$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    named = {" ".join(name.split()) for name in NAMED.findall(text)}
    assert not named - shown
