"""How often something happens to a widget."""

from qtpy.QtCore import QObject


class Counted(QObject):
    """Counts the events of one type that a widget gets."""

    def __init__(self, widget, kind):
        super().__init__(widget)
        self.kind, self.count = kind, 0
        widget.installEventFilter(self)

    def eventFilter(self, watched, event):
        self.count += event.type() == self.kind
        return False
