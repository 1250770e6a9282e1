"""The commands of the command palette, with their keys: run, pause, continue, stop and undo."""

from __future__ import annotations

from typing import Any, Protocol
from weakref import WeakSet

import napari.viewer
import npe2
from napari.components import ViewerModel
from napari.utils.notifications import show_info


class Commanded(Protocol):
    """What the commands need of a widget."""

    viewer: Any
    panel: Any
    changes: Any
    run: Any

    @property
    def native(self) -> Any:
        """Its Qt widget."""

    @property
    def running(self) -> bool:
        """Whether a run goes on or is paused."""

    def start(self) -> Any:
        """Start a run."""


_PLUGIN = "napari-nst"
_NO_WIDGET = "Open a widget of Neural Style Transfer first, in the menu Plugins."

_widgets: WeakSet[Commanded] = WeakSet()


def offer(widget: Commanded, viewer: ViewerModel) -> None:
    """Let the commands reach a widget, and bind the manifest's keys in its viewer."""
    _widgets.add(widget)
    # napari reads all of a manifest but its key bindings.
    manager = npe2.PluginManager.instance()
    try:
        bindings = manager.get_manifest(_PLUGIN).contributions.keybindings or []
    except KeyError:  # the plugin is not installed
        return
    for binding in bindings:
        command = binding.command
        viewer.bind_key(binding.key, lambda v, command=command: _BY_ID[command](v), overwrite=True)


def run(viewer: napari.viewer.Viewer) -> None:
    """Start a run, as the button Run does."""
    widget = _addressed(viewer)
    if widget is None:
        show_info(_NO_WIDGET)
    elif widget.run.enabled:
        widget.start()


def pause_or_continue(viewer: napari.viewer.Viewer) -> None:
    """Pause the run that goes on, or continue it."""
    for widget in _running(viewer)[:1]:
        widget.panel.toggle_pause()


def stop(viewer: napari.viewer.Viewer) -> None:
    """Stop the run, which keeps its last image."""
    for widget in _running(viewer)[:1]:
        widget.panel.stop()


def undo(viewer: napari.viewer.Viewer) -> None:
    """Undo the last change of the settings."""
    widget = _addressed(viewer)
    if widget is not None:
        widget.changes.undo_last()


def compare(viewer: napari.viewer.Viewer) -> None:
    """Show the result beside the image that it was made from, or the result alone again."""
    widgets = _there(viewer)
    able = [one for one in widgets if one.panel.before_after.is_possible]
    if not widgets:
        show_info(_NO_WIDGET)
    for widget in [*able, *widgets][:1]:
        widget.panel.before_after.toggle()


_BY_ID = {
    f"{_PLUGIN}.run": run,
    f"{_PLUGIN}.pause": pause_or_continue,
    f"{_PLUGIN}.stop": stop,
    f"{_PLUGIN}.undo": undo,
    f"{_PLUGIN}.compare": compare,
}
"""Identifier in the manifest → function."""


def _there(viewer: Any) -> list[Commanded]:
    """Return the widgets of a viewer, those that the user sees first."""
    model = getattr(viewer, "__wrapped__", viewer)
    own = [
        one
        for one in _widgets
        if not one.panel.closed and getattr(one.viewer, "__wrapped__", one.viewer) is model
    ]
    return sorted(own, key=lambda one: not _is_seen(one))


def _is_seen(widget: Commanded) -> bool:
    native = widget.native
    return bool(native.isVisible() and not native.visibleRegion().isEmpty())


def _running(viewer: Any) -> list[Commanded]:
    return [one for one in _there(viewer) if one.running]


def _addressed(viewer: Any) -> Commanded | None:
    return next(iter([*_running(viewer), *_there(viewer)]), None)
