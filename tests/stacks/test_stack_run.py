"""A stack from its first slice to its last, also after a crash and with slices that fail."""

import signal
import subprocess
import sys
import weakref

import numpy as np
import pytest
import zarr

import napari_nst as nst
from napari_nst.stacks.motion import sized
from napari_nst.stacks.source import Stack, array_axes
from tests.helpers import killed_stack

KNOWN = "napari-nst"


class Lazy:
    """A stack that is read slice by slice, and which fails as a test wants."""

    def __init__(self, pixels):
        self.pixels, self.shape, self.dtype = pixels, pixels.shape, pixels.dtype
        self.read, self.failing, self.alive = [], {}, weakref.WeakSet()
        self.most_alive = 0

    def __getitem__(self, index):
        self.read.append(index[0])
        if self.failing.get(index[0], 0) and len(self.read) > 1:
            self.failing[index[0]] -= 1
            raise OSError("the disk is gone")
        plane = np.array(self.pixels[index]).view(_Plane)
        self.alive.add(plane)
        self.most_alive = max(self.most_alive, len(self.alive))
        return plane

    def stack(self):
        return Stack("cells", self, array_axes("zyx", self.shape), False)


class _Plane(np.ndarray):
    """An array that a weak set can hold."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__


def steps_of(run):
    return [(one.label, one.steps) for one in run if one.finished]


def test_later_slices_start_from_the_one_before_and_take_fewer_steps(stack, style, quick, tmp_path):
    run = nst.stylize_stack(stack, style, quick(steps=10), slices="1:4", out=tmp_path / "a.zarr")
    assert steps_of(run) == [("z=1", 10), ("z=2", 3), ("z=3", 3)]
    assert run.array.shape == (3, 27, 32)
    assert run.done == 3
    before = np.asarray(run.array[0]) / np.float32(255)
    change = np.diff([sized(one / np.float32(255), (27, 32)) for one in stack[1:3]], axis=0)[0]
    alone = nst.stylize(
        stack[2], style, quick(steps=3, init="image"), init_image=(before + change).clip(0, 1)
    ).result(progress=False)  # fmt: skip
    np.testing.assert_array_equal(run.array[1], alone)


def test_with_no_warm_steps_each_slice_is_as_if_it_were_alone(stack, style, quick):
    result = nst.stylize_stack(stack, style, quick(), warm_steps=0, slices="2:4").result(False)
    alone = nst.stylize(stack[3], style, quick()).result(progress=False)
    np.testing.assert_array_equal(result[1], alone)


def test_the_result_has_the_calibration_of_the_content(stack, style, quick, tmp_path):
    from napari.layers import Image

    layer = Image(
        stack.astype(np.uint16) * 16, scale=(2, 0.5, 0.5), translate=(10, 0, 0), name="cells",
        axis_labels=("z", "y", "x"), units=("um",) * 3, contrast_limits=(0, 4095),
    )  # fmt: skip
    nst.stylize_stack(layer, style, quick(steps=1), slices="1:6:2", out=tmp_path / "a.zarr").result(
        False
    )
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")
    (image,) = group.attrs["ome"]["multiscales"]
    assert [(a["name"], a["type"], a["unit"]) for a in image["axes"]] == [
        (name, "space", "micrometer") for name in "zyx"
    ]
    scale, translation = image["datasets"][0]["coordinateTransformations"]
    assert scale["scale"] == [4, 0.5 * 40 / 27, 0.75]
    assert translation["translation"][0] == 12
    assert group["0"].dtype == np.uint16
    assert 4095 >= group["0"][0].max() > 2000
    assert group.attrs[KNOWN]["inputs"]["content"]["name"] == "cells"
    again = nst.stylize_stack(tmp_path / "a.zarr", style, quick(steps=1), slices=0).stack
    assert [axis.scale for axis in again.axes] == scale["scale"]
    assert again.limits == (0, 4095)


def test_channels_are_computed_in_turn_or_as_colours(style, quick):
    series = np.random.default_rng(0).integers(0, 256, (2, 3, 40, 48), np.uint8)
    each = nst.stylize_stack(series, style, quick(steps=1), channel_axis=1, axes=[0])
    assert [one.label for one in each if one.finished][:3] == [
        f"axis 0={t}, axis 1={c}" for c, t in ((0, 0), (0, 1), (1, 0))
    ]
    assert each.array.shape == (2, 3, 27, 32)
    rgb = nst.stylize_stack(
        series, style, quick(steps=1), channel_axis=1, channel=(0, 1, 2)
    ).result(False)
    alone = nst.stylize(np.moveaxis(series[0], 0, -1), style, quick(steps=1)).result(False)
    np.testing.assert_array_equal(np.moveaxis(rgb[:, 0], 0, -1), alone)


def test_slices_with_colours_keep_their_alpha(stack, style, quick):
    colours = np.repeat(stack[..., None], 4, axis=-1)
    colours[..., 3] = 255
    colours[1, :20, :, 3] = 0
    result = nst.stylize_stack(colours, style, quick(steps=1), slices="0:2").result(False)
    assert result.shape == (4, 2, 27, 32)
    assert (result[3, 0] == 255).all()
    assert result[3, 1, 0, 0] == 0


def test_finished_slices_are_not_computed_again(stack, style, quick, tmp_path):
    begin = [stack, style, quick()]
    first = nst.stylize_stack(*begin, out=tmp_path / "a.zarr")
    for step in first:
        if step.done == 2:
            first.stop()
    assert first.done == 2
    second = nst.stylize_stack(*begin, out=tmp_path / "a.zarr")
    assert [label for label, _ in steps_of(second)] == ["z=2", "z=3", "z=4", "z=5"]
    whole = nst.stylize_stack(*begin).result(False)
    np.testing.assert_array_equal(second.array, whole)
    assert not [*nst.stylize_stack(*begin, out=tmp_path / "a.zarr")]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"style_weight": 3.0}, "style_weight"),
        ({"temporal": 5.0}, "temporal"),
        ({"slices": "0:3"}, "slices"),
        ({"content": 1}, "content"),
        ({"style": 1}, "style"),
    ],
)
def test_a_result_of_other_settings_is_not_gone_on_with(
    stack, style, quick, tmp_path, changes, named
):
    given = {"content": stack, "style": style, "recipe": quick(), "out": tmp_path / "a.zarr"}
    nst.stylize_stack(**given).close()
    changes = {name: given[name] + 1 if value == 1 else value for name, value in changes.items()}
    with pytest.raises(ValueError, match=f"`out`.*{named}"):
        nst.stylize_stack(**{**given, **changes})


@pytest.mark.parametrize("out", ["a.zarr", "a.tif", "gone/a.zarr"])
def test_no_other_folder_is_written_into(stack, style, quick, tmp_path, out):
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / "mine.txt").touch()
    with pytest.raises((ValueError, OSError), match=out.partition("/")[0]):
        nst.stylize_stack(stack, style, quick(), out=tmp_path / out)
    assert [path.name for path in tmp_path.rglob("*")] == ["a.zarr", "mine.txt"]


def test_a_slice_that_fails_once_is_tried_again_at_the_end(stack, style, quick):
    lazy, told = Lazy(stack), []
    lazy.failing = {2: 1}
    run = nst.stylize_stack(lazy.stack(), style, quick(), steering=nst.Steering(tell=told.append))
    labels = [label for label, _ in steps_of(run)]
    assert labels == ["z=0", "z=1", "z=3", "z=4", "z=5", "z=2"]
    assert "z=2" in told[0]
    assert not run.failed


def test_a_slice_that_fails_twice_is_named_and_the_others_are_written(
    stack, style, quick, tmp_path
):
    lazy = Lazy(stack)
    lazy.failing = {2: 9}
    begin = [style, quick()]
    run = nst.stylize_stack(
        lazy.stack(), *begin, out=tmp_path / "a.zarr", steering=nst.Steering(tell=lambda _: None)
    )
    with pytest.raises(nst.NstError, match=r"z=2.*the disk is gone"):
        run.result(progress=False)
    assert run.done == 5
    lazy.failing = {}
    again = nst.stylize_stack(lazy.stack(), *begin, out=tmp_path / "a.zarr")
    assert [label for label, _ in steps_of(again)] == ["z=2"]


def test_a_stack_ends_if_its_first_slices_fail(stack, style, quick):
    lazy = Lazy(stack)
    lazy.failing = dict.fromkeys(range(6), 9)
    run = nst.stylize_stack(
        lazy.stack(), style, quick(), steering=nst.Steering(tell=lambda _: None)
    )
    with pytest.raises(nst.NstError, match="the disk is gone"):
        next(run)
    assert max(lazy.read) == 1


def test_a_killed_stack_goes_on_to_the_same_result(untrained_file, tmp_path):
    command = [sys.executable, killed_stack.__file__, untrained_file]
    killed = subprocess.run([*command, tmp_path / "a.zarr", "z=2", "1"], check=False)
    assert killed.returncode == -signal.SIGKILL
    run = killed_stack.begin(untrained_file, tmp_path / "a.zarr", temporal=20)
    assert run.done == 2
    assert [label for label, _ in steps_of(run)] == ["z=2", "z=3"]
    whole = killed_stack.begin(untrained_file, tmp_path / "b.zarr", temporal=20).result(False)
    np.testing.assert_array_equal(run.array, whole)


def test_another_process_is_refused_until_the_first_one_is_gone(untrained_file, tmp_path):
    command = [sys.executable, killed_stack.__file__, untrained_file, tmp_path / "a.zarr"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([*command, "z=1", "1", "waits"], **pipes) as first:
        first.stdout.readline()
        with pytest.raises(ValueError, match="`out`"):
            killed_stack.begin(untrained_file, tmp_path / "a.zarr", temporal=20)
        first.kill()
    run = killed_stack.begin(untrained_file, tmp_path / "a.zarr", temporal=20)
    assert [label for label, _ in steps_of(run)] == ["z=1", "z=2", "z=3"]


def test_a_run_that_is_closed_or_has_nothing_to_do_keeps_no_other_from_writing(
    stack, style, quick, tmp_path
):
    begin = [stack, style, quick(steps=1)]
    begun = nst.stylize_stack(*begin, out=tmp_path / "a.zarr")
    with pytest.raises(ValueError, match="`out`"):
        nst.stylize_stack(*begin, out=tmp_path / "a.zarr")
    begun.close()
    nst.stylize_stack(*begin, out=tmp_path / "a.zarr").result(progress=False)
    finished = [nst.stylize_stack(*begin, out=tmp_path / "a.zarr") for _ in range(2)]
    assert [run.done for run in finished] == [6, 6]


def test_memory_does_not_grow_with_the_stack(style, quick):
    lazy = Lazy(np.random.default_rng(0).integers(0, 256, (6, 40, 48), np.uint8))
    run = nst.stylize_stack(lazy.stack(), style, quick(steps=1), temporal=1.0)
    run.result(progress=False)
    assert lazy.most_alive <= 3  # a slice, the one before, and the one that is read
    assert lazy.read.count(5) == 1


def test_reconstructions_start_from_the_one_before_if_asked(stack, quick):
    recipe = quick(init="noise", style_layers={})
    run = nst.reconstruct_stack(stack, recipe, slices="0:2", warm_steps=2)
    assert steps_of(run) == [("z=0", 3), ("z=1", 2)]
    alone = nst.reconstruct_stack(stack, recipe, slices="0:2").result(progress=False)
    np.testing.assert_array_equal(
        alone[1], nst.reconstruct(stack[1], recipe).result(progress=False)
    )


def test_shapes_follow_the_content(style, quick):
    """A bar that moves by two pixels from slice to slice, in a style without structure."""
    stack = np.zeros((5, 64, 64), np.uint8)
    for number in range(5):
        stack[number, :, 20 + 4 * number : 28 + 4 * number] = 255
    recipe = quick(size=64, steps=10, content_layers={"relu4_2": 1}, style_weight=0.1)
    result = nst.stylize_stack(stack, np.full_like(style, 128), recipe).result(progress=False)
    for number in range(5):
        like = [np.corrcoef(np.ravel(result[number]), np.ravel(one))[0, 1] for one in stack]
        assert np.argmax(like) == number


def test_weights_are_read_once(stack, style, quick, monkeypatch):
    from napari_nst.engine.vgg.weights import formats

    read, reads = formats.read, []
    monkeypatch.setattr(formats, "read", lambda path: reads.append(path) or read(path))
    nst.stylize_stack(stack, style, quick(steps=1)).result(progress=False)
    assert len(reads) == 1


def test_a_run_that_is_stopped_is_no_failure(stack, style, quick):
    run = nst.stylize_stack(stack, style, quick(steps=50))
    for step in run:
        if step.step == 2:
            run.stop()
    assert step.step < 5
    assert not run.failed
    assert not run.done


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"warm_steps": -1}, "warm_steps"),
        ({"temporal": -1}, "temporal"),
        ({"temporal": 1, "warm_steps": 0}, "temporal"),
        ({"workers": 0}, "workers"),
        ({"init": "image"}, "init"),
        ({"slices": "9:"}, "slices"),
        ({"steering": nst.Steering(save_every=1)}, "steering"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_written(
    stack, style, quick, tmp_path, arguments, named
):
    with pytest.raises(ValueError, match=f"`{named}"):
        nst.stylize_stack(stack, style, quick(), out=tmp_path / "a.zarr", **arguments)
    assert not [*tmp_path.iterdir()]


def test_an_unknown_keyword_is_named(stack, style):
    with pytest.raises(TypeError, match="slice"):
        nst.stylize_stack(stack, style, slice=3)
