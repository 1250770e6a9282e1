import pytest
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication, QLabel, QVBoxLayout, QWidget

from napari_nst.viewer.run.status_text import LINES, StatusText
from tests.helpers.counted_events import Counted

pytestmark = pytest.mark.window

LONG = "a sentence that does not fit in a line " * 12


@pytest.fixture
def status(qapp):
    return StatusText("Ready.", "What is happening.")


@pytest.fixture
def column(status, qtbot):
    """A column, as in a dock, with something below the text."""
    column = QWidget()
    rows = QVBoxLayout(column)
    rows.addWidget(status)
    rows.addWidget(QLabel("below"))
    rows.addStretch()
    qtbot.addWidget(column)
    column.resize(320, 600)
    column.show()
    qtbot.waitExposed(column)
    QApplication.processEvents()
    return column


def lines(count):
    return "\n".join(f"line {n}" for n in range(count))


def test_it_says_what_it_is_told(status):
    assert status.text == "Ready."
    status.text = "12/40 · 2.0 it/s"
    assert status.text == "12/40 · 2.0 it/s"
    assert status.toolTip() == "What is happening."


def test_it_is_as_high_as_a_runs_usual_lines_and_grows_beyond(status):
    heights = []
    for count in range(LINES + 3):
        status.text = lines(count)
        heights.append(status.heightForWidth(320))
    assert len(set(heights[: LINES + 1])) == 1
    spacing = status.fontMetrics().lineSpacing()
    assert heights[LINES] >= LINES * spacing
    assert heights[LINES] < heights[LINES + 1] < heights[LINES + 2]


def test_it_wraps_and_never_widens_what_it_is_in(status):
    status.text = LONG
    assert status.minimumSizeHint().width() == status.sizeHint().width() == 0
    assert status.heightForWidth(200) > status.heightForWidth(400) > status.heightForWidth(4000)


def test_a_text_that_is_no_higher_has_nothing_laid_out_anew(status, column):
    layouts = Counted(column, QEvent.Type.LayoutRequest)
    for step in range(5):
        status.text = f"{step}/40 · 2.0 it/s\nloss {step}"
        QApplication.processEvents()
    assert layouts.count == 0
    status.text = LONG
    QApplication.processEvents()
    assert layouts.count > 0


def test_a_long_text_is_seen_whole_and_makes_room_again(status, column):
    [label] = status.findChildren(QLabel)
    below = column.layout().itemAt(1).widget()
    usual, at = status.height(), below.y()
    assert label.size() == status.size()
    status.text = LONG
    QApplication.processEvents()
    assert status.height() > usual
    assert label.size() == status.size()
    assert label.height() >= label.heightForWidth(label.width())
    assert below.y() == at + status.height() - usual
    status.text = "Ready."
    QApplication.processEvents()
    assert (status.height(), below.y()) == (usual, at)
