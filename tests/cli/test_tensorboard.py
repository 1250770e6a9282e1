"""What a run leaves for TensorBoard, read back with TensorBoard's own reader."""

import json

import numpy as np
import pytest
import torch

from napari_nst.cli.tensorboard import EventWriter, preview_steps
from napari_nst.engine.iteration import Iteration


def iterations(steps, **changes):
    """Yield what a run of so many steps would, without one."""
    losses = {"content": 1.0, "style": 2.0, "tv": 3.0, "style/relu1_1": 2.0}
    for step in range(1, steps + 1):
        fields = {
            "step": step, "steps": steps, "losses": {"total": 6.0 / step, **losses},
            "shape": (6, 8), "seconds": step / 10, "seconds_left": 1.0,
            "pixels": torch.full((1, 3, 6, 8), step / 256),
            "facts": {"recipe": {"steps": steps}},
        }  # fmt: skip
        yield Iteration(**{**fields, **changes})


def read(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder), size_guidance={"images": 0, "scalars": 0})
    return found.Reload()


def picture_in(event):
    import imagecodecs

    return imagecodecs.png_decode(event.encoded_image_string)


def test_a_run_leaves_scalars_pictures_and_its_recipe(tmp_path):
    with EventWriter(tmp_path / "a" / "run") as board:
        for iteration in iterations(30):
            board.step(iteration)
    found = read(tmp_path / "a" / "run")
    losses = [f"loss/{name}" for name in ("total", "content", "style", "tv", "style/relu1_1")]
    progress = ["progress/longest side", "progress/seconds"]
    assert sorted(found.Tags()["scalars"]) == sorted([*losses, *progress])
    total = found.Scalars("loss/total")
    assert [event.step for event in total] == list(range(1, 31))
    assert [event.value for event in total] == pytest.approx([6 / step for step in range(1, 31)])
    assert found.Scalars("progress/longest side")[-1].value == 8
    pictures = found.Images("picture")
    assert [event.step for event in pictures] == sorted(preview_steps(30))
    np.testing.assert_array_equal(picture_in(pictures[-1]), np.full((6, 8, 3), 29.88, np.uint8))
    (tensor,) = (found.Tensors(tag)[0] for tag in found.Tags()["tensors"])
    assert json.loads(tensor.tensor_proto.string_val[0]) == {"steps": 30}


@pytest.mark.parametrize(
    ("changes", "shape"),
    [({"is_grey": True}, (6, 8, 3)), ({"alpha": torch.full((1, 1, 6, 8), 0.5)}, (6, 8, 4))],
)
def test_pictures_have_their_own_channels(tmp_path, changes, shape):
    with EventWriter(tmp_path) as board:
        for iteration in iterations(2, **changes):
            board.step(iteration)
    assert picture_in(read(tmp_path).Images("picture")[-1]).shape == shape


def test_several_pictures_are_a_run_each_with_steps_of_their_own(tmp_path):
    panels = ("conv1_1", "to conv2_1")
    with EventWriter(tmp_path) as board:
        for panel in range(2):
            for one in iterations(3):
                changes = {"step": panel * 3 + one.step, "steps": 6}
                board.step(Iteration(**{**vars(one), **changes, "panel": panel, "panels": panels}))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["conv1_1", "to-conv2_1"]
    for folder in tmp_path.iterdir():
        assert [event.step for event in read(folder).Scalars("loss/total")] == [1, 2, 3]
        assert [event.step for event in read(folder).Images("picture")] == [1, 2, 3]


def test_a_run_that_is_stopped_leaves_its_last_picture(tmp_path):
    with EventWriter(tmp_path) as board:
        for iteration in iterations(1000):
            board.step(iteration)
            if iteration.step == 41:
                break
    assert 41 not in preview_steps(1000)
    assert read(tmp_path).Images("picture")[-1].step == 41


@pytest.mark.parametrize("steps", [1, 19, 150])
def test_previews_are_few_and_include_both_ends(steps):
    chosen = preview_steps(steps)
    assert {1, steps} <= chosen <= set(range(1, steps + 1))
    assert len(chosen) == min(steps, 20)
