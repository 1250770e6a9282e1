"""Files with the states of runs: one for each run that goes on, in the cache folder.

The name of a file says which process owns it. If that process has ended, the run is interrupted.
Importing this module does not import torch, so that a widget can look for interrupted runs.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from napari_nst.engine.checkpoint.codec import Encoder, RunState, decode
from napari_nst.engine.distributed import process_count
from napari_nst.engine.steering import Steering
from napari_nst.engine.vgg.weights import cache_folder
from napari_nst.errors import Cancelled
from napari_nst.io.tensor_file import is_intact, read_texts, write_tensor_file
from napari_nst.recipe import Recipe

FORMAT = 1
"""Increased when the meaning of a state changes, so that older versions refuse newer files."""

ENDING = ".safetensors"

SHARE = 20
"""Saving takes at most 1/SHARE of a run's time."""

_ABANDONED = 3600.0  # seconds after which an incomplete file belongs to no process that writes it


@dataclass(frozen=True)
class SavedRun:
    """The state of a run in a file."""

    path: Path
    title: str  # such as "astronaut × painting"
    program: str  # "terminal", "viewer", or another that the caller named
    job: str  # name of the public function
    step: int
    steps: int
    began: float  # seconds since 1970
    saved: float
    shape: tuple[int, int] = (1, 1)  # of the area that the result covers, in pixels of the content
    is_grey: bool = False

    @property
    def label(self) -> str:
        """The run in a few words."""
        began = time.localtime(self.began)
        is_today = began[:3] == time.localtime()[:3]
        when = time.strftime("%H:%M" if is_today else "%d %b, %H:%M", began)
        return f"the run of {when} ({self.title}, step {self.step} of {self.steps})"


def runs_folder() -> Path:
    """Return the folder of the states."""
    return cache_folder() / "runs"


def is_own(path: Path) -> bool:
    """Whether a file is in the folder of the states, and not a copy in another folder."""
    try:
        return path.absolute().parent.samefile(runs_folder())  # links may lead to it
    except OSError:  # there is no folder of states yet
        return False


def interrupted_runs(complain: Callable[[str], object] = lambda _: None) -> list[SavedRun]:
    """Return the runs of this machine whose process has ended, the last saved first.

    `complain` gets a sentence for each file that cannot be read.
    """
    _delete_abandoned(runs_folder())
    found = []
    for path in _files():
        _, machine, pid, created = _owner(path)
        if machine == _machine() and not _is_alive(pid, created):
            try:
                found.append(read_summary(path))
            except ValueError as error:
                complain(str(error))
    return sorted(found, key=lambda run: run.saved, reverse=True)


def read_summary(path: Path) -> SavedRun:
    """Read the summary of a run without arrays; ValueError if the file is no readable state."""
    try:
        texts = read_texts(path)
        number = int(texts["format"])
        if number > FORMAT:
            raise _Newer(f"{path} was written by a newer version of napari-nst; use that version.")
        summary = SavedRun(path, **json.loads(texts["summary"]))
        height, width = map(int, summary.shape)
        summary = replace(summary, title=_printable(summary.title), shape=(height, width))
        numbers = (summary.step, summary.steps, summary.began, summary.saved)
        texts_of = (summary.title, summary.program, summary.job)
        if not all(isinstance(one, str) for one in texts_of) or not all(
            map(math.isfinite, numbers)
        ):
            raise ValueError("The summary has values of other types.")
        _ = summary.label  # raises if the time of the start is none
    except _Newer:
        raise
    except FileNotFoundError:
        raise _gone(path) from None
    except Exception as error:
        raise _unreadable(path, error) from error
    return summary


def read_about(path: Path) -> dict[str, Any]:
    """Read what the caller of a run said about it, without the run; raises as `read_summary`."""
    read_summary(path)
    from safetensors import safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            about = decode(file.metadata()["about"], file.get_tensor)
        return dict(about)
    except Exception as error:
        raise _unreadable(path, error) from error


def read_recipe(path: Path) -> Recipe:
    """Read the recipe of a run, without the run; raises as `read_summary`."""
    read_summary(path)
    try:
        return Recipe.from_json(read_texts(path)["recipe"])
    except Exception as error:
        raise _unreadable(path, error) from error


def read_state(path: Path) -> RunState:
    """Read a whole state; ValueError, in one sentence, if the file is no readable state."""
    read_summary(path)
    from safetensors import safe_open

    try:
        if not is_intact(path):
            raise ValueError("The checksum is wrong.")
        with safe_open(path, framework="pt") as file:
            state = decode(file.metadata()["state"], lambda name: file.get_tensor(name).clone())
        if not isinstance(state, RunState):
            raise ValueError("The file holds another object.")
    except Exception as error:
        raise _unreadable(path, error) from error
    return state


def claim(path: Path) -> Path:
    """Make this process the owner of a state, and return its new path.

    A file outside the folder of the states is a copy, which stays as it is. Raises ValueError if
    the run still goes on, or if another process has claimed it.
    """
    if not is_own(path):
        return _new_path()
    try:
        name, machine, pid, created = _owner(path)
    except ValueError:
        return _new_path()
    if machine == _machine() and _is_alive(pid, created):
        raise ValueError(
            f"{path} is the state of a run that goes on in process {pid}; stop that run, or wait "
            "for its end."
        )
    try:
        return path.rename(_owned(path, name, *_this_process()))
    except FileNotFoundError:
        raise _gone(path) from None
    except OSError as error:
        raise ValueError(f"{path} cannot be renamed: {error.strerror}.") from error


def release(path: Path) -> None:
    """Give up the ownership of a state: its run is interrupted, and can be resumed."""
    with suppress(OSError):
        path.rename(_owned(path, _owner(path)[0], 0, 0))


def discard(path: Path) -> None:
    """Delete the state of an interrupted run; raises ValueError as `claim`."""
    if not is_own(path):
        raise ValueError(f"{path} is not in the folder {runs_folder()}, and is not deleted.")
    try:
        claim(path).unlink()
    except OSError as error:
        raise ValueError(f"{path} cannot be deleted: {error.strerror}.") from error


class Checkpoints:
    """Saves the state of a run from time to time; its ``with`` block lasts as long as the run.

    `path` is the file of a resumed run, which this process owns.
    """

    def __init__(self, steering: Steering, path: Path | None = None) -> None:
        self.steering = steering
        self.path = path
        self.has_yielded = path is None  # whether the caller has an image of the saved step
        self._due = time.monotonic() + steering.save_every
        self._has_told = False

    def save_if_due(self, make_state: Callable[[], RunState]) -> None:
        """Save if the time has come. The user is told of the first failure, and the run goes on."""
        every = self.steering.save_every
        is_due = every > 0 and time.monotonic() >= self._due
        if not is_due or self.steering.stopped or process_count() > 1:
            return
        began = time.monotonic()
        try:
            self._save(make_state())
        except Exception as error:  # noqa: BLE001 - the caller's `about` may raise any
            if not self._has_told:
                self._has_told = True
                self.steering.tell(
                    f"The state of the run is not saved: {_reason(error)} The run goes on, and "
                    f"tries again every {every:g} s."
                )
        ended = time.monotonic()
        self._due = ended + max(every, SHARE * (ended - began))

    def _save(self, state: RunState) -> None:
        about, encoder = self.steering.about, Encoder()
        about = dict(about() if callable(about) else about)
        summary = {
            "title": str(about.get("title", state.job.name)),
            "program": str(about.get("program", "Python")),
            "job": state.job.name,
            "step": state.step,
            "steps": state.steps,
            "began": state.began,
            "saved": time.time(),
            "shape": state.job.covered_shape,
            "is_grey": state.job.shows_grey,
        }
        texts = {
            "format": str(FORMAT),
            "summary": json.dumps(summary),
            "recipe": state.job.recipe.to_json(),
            "about": encoder.text(about),
            "state": encoder.text(state),
        }
        path = self.path or _new_path()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _delete_abandoned(path.parent)
        write_tensor_file(path, encoder.blocks, texts)
        self.path = path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self.path is None:
            return
        has_failed = isinstance(error, Exception) and not isinstance(error, Cancelled)
        # The caller has no image of a resumed run before its first iteration.
        if has_failed or self.steering.keeps_state or not self.has_yielded:
            release(self.path)
        else:
            self.steering.run_ended(self.path)


def _reason(error: Exception) -> str:
    """Return a sentence that says why a state is not saved."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}."
    if isinstance(error, MemoryError) and not str(error):
        return "There is not enough memory."
    text = str(error)
    return text if text.endswith(".") else f"{type(error).__name__}: {text}."


class _Newer(ValueError):
    """A file of a later version."""


def _printable(text: str) -> str:
    """Return a text without characters that command a terminal."""
    return "".join(one if one.isprintable() else "?" for one in text)


def _files() -> list[Path]:
    """Return the files whose names are those of states."""
    with suppress(OSError):
        return [path for path in runs_folder().iterdir() if _has_owner(path)]
    return []


def _has_owner(path: Path) -> bool:
    with suppress(ValueError):
        return bool(_owner(path))
    return False


def _owner(path: Path) -> tuple[str, str, int, int]:
    """Return name, machine, process and its time of creation; ValueError for another file name."""
    if path.suffix != ENDING:
        raise ValueError(f"{path} does not have the name of a state.")
    name, machine, pid, created = path.stem.split(".")
    return name, machine, int(pid), int(created)


def _owned(path: Path, name: str, pid: int, created: int) -> Path:
    return path.with_name(f"{name}.{_machine()}.{pid}.{created}{ENDING}")


def _new_path() -> Path:
    return _owned(runs_folder() / "new", uuid.uuid4().hex, *_this_process())


def _this_process() -> tuple[int, int]:
    return os.getpid(), int(psutil.Process().create_time())


def _machine() -> str:
    """Return a short name of this machine, because several may share a home folder."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _is_alive(pid: int, created: int) -> bool:
    """Whether a process still exists; its number may belong to another process by now."""
    if not pid:
        return False
    try:
        process = psutil.Process(pid)
        # The times differ a little if the clock was set in between. A zombie has ended, but its
        # parent has not asked for its exit status.
        is_same = abs(process.create_time() - created) < 5
        return is_same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:  # the process exists, but belongs to another user
        return True


def _delete_abandoned(folder: Path) -> None:
    """Delete incomplete files that were being written when their process ended."""
    for part in folder.glob(".napari-nst-*.part"):
        with suppress(OSError):
            if time.time() - part.stat().st_mtime > _ABANDONED:
                part.unlink()


def _gone(path: Path) -> ValueError:
    if not _has_owner(path):
        return ValueError(f"There is no file {path}; 'napari-nst resume --list' shows the states.")
    return ValueError(f"{path} is gone: its run was resumed elsewhere, or discarded.")


def _unreadable(path: Path, error: Exception) -> ValueError:
    if isinstance(error, OSError) and error.strerror:
        return ValueError(f"{path} cannot be read: {error.strerror}.")
    return ValueError(f"{path} is damaged, or is not the state of a run; nothing was read of it.")
