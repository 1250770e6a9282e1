"""A stack in the terminal, slice by slice into a zarr folder."""

import os
import signal

import numpy as np
import pytest
import tifffile
import zarr

from napari_nst.cli import stack
from tests.engine.conftest import untrained, untrained_file  # noqa: F401
from tests.helpers.terminal_tools import run

SERIES = np.random.default_rng(0).integers(0, 256, (2, 3, 2, 40, 48), np.uint8)  # T, Z, C, Y, X
LAYERS = ["--content-layers", "relu2_1:1", "--style-layers", "relu1_1:1"]
QUICK = ["--size", "32", "--min-size", "0", "--refine-share", "0", "--device", "cpu", *LAYERS]


@pytest.fixture
def command(images, untrained_file):  # noqa: F811
    tifffile.imwrite("a.ome.tif", SERIES, ome=True, metadata={"axes": "TZCYX"})
    return [
        "stylize", "a.ome.tif", "style.jpg", "-o", "out.zarr", "--weights", untrained_file,
        "--steps", "2", *QUICK,
    ]  # fmt: skip


def test_every_slice_is_written_with_the_axes_of_the_file(command, capsys):
    chosen = ["--axis", "z", "--slices", "z=1:", "--slices", "t=1", "--channel", "2"]
    assert run(*command, *chosen) == 0
    assert "2 of 2 slices are in out.zarr" in capsys.readouterr().err
    group = zarr.open_group("out.zarr", mode="r")
    assert [a["name"] for a in group.attrs["ome"]["multiscales"][0]["axes"]] == [*"tzcyx"]
    assert group["0"].shape == (1, 2, 1, 27, 32)
    record = group.attrs["napari-nst"]
    assert record["arguments"]["slices"] == {"t": [1, 2, 1], "z": [1, 3, 1], "c": [1, 2, 1]}
    assert record["inputs"]["style"]["path"].endswith("style.jpg")


def test_the_result_is_that_of_python(command, untrained_file):  # noqa: F811
    import napari_nst as nst

    chosen = ["--axis", "t", "--slices", "z=0", "--rgb-channels", "1,2,1"]
    assert run(*command, "--slices", "t=:", *chosen, "--temporal", "5", "--warm-steps", "1") == 0
    record = zarr.open_group("out.zarr", mode="r").attrs["napari-nst"]
    result = nst.stylize_stack(
        SERIES, "style.jpg", nst.Recipe.from_dict(record["recipe"]), axes=0,
        slices={1: 0}, channel_axis=2, channel=(0, 1, 0), temporal=5.0, warm_steps=1,
    ).result(progress=False)  # fmt: skip
    # Names of axes differ, so that colours are elsewhere.
    np.testing.assert_array_equal(np.moveaxis(zarr.open("out.zarr/0"), 1, 0), result)


def test_the_same_command_goes_on_after_ctrl_c(command, capsys, monkeypatch):
    bar = stack.ProgressBar.slice_step

    def interrupted(self, step):
        bar(self, step)
        if step.done == 2:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(stack.ProgressBar, "slice_step", interrupted)
    command += ["--axis", "z", "--slices", "t=0", "--channel", "1"]
    assert run(*command) == 130
    assert "2 of 3 slices" in capsys.readouterr().err
    monkeypatch.setattr(stack.ProgressBar, "slice_step", bar)
    assert run(*command) == 0
    assert run(*command, "--style-weight", "3") == 2
    assert "--output is out.zarr" in capsys.readouterr().err


def test_slices_are_reconstructed_too(images, untrained_file):  # noqa: F811
    tifffile.imwrite("a.tif", SERIES[0, :, 0], photometric="minisblack")
    arguments = ["--steps", "1", "--weights", untrained_file, "--size", "32", "--device", "cpu"]
    assert run("reconstruct", "a.tif", "-o", "out.zarr", "--layer", "relu2_1", *arguments) == 0
    assert zarr.open("out.zarr/0").shape == (3, 27, 32)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--axis", "q"], "--axis"),
        (["--slices", "0:9"], "--slices"),
        (["--slices", "z=0:9", "--slices", "3"], "--slices"),
        (["--channel", "3"], "--channel"),
        (["--rgb-channels", "1,2"], "--channel"),
        (["--rgb-channels", "a,b,c"], "--rgb-channels"),
        (["--rgb-channels", "1,2,1", "--channel", "1"], "--rgb-channels"),
        (["--channel-axis", "q"], "--channel-axis"),
        (["--temporal", "1", "--warm-steps", "0"], "--temporal"),
        (["--scheduler", "tcp://127.0.0.1:1", "--workers", "2"], "tcp://127.0.0.1:1"),
        (["--log", "log.jsonl"], "--log"),
        (["--depth", "16"], "--depth"),
        (["--page", "1"], "--page"),
        (["--guide", "style.jpg"], "--guide"),
        (["--init-image", "style.jpg"], "--init-image"),
        (["--limits", "auto"], "--limits"),
        (["-o", "out.png"], "--axis"),
        (["-o", "gone/out.zarr"], "gone"),
    ],
)
def test_wrong_arguments_are_named_before_anything_is_written(
    command, capsys, monkeypatch, arguments, named
):
    from napari_nst.stacks import workers

    monkeypatch.setattr(workers, "_PATIENCE", 0.1)
    usual = {"--axis": "z", "--slices": "t=0"}
    given = [word for pair in usual.items() if pair[0] not in arguments for word in pair]
    assert run(*command, *given, *arguments) in (1, 2)
    assert named in capsys.readouterr().err
    assert not os.path.exists("out.zarr")


def test_options_of_a_stack_need_a_stack(command, capsys):
    command[command.index("out.zarr")] = "out.png"
    assert run(*command, "--slices", "0:2") == 2
    assert "--slices" in capsys.readouterr().err
