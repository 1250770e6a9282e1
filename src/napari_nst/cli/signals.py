"""Signals that end a run: Ctrl-C, SIGTERM, and SIGHUP when the terminal is closed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from napari_nst.errors import ProcessLost

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP


class SignalReceived(KeyboardInterrupt):
    """A signal asks the program to end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class EndingSignals:
    """Raises an exception for the first signal, but only in blocks that may be interrupted."""

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._waiting = 0  # a signal that arrived outside these blocks
        self._received = 0  # the signal that raised
        self._raises = False

    @contextmanager
    def raised(self) -> Iterator[None]:
        """Raise signals in this block; outside, where files are written, they wait for the next."""
        self._raises = True
        try:
            if self._waiting:
                self.receive(self._waiting)
            yield
        finally:
            self._raises = False

    @property
    def of_system(self) -> bool:
        """Whether a signal other than Ctrl-C has arrived, as when the system shuts down."""
        return (self._received or self._waiting) not in (0, signal.SIGINT)

    def check(self) -> None:
        """Raise again if a signal's exception was lost, as in a destructor or a callback."""
        if self._received:
            raise self._error()

    def receive(self, number: int, _: FrameType | None = None) -> None:
        """Handle a signal."""
        if self._received and number != signal.SIGINT:
            return  # systems that shut down send several
        if not self._raises:
            self._waiting = self._waiting or number
            return
        self._raises, self._received = False, number
        raise self._error()

    def _error(self) -> BaseException:
        if self._processes > 1 and self._received != signal.SIGINT:
            # torchrun sends SIGTERM after another process is lost, and SIGKILL 30 s later.
            return ProcessLost("The launcher has ended this run; one of its processes was lost.")
        return SignalReceived(self._received)


@contextmanager
def ending_signals(processes: int = 1) -> Iterator[EndingSignals]:
    """Handle the signals in a ``with`` block."""
    signals, before = EndingSignals(processes), {}
    if threading.current_thread() is threading.main_thread():  # others may set no handlers
        for number in (getattr(signal, name, None) for name in _NAMES):
            # nohup and shells ignore signals that must not end the program.
            if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, signals.receive)
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
