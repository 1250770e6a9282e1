"""The dialog that asks where to write a file."""

from __future__ import annotations

from collections.abc import Container, Mapping
from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QWidget


def ask_for_path(
    parent: QWidget, caption: str, name: str, suffixes: Mapping[str, str], known: Container[str]
) -> Path | None:
    """Ask where to write a file; return None if the dialog was cancelled.

    `suffixes` has the suffix of each format in the dialog, the suggested one first. A name whose
    suffix is not `known` gets that of the chosen format; raises ValueError if that file exists,
    because the dialog has asked about another one.
    """
    suggested = next(iter(suffixes.values()))
    answer, chosen = QFileDialog.getSaveFileName(
        parent, caption, name.replace("/", "-") + suggested, ";;".join(suffixes)
    )
    if not answer:
        return None
    typed, suffix = Path(answer), suffixes.get(chosen, suggested)
    if typed.suffix.lower() == suggested:
        # Qt's own dialog does not change the suffix when the user chooses another format.
        path = typed.with_suffix(suffix) if suffix != suggested else typed
    elif typed.suffix.lower() in known:
        path = typed
    else:
        path = typed.with_name(typed.name + suffix)
    if path != typed and path.exists():
        raise ValueError(f"{path.name} exists; type that name with its suffix to replace it.")
    return path
