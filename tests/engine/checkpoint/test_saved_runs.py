"""Files of states: whole or not at all, owned by one process, and refused if they are damaged."""

import dataclasses
import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from napari_nst.engine.checkpoint import saved_runs
from napari_nst.engine.checkpoint.codec import Encoder, RunState, decode
from napari_nst.engine.checkpoint.saved_runs import (
    Checkpoints,
    claim,
    discard,
    interrupted_runs,
    read_about,
    read_recipe,
    read_state,
    read_summary,
    release,
    runs_folder,
)
from napari_nst.engine.job.build import order_to_stylize, order_to_synthesize
from napari_nst.engine.steering import Steering
from napari_nst.io.tensor_file import read_texts, write_tensor_file
from napari_nst.recipe import Recipe
from tests.helpers.terminal_tools import SOURCES

RNG = np.random.default_rng(0)
RECIPE = Recipe(content_layers={"relu1_1": 1}, style_layers={"relu1_1": 1}, size=0, min_size=0)
IMAGE = RNG.random((32, 32, 3)).astype(np.float32)
LABELS = np.ones((32, 32), int)
LABELS[:, 16:] = 2


def state_of(job, **changes):
    fields = {
        "job": job, "index": 0, "taken": 2, "began": 1e9, "step": 2, "seconds": 1.5,
        "seconds_left": 3.0, "earlier": (0, 0.0), "steered": [{"after_step": 1}], "resumed": [],
        "estimate": {}, "weights": "gatys", "machine": {}, "planner": {"free": 1}, "tile": 0,
        "losses": {"total": 0.1}, "objective": {"random": [torch.arange(5, dtype=torch.uint8)]},
        "optimizer": {"past": torch.full((2, 3), 1.5, dtype=torch.bfloat16), "lr": 1 / 3},
    }  # fmt: skip
    return RunState(**{**fields, **changes})


@pytest.fixture(scope="module")
def state():
    guided = order_to_stylize(
        IMAGE, [IMAGE, 1 - IMAGE], RECIPE.replace(style_blend=(1, 2)), guide=LABELS,
        keep_unlabelled=True, pixel_sizes=(1, 2, 3),
    )  # fmt: skip
    return state_of(guided)


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_NST_HOME", str(tmp_path))


def saved(state, **about):
    """Save a state, and return its file."""
    steering = Steering(save_every=1e-9, about=about)
    checkpoints = Checkpoints(steering)
    time.sleep(1e-3)
    checkpoints.save_if_due(lambda: state)
    return checkpoints.path


def assert_equal(own, other):
    assert type(own) is type(other)
    if dataclasses.is_dataclass(own):
        for field in dataclasses.fields(own):
            assert_equal(getattr(own, field.name), getattr(other, field.name))
    elif isinstance(own, dict):
        assert own.keys() == other.keys()
        for key in own:
            assert_equal(own[key], other[key])
    elif isinstance(own, (list, tuple)):
        assert len(own) == len(other)
        for one, another in zip(own, other, strict=True):
            assert_equal(one, another)
    elif isinstance(own, (np.ndarray, torch.Tensor)):
        assert own.dtype == other.dtype
        assert own.shape == other.shape
        assert bool((own == other).all())
    elif hasattr(own, "metadata"):
        assert vars(own).keys() == vars(other).keys()
    else:
        assert own == other


def test_a_state_is_read_as_it_was_saved(state):
    array = RNG.integers(0, 9, (2, 3), np.uint16)
    about = {"title": "a", "array": array, "of": [(1, None), {3: "x"}]}
    path = saved(state, **about)
    assert_equal(read_state(path), state)
    assert_equal(read_about(path), about)
    assert read_recipe(path) == state.job.recipe
    summary = read_summary(path)
    assert (summary.title, summary.job, summary.step, summary.steps) == (
        "a",
        "stylize",
        2,
        RECIPE.steps,
    )
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700  # it holds the user's images


def test_a_filled_region_is_read_as_it_was_saved():
    job = order_to_synthesize(None, RECIPE.replace(init="noise"), into=IMAGE, region=LABELS == 2)
    found = read_state(saved(state_of(job))).job
    assert_equal(found.guides, job.guides)
    assert_equal(found.keep_outside, job.keep_outside)
    assert found.styles is found.inpainting.styles
    assert found.differences(job) == {}


def test_shared_arrays_are_stored_once(state):
    encoder = Encoder()
    encoder.text(state)
    assert state.job.keep_outside.picture is state.job.content
    sizes = [block.nbytes for block in encoder.blocks.values() if block.dtype == "F32"]
    assert len(sizes) == 3  # the content and two styles
    text = encoder.text({"a": IMAGE, "b": [IMAGE]})
    found = decode(text, dict.fromkeys(encoder.blocks, IMAGE).__getitem__)
    assert found["a"] is found["b"][0]


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", np.array(["text"]), os.getcwd])
def test_what_is_no_plain_data_is_not_saved_and_the_run_goes_on(value, state):
    said = []
    checkpoints = Checkpoints(Steering(said.append, save_every=1e-9, about={"is": value}))
    for _ in range(2):
        time.sleep(1e-3)
        checkpoints.save_if_due(lambda: state)
        checkpoints._due = 0
    assert len(said) == 1
    assert not checkpoints.path


def test_an_about_that_fails_does_not_end_the_run(state):
    own = {}
    own["own"] = own
    for about, reason in [
        (lambda: 1 / 0, "ZeroDivisionError: division by zero. The run"),
        (lambda: None, "TypeError: 'NoneType' object is not iterable. The run"),
        (own, "RecursionError"),
    ]:
        said = []
        checkpoints = Checkpoints(Steering(said.append, save_every=1e-9, about=about))
        time.sleep(1e-3)
        checkpoints.save_if_due(lambda: state)
        assert reason in said[0]


def refused(path):
    with pytest.raises(ValueError, match=r"^[^\n]+\.$"):
        read_state(path)


@given(data=st.data())
@bounded(max_examples=60)
def test_a_damaged_file_is_refused(data, state_bytes, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "damaged.safetensors"
    at = data.draw(st.integers(0, len(state_bytes) - 1))
    flipped = bytearray(state_bytes)
    flipped[at] ^= data.draw(st.integers(1, 255))
    length = data.draw(st.integers(0, 2**64 - 1)).to_bytes(8, "little")
    path.write_bytes(
        data.draw(
            st.sampled_from(
                [bytes(flipped), state_bytes[:at], state_bytes + b"\0", length + state_bytes[8:]]
            )
        )
        if data.draw(st.integers(0, 9))
        else data.draw(st.binary(max_size=300))
    )
    refused(path)


@pytest.fixture(scope="module")
def state_bytes(state, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("NAPARI_NST_HOME", str(tmp_path_factory.mktemp("home")))
        return saved(state).read_bytes()


KINDS = st.sampled_from(
    ["Job", "RunState", "Recipe", "InputImage", "Scale", "Inpainting", "Guides", "slice", "tuple",
     "dict", "array", "tensor", "os.system", "eval", "builtins.open", "Path", "torch.load"]
)  # fmt: skip
TREES = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.just("0"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KINDS, inner, max_size=2),
    max_leaves=8,
)


@given(
    tree=TREES,
    whole=st.booleans(),
    key=st.sampled_from([field.name for field in dataclasses.fields(RunState)]),
)
@bounded(max_examples=60)
def test_a_file_with_a_right_checksum_constructs_named_classes_alone(
    tree, whole, key, state, tmp_path_factory
):
    encoder = Encoder()
    content = json.loads(encoder.text(state))
    content["RunState"][key] = tree
    if whole:
        content = tree
    texts = {"format": "1", "state": json.dumps(content)}
    summary = {"title": "t", "program": "p", "job": "j"} | dict.fromkeys(
        ("step", "steps", "began", "saved"), 1
    )
    path = tmp_path_factory.getbasetemp() / "forged.safetensors"
    write_tensor_file(path, encoder.blocks, texts | {"summary": json.dumps(summary)})
    if whole:
        refused(path)
        return
    try:
        found = read_state(path)
    except ValueError:
        return
    assert type(getattr(found, key)) is type(getattr(state, key)) or isinstance(tree, int)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"format": "2"}, "newer"),
        ({"format": "1"}, "damaged"),
        ({"format": "one"}, "damaged"),
        ({}, "damaged"),
        ({"format": "1", "summary": "[" * 100_000}, "damaged"),
        ({"format": "1", "summary": "{}", "state": "{}"}, "damaged"),
    ],
)
def test_newer_and_foreign_files_are_refused(texts, said, tmp_path):
    path = tmp_path / "other.safetensors"
    write_tensor_file(path, {}, texts)
    for read in (read_summary, read_state, read_about, read_recipe):
        with pytest.raises(ValueError, match=rf"^[^\n]*{said}[^\n]*\.$"):
            read(path)


def test_titles_command_no_terminal(state):
    path = saved(state, title="a\x1b]0;b\x07\nc")
    assert read_summary(path).title.isprintable()
    assert "title" in read_texts(path)["about"]


# Owners


def test_a_state_has_one_owner(state):
    path = saved(state)
    assert interrupted_runs() == []
    with pytest.raises(ValueError, match="goes on"):
        claim(path)
    with pytest.raises(ValueError, match="goes on"):
        discard(path)
    release(path)
    (run,) = interrupted_runs()
    taken = claim(run.path)
    assert interrupted_runs() == []
    for act in (claim, discard, read_summary, read_state):
        with pytest.raises(ValueError, match="resumed elsewhere"):
            act(run.path)
    release(taken)
    (run,) = interrupted_runs()
    discard(run.path)
    assert not list(runs_folder().iterdir())


def test_of_two_processes_one_gets_the_state(state, tmp_path):
    release(saved(state))
    (run,) = interrupted_runs()
    code = (
        "import sys, time, pathlib\n"
        "from napari_nst.engine.checkpoint.saved_runs import claim\n"
        "sys.stdin.readline()\n"
        "try:\n    claim(pathlib.Path(sys.argv[1]))\n"
        "except ValueError:\n    print('refused', flush=True)\n"
        "else:\n    print('claimed', flush=True)\n"
        "sys.stdin.readline()\n"
    )
    env = {**os.environ, "PYTHONPATH": str(SOURCES)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(run.path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env,
        )
        for _ in range(2)
    ]  # fmt: skip
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    said = sorted(process.stdout.readline().strip() for process in processes)
    assert said == ["claimed", "refused"]
    assert interrupted_runs() == []  # its owner lives
    for process in processes:
        process.communicate("\n")
    (left,) = interrupted_runs()
    assert left.path != run.path


def test_states_of_another_machine_are_not_offered(state, monkeypatch):
    path = saved(state)
    monkeypatch.setattr(saved_runs.platform, "node", lambda: "another")
    assert interrupted_runs() == []
    claim(path)  # its owner cannot be asked; who names the file knows


def test_a_process_number_that_is_used_again_is_no_owner(state):
    path = saved(state)
    name, machine, pid, created = path.stem.split(".")
    path.rename(path.with_name(f"{name}.{machine}.{pid}.{int(created) - 100}.safetensors"))
    assert len(interrupted_runs()) == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows has no zombies")
def test_a_zombie_is_no_owner(state):
    path = saved(state)
    name, machine, *_ = path.stem.split(".")
    ended = subprocess.Popen([sys.executable, "-c", ""])  # its status is not asked for
    try:
        created = int(psutil.Process(ended.pid).create_time())
        path.rename(path.with_name(f"{name}.{machine}.{ended.pid}.{created}.safetensors"))
        while psutil.Process(ended.pid).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        (run,) = interrupted_runs()
        claim(run.path)
    finally:
        ended.wait()


def test_a_state_is_recognised_however_its_folder_is_spelt(state, tmp_path, monkeypatch):
    path = saved(state)
    link = tmp_path / "link"
    link.symlink_to(runs_folder(), target_is_directory=True)
    monkeypatch.chdir(runs_folder())
    for folder in (link, runs_folder() / ".." / "runs", Path("."), Path("../runs")):
        with pytest.raises(ValueError, match="goes on"):
            claim(folder / path.name)
    release(path)
    (run,) = interrupted_runs()
    discard(Path("../runs") / run.path.name)
    assert not list(runs_folder().iterdir())


def test_a_missing_file_is_said_to_be_missing():
    with pytest.raises(ValueError, match="There is no file nothing"):
        read_state(Path("nothing"))


# Disks


def test_a_full_disk_is_told_once_and_the_last_state_remains(state, small_disk, monkeypatch):
    monkeypatch.setenv("NAPARI_NST_HOME", str(small_disk))
    said = []
    checkpoints = Checkpoints(Steering(said.append, save_every=1e-9))
    later = dataclasses.replace(state, step=3, taken=3)
    checkpoints.save_if_due(lambda: state)
    with pytest.raises(OSError, match="No space"):
        (small_disk / "other").write_bytes(bytes(2**20))
    for _ in range(3):
        checkpoints._due = 0
        checkpoints.save_if_due(lambda: later)
    assert len(said) == 1
    assert read_state(checkpoints.path).step == 2
    assert list(runs_folder().iterdir()) == [checkpoints.path]
    (small_disk / "other").unlink()
    checkpoints._due = 0
    checkpoints.save_if_due(lambda: later)
    assert read_state(checkpoints.path).step == 3


def test_a_folder_that_cannot_be_written_is_told_once_and_tried_again(state, tmp_path):
    said = []
    runs_folder().write_text("a file in the place of the folder")
    checkpoints = Checkpoints(Steering(said.append, save_every=1e-9))
    for _ in range(3):
        checkpoints._due = 0
        checkpoints.save_if_due(lambda: state)
    assert len(said) == 1
    assert str(runs_folder()) in said[0]
    assert interrupted_runs() == []
    runs_folder().unlink()
    checkpoints._due = 0
    checkpoints.save_if_due(lambda: state)
    assert_equal(read_state(checkpoints.path), state)


def test_saving_takes_a_small_share_of_the_time(state):
    checkpoints, saves = Checkpoints(Steering(save_every=1e-9)), []

    def slow():
        saves.append(time.monotonic())
        time.sleep(0.05)
        return state

    checkpoints.save_if_due(slow)
    checkpoints.save_if_due(slow)
    assert len(saves) == 1
    assert checkpoints._due - time.monotonic() > 0.05 * saved_runs.SHARE * 0.9


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_an_interval_that_is_none_is_refused(seconds):
    with pytest.raises(ValueError, match="save_every"):
        Steering(save_every=seconds)


def test_incomplete_files_of_killed_processes_are_deleted(state):
    folder = runs_folder()
    folder.mkdir()
    old, new = (folder / f".napari-nst-{name}.part" for name in ("old", "new"))
    for part in (old, new):
        part.write_bytes(b"part")
    os.utime(old, (0, 0))
    saved(state)
    assert not old.exists()
    assert new.exists()  # another process may be writing it
    assert Path(folder).is_dir()
