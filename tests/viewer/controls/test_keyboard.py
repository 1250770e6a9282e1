"""Every control can be reached with the keyboard and says what it is, in both themes."""

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
)

from napari_nst.viewer.controls.form import NARROWEST

pytestmark = pytest.mark.window

TITLES = ["Style Transfer", "Texture Synthesis", "Content Reconstruction"]
KINDS = (QAbstractButton, QAbstractItemView, QAbstractSpinBox, QComboBox, QLineEdit)


def controls_of(widget):
    """All that a user sets or presses; not the parts that Qt makes these of."""
    found = [one for kind in KINDS for one in widget.native.findChildren(kind)]
    return [one for one in dict.fromkeys(found) if not is_part(one)]


def is_part(control):
    """Whether it belongs to a box, such as its line of text and the list that drops down."""
    above = control.parent()
    while above is not None and not isinstance(above, (QAbstractSpinBox, QComboBox)):
        above = above.parent()
    return above is not None


@pytest.mark.parametrize("title", TITLES)
def test_all_have_a_name_and_take_the_focus(dock, title):
    controls = controls_of(dock(title))
    assert len(controls) > 30
    for control in controls:
        text = control.text() if isinstance(control, QAbstractButton) else ""
        name = control.accessibleName() or text
        assert name, f"{control} has no name"
        assert control.focusPolicy() & Qt.FocusPolicy.TabFocus, f"{name} is passed over"
        assert control.toolTip(), f"{name} does not say what it does"


@pytest.mark.parametrize("title", TITLES)
def test_nothing_is_cut_in_a_narrow_dock(dock, title):
    widget = dock(title)
    assert widget.panel.native.minimumSizeHint().width() <= NARROWEST
    widget.panel.brush.native.show()
    widget.panel.brush.level.hide()  # there is a colour, or a level
    widget.panel.going_on.native.show()
    for row in (widget.panel.brush.native, widget.panel.going_on.native):
        assert row.minimumSizeHint().width() <= NARROWEST


@pytest.mark.parametrize("title", TITLES)
def test_it_fits_the_screen_of_a_laptop(dock, title):
    widget = dock(title)
    for section in widget.sections.values():
        section.button.click()
    widget.panel.losses.unfold_once()
    widget.panel.brush.native.show()
    widget.panel.going_on.native.show()
    # A window of 768 pixels has about 680 for a dock.
    assert widget.native.minimumSizeHint().height() <= 680
