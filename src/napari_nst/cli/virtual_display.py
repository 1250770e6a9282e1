"""A display where there is none: the same command again, under Xvfb."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from typing import NoReturn

from napari_nst.errors import NstError

_IN_XVFB = "NAPARI_NST_IN_XVFB"
"""Environment variable that says to a program that it has been started anew already."""


def is_missing() -> bool:
    """Whether this is a Linux machine, or one like it, without a display to open windows on."""
    if sys.platform in ("win32", "darwin"):
        return False
    return not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def restart_in_xvfb(arguments: Sequence[str]) -> NoReturn:
    """Become ``napari-nst`` with these arguments, on a virtual display of 1920 × 1080 pixels.

    Raises
    ------
    NstError
        If there is nothing to make a virtual display with.
    """
    if os.environ.get(_IN_XVFB):
        raise NstError("xvfb-run did not make a display; try it by hand: xvfb-run -a xdpyinfo.")
    if not (shutil.which("xvfb-run") and shutil.which("xauth")):
        raise NstError(
            "There is no display, and no xvfb-run to make one; install the Debian packages xvfb "
            "and xauth."
        )
    screen = ["xvfb-run", "-a", "-s", "-screen 0 1920x1080x24"]
    command = [*screen, sys.executable, "-m", "napari_nst", *arguments]
    os.execvpe(command[0], command, {**os.environ, _IN_XVFB: "1"})
