"""The plugin as napari sees it."""

import subprocess
import sys
from pathlib import Path

import npe2
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]

WIDGETS = ("Style Transfer", "Texture Synthesis", "Content Reconstruction")
DOCKS = ("Texture Statistics", "Solid Texture", "Training Data", "Stylize Files")
MENUS = {
    "napari/plugins": (*WIDGETS, *DOCKS),
    "napari/layers/filter": (*WIDGETS, "Solid Texture", "Training Data"),
    "napari/layers/measure": ("Texture Statistics",),
}


def test_the_manifest_names_things_that_exist():
    manifest = npe2.PluginManifest.from_distribution("napari-nst")
    manifest.validate_imports()
    assert manifest.display_name == "Neural Style Transfer"


def test_the_manifest_at_the_root_is_the_packaged_one():
    packaged = ROOT / "src" / "napari_nst" / "napari.yaml"
    assert (ROOT / "napari.yaml").read_text() == packaged.read_text()


@pytest.mark.window
def test_every_widget_is_in_the_menus(make_napari_viewer):
    viewer = make_napari_viewer()
    from napari._app_model import get_app_model

    menus = get_app_model().menus
    titles = {}
    for menu, widgets in MENUS.items():
        titles[menu] = list(titles_in(menu, menus))
        for widget in widgets:
            assert any(widget in title for title in titles[menu]), titles
    assert viewer.window is not None


def titles_in(menu, menus):
    """What can be chosen in a menu and those that open from it."""
    for item in menus.get_menu(menu) if menu in menus else []:
        if hasattr(item, "command"):
            yield item.command.title
        else:
            yield from titles_in(item.submenu, menus)


@pytest.mark.window
@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("content_and_style", ["astronaut", "painting"]),
        ("micrograph_and_tissue", ["cell", "stained tissue"]),
        ("textures", ["gravel", "grass", "brick"]),
    ],
)
def test_samples_open_without_a_network(make_napari_viewer_proxy, key, names):
    viewer = make_napari_viewer_proxy()
    viewer.open_sample("napari-nst", key)
    assert [layer.name for layer in viewer.layers] == names
    assert all(np.ptp(layer.data) > 0 for layer in viewer.layers)


def test_opening_the_widgets_imports_no_torch():
    code = """
import sys
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication
app = QApplication([])
from napari_nst.viewer.content_reconstruction import ContentReconstruction
from napari_nst.viewer.style_transfer import StyleTransfer
from napari_nst.viewer.texture_synthesis import TextureSynthesis
for widget in (StyleTransfer, TextureSynthesis, ContentReconstruction):
    kept = widget(ViewerModel())
    kept.preset.value = kept.preset.choices[-1]
from napari_nst.viewer.statistics.widget import StatisticsWidget
from napari_nst.viewer.docks.solid import SolidTexture
from napari_nst.viewer.docks.training_data import TrainingData
also_kept = [make(ViewerModel()) for make in (StatisticsWidget, SolidTexture, TrainingData)]
sys.exit("torch" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_preferences_have_a_page(plugin_preferences):
    compute = plugin_preferences.compute
    assert (compute.device, compute.precision, compute.preview_rate) == ("auto", "auto", 15)
    with pytest.raises(ValueError, match="device"):
        compute.device = "abacus"


def test_the_cache_folder_is_the_users_to_choose(plugin_preferences, monkeypatch, tmp_path):
    from napari_nst.engine.vgg import weights
    from napari_nst.engine.vgg.weights import cache_folder
    from napari_nst.viewer.settings.preferences import apply_cache_folder

    monkeypatch.setattr(weights, "_preferred_folder", "")  # and so again after this test
    monkeypatch.setenv("NAPARI_NST_HOME", "")
    usual = cache_folder()
    for chosen, used in [
        (tmp_path / "a", tmp_path / "a"),
        (tmp_path / "b", tmp_path / "b"),
        ("", usual),
    ]:
        plugin_preferences.compute.cache_folder = str(chosen)
        apply_cache_folder()
        assert cache_folder() == used
    monkeypatch.setenv("NAPARI_NST_HOME", str(tmp_path / "environment"))
    plugin_preferences.compute.cache_folder = str(tmp_path / "a")
    apply_cache_folder()
    assert cache_folder() == tmp_path / "environment", "the environment overrides"
