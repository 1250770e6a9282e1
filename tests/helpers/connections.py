"""What of the plugin is connected to a viewer and its layers, and which of its timers run."""

from napari.utils.events import EmitterGroup
from qtpy.QtCore import QTimer


def connections(*groups: EmitterGroup) -> list[str]:
    """Return the events of these groups that call a living object of the plugin, each per call."""
    found = []
    for group in groups:
        for name, emitter in group.emitters.items():
            for callback in emitter.callbacks if emitter is not None else ():
                owner = callback[0]() if isinstance(callback, tuple) else callback
                module = getattr(owner, "__module__", None) or type(owner).__module__
                if module.startswith("napari_nst"):
                    found.append(f"{name}: {callback}")
    return found


def running_timers(widget) -> list[QTimer]:
    """Return the timers below a widget that are running."""
    return [timer for timer in widget.native.findChildren(QTimer) if timer.isActive()]
