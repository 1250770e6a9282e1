"""Style targets in the Style Transfer widget, in a real window with a fake optimizer."""

import numpy as np
import pytest

import napari_nst as nst

pytestmark = pytest.mark.window


def target_of(value):
    colours = np.full((4, 3), value, np.float16)
    return nst.StyleTarget(nst.preset("default"), (), (8, 8), False, "", {"colours": colours})


@pytest.fixture
def files(tmp_path):
    return [str(target_of(value).save(tmp_path / name)) for value, name in ((0, "a"), (1, "b"))]


def test_a_file_is_the_style_instead_of_the_layers(widget, optimiser, finish, files):
    state = optimiser(steps=1)
    widget.style_target.value = files[0]
    assert not widget.style.enabled
    finish(widget)
    [style] = state.got["style"]
    assert style.sha256 == nst.StyleTarget.load(files[0]).sha256
    assert widget.result.name == "cells × a"
    widget.style_target.value = ""
    finish(widget)
    assert widget.style.enabled
    assert isinstance(state.got["style"][0], np.ndarray)


def test_mix_weighs_two_targets_and_steers(widget, optimiser, until, files):
    state = optimiser(steps=100_000)
    widget.style_target.value, widget.second_target.value = files
    widget.mix.value = 0.25
    widget.start()
    until(lambda: state.made > 3)
    assert state.recipe.style_blend == (0.75, 0.25)
    assert [one.name for one in state.got["style"]] == files
    widget.mix.value = 0.5
    until(lambda: any(one.fields.get("style_blend") == (0.5, 0.5) for one in state.changes))
    widget.second_target.value = ""
    until(lambda: any(one.fields.get("style_blend") == () for one in state.changes))
    last = next(one for one in reversed(state.changes) if one.styles is not None)
    assert [one.name for one in last.styles()] == files[:1]
    widget.stop.native.click()
    until(lambda: not widget.running)


def test_a_missing_file_and_guides_are_named(viewer, widget, optimiser, files):
    optimiser(steps=1)
    widget.style_target.value = f"{files[0]}x"
    widget.start()
    assert "ax does not exist" in widget.status_text.replace(".safetensors", "")
    labels = viewer.add_labels(np.ones(viewer.layers["cells"].data.shape[:2], int))
    widget.style_target.value, widget.content_guide.value = files[0], labels
    widget.start()
    assert not widget.running
    assert "Guides" in widget.status_text


@pytest.mark.parametrize("all_slices", [False, True])
def test_layers_are_saved_as_a_target_which_is_then_chosen(
    viewer, widget, until, monkeypatch, tmp_path, all_slices
):
    seen = {}

    def from_images(images, recipe, progress):
        progress("measuring image 1", 0, len(images))
        seen.update(means=[float(np.mean(one)) for one in images], recipe=recipe)
        return target_of(1)

    monkeypatch.setattr(nst.StyleTarget, "from_images", from_images)
    stack = np.stack([np.full((32, 32), value, np.uint8) for value in (0, 51, 255)])
    layer = viewer.add_image(stack, name="stack", contrast_limits=(0, 255))
    widget.style.value, widget.all_slices.value = layer, all_slices
    viewer.dims.set_current_step(0, 1)
    widget.size.value = 96
    widget.save_target(tmp_path / "stain.safetensors")
    until(lambda: not widget.targets.busy)
    assert seen["means"] == pytest.approx([0, 0.2, 1] if all_slices else [0.2])
    assert seen["recipe"].size == 96
    assert widget.style_target.value == str(tmp_path / "stain.safetensors")
    assert nst.StyleTarget.load(widget.style_target.value).shape == (8, 8)


def test_an_error_while_it_is_made_is_shown(viewer, widget, until, monkeypatch, tmp_path):
    def from_images(*_, **__):
        raise ValueError("`style_loss='mrf'` compares whole images.")

    monkeypatch.setattr(nst.StyleTarget, "from_images", from_images)
    widget.save_target(tmp_path / "stain.safetensors")
    until(lambda: not widget.targets.busy)
    assert "Style loss mrf compares whole images" in widget.status_text
    assert not widget.style_target.value
