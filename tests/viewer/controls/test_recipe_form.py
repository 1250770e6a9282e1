"""The controls of a recipe, and number boxes."""

import dataclasses

import pytest
from magicgui.widgets import CheckBox
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_nst.recipe import CONTROLS, DEFAULT_PRESETS, Recipe, preset, preset_names, published
from napari_nst.recipe.sections import UNUSED
from napari_nst.viewer.controls.form import NumberBox
from napari_nst.viewer.controls.recipe_form import STARTS, RecipeControls

pytestmark = pytest.mark.usefixtures("qapp")


@pytest.fixture
def controls():
    assert QApplication.instance() is not None
    return RecipeControls("transfer")


@pytest.mark.parametrize("job", STARTS)
def test_new_controls_have_the_jobs_default_preset(job):
    assert RecipeControls(job).recipe == preset(DEFAULT_PRESETS[job])


@pytest.mark.parametrize("job", STARTS)
def test_controls_return_every_preset_exactly(job):
    controls = RecipeControls(job)
    assert list(controls.preset.choices) == preset_names(job)
    # Twice: what one preset leaves behind must not show in the next.
    for name in (*preset_names(job), *preset_names(job)):
        controls.preset.value = name
        assert controls.recipe == preset(name)
        assert published(name).summary in controls.preset.tooltip


def test_every_control_has_its_tooltip_and_bounds(controls):
    names = set()
    for name, control in CONTROLS.items():
        widget = controls.fields[name]
        assert widget.tooltip == control.help
        names.add(widget.text if isinstance(widget, CheckBox) else widget.label)
        if isinstance(widget, NumberBox):
            assert widget.min == control.minimum
    assert len(names) == len(CONTROLS), "two controls are called the same"
    assert {field.name for field in dataclasses.fields(Recipe)} == {"name", *controls.fields}


# ── texts ────────────────────────────────────────────────────────────────────────────────────


def test_layers_and_blends_can_be_typed(controls):
    controls.fields["content_layers"].value = "conv_9, relu5_1:0.25"
    controls.fields["style_blend"].value = "0.7 0.3"
    assert controls.recipe.content_layers == {"conv4_1": 1.0, "relu5_1": 0.25}
    assert controls.recipe.style_blend == (0.7, 0.3)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("content_layers", "relu4_9", "relu4_9"),
        ("style_layers", "relu1_1:x", "style_layers.* relu4_2:1"),
        ("style_layers", "relu1_1, relu1_1:2", "style_layers.* relu1_1 twice"),
        ("style_blend", "a lot", "style_blend.* 0.7, 0.3"),
        ("style_blend", "0, 0", "style_blend.* 0 "),
    ],
)
def test_a_wrong_text_raises_the_recipes_error(controls, name, text, sentence):
    controls.fields[name].value = text
    with pytest.raises(ValueError, match=sentence):
        _ = controls.recipe


# ── what matters when ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "off", "on"),
    [
        ("init_noise", {"init": "noise"}, {"init": "mix"}),
        ("noise", {"init": "content"}, {"init": "noise"}),
        ("noise_spread", {"init": "style"}, {"init": "mix"}),
        ("noise_spread", {"init": "noise", "noise": "matched"}, {"noise": "uniform"}),
        ("projections", {"style_loss": "gram"}, {"style_loss": "sampled_wasserstein"}),
        ("patch_size", {"style_loss": "gram"}, {"style_loss": "mrf"}),
        ("patch_size", {"style_loss": "gram"}, {"terms": '[{"style_loss": "mrf"}]'}),
        ("hypercolumns", {"style_loss": "gram"}, {"phases": '[{"style_loss": "remd"}]'}),
        ("epsilon", {"terms": '[{"style_loss": "mrf"}]'}, {"phases": '[{"optimizer": "adam"}]'}),
        ("tv_exponent", {"tv_weight": 0}, {"tv_weight": 1}),
        ("scale_ratio", {"min_size": 0}, {"min_size": 64}),
        ("rescale_pooling", {"pooling": "max"}, {"pooling": "average"}),
        ("rescale_pooling", {"pooling": "max"}, {"phases": '[{"pooling": "l2"}]'}),
        ("history", {"optimizer": "adam"}, {"phases": '[{"optimizer": "lbfgs"}]'}),
        ("beta1", {"optimizer": "lbfgs"}, {"optimizer": "adam"}),
    ],
)
def test_a_control_without_effect_is_disabled(controls, name, off, on):
    controls.fields["phases"].value = ""
    for enabled, values in [(False, off), (True, on)]:
        for field, value in values.items():
            controls.fields[field].value = value
        assert controls.fields[name].enabled is enabled


def test_only_norms_of_the_style_loss_are_offered(controls):
    controls.fields["style_loss"].value = "gram"
    controls.fields["style_norm"].value = "per_element"
    controls.fields["style_loss"].value = "mrf"
    assert set(controls.fields["style_norm"].choices) == {"relative", "mean", "sum"}
    assert controls.recipe.style_norm == "relative"


@pytest.mark.parametrize("job", STARTS)
def test_a_job_offers_its_own_fields_and_starts(job):
    controls = RecipeControls(job)
    assert tuple(controls.fields["init"].choices) == STARTS[job]
    assert set(controls.used).isdisjoint(UNUSED[job])
    assert set(CONTROLS) - set(controls.used) - set(UNUSED[job]) <= {"style_blend"}
    for name in ("size", "steps", "seed", "device", "tv_weight", "weights", "padding"):
        assert name in controls.used


# ── numbers ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (8.0, "8"), (0.001, "0.001"), (1e9, "1e9"), (2.5e8, "2.5e8"), (1e-8, "1e-8"),
        (12.345678, "12.34568"), (2**0.5, "1.414214"), (0.003 * 0.226, "0.000678"),
    ],
)  # fmt: skip
def test_numbers_are_shown_rounded_and_kept_exactly(number, shown):
    box = NumberBox(name="box", min=0.0, max=1e15, step=0.5)
    box.value = number
    assert box.native.text() == shown
    QTest.keyClick(box.native, Qt.Key.Key_Return)
    assert box.value == number, "what nobody changed stays, also where it is shown rounded"


@pytest.mark.parametrize(
    ("typed", "number"), [("0.05", 0.05), ("0,5", 0.5), ("2e-4", 2e-4), ("1E9", 1e9), ("x3-e", 3.0)]
)
def test_numbers_can_be_typed_in_any_notation(typed, number):
    box = NumberBox(name="box", min=0.0, max=1e15, step=0.5)
    box.native.selectAll()
    QTest.keyClicks(box.native, typed)
    QTest.keyClick(box.native, Qt.Key.Key_Return)
    assert box.value == number


def test_steps_add_up_without_rounding_errors():
    box = NumberBox(name="box", min=0.0, max=1.0, step=0.1)
    for _ in range(3):
        box.native.stepUp()
    assert box.value == 0.3
    for _ in range(20):
        box.native.stepUp()
    assert box.value == 1.0
