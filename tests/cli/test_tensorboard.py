"""What a run leaves for TensorBoard, read back with TensorBoard's own reader."""

import json

import numpy as np
import pytest

from napari_nst.cli.tensorboard import EventWriter, preview_steps
from tests.helpers.fake_iterations import iteration


def iterations(steps, **changes):
    """Yield what a run of so many steps would, without one."""
    facts = {"recipe": {"steps": steps}}
    return (iteration(step, steps, (6, 8), facts=facts, **changes) for step in range(1, steps + 1))


def read(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder), size_guidance={"images": 0, "scalars": 0})
    return found.Reload()


def picture_in(event):
    import imagecodecs

    return imagecodecs.png_decode(event.encoded_image_string)


def test_a_run_leaves_scalars_pictures_and_its_recipe(tmp_path):
    with EventWriter(tmp_path / "a" / "run") as board:
        for one in iterations(30):
            board.step(one)
    found = read(tmp_path / "a" / "run")
    losses = [f"loss/{name}" for name in ("total", "content", "style", "tv")]
    progress = ["progress/longest side", "progress/seconds"]
    assert sorted(found.Tags()["scalars"]) == sorted([*losses, *progress])
    total = found.Scalars("loss/total")
    assert [event.step for event in total] == list(range(1, 31))
    assert [event.value for event in total] == pytest.approx([3 / step for step in range(1, 31)])
    assert found.Scalars("progress/longest side")[-1].value == 8
    pictures = found.Images("picture")
    assert [event.step for event in pictures] == sorted(preview_steps(30))
    np.testing.assert_array_equal(picture_in(pictures[-1]), np.full((6, 8, 3), 255, np.uint8))
    (tensor,) = (found.Tensors(tag)[0] for tag in found.Tags()["tensors"])
    assert json.loads(tensor.tensor_proto.string_val[0]) == {"steps": 30}


@pytest.mark.parametrize(
    ("changes", "shape"),
    [({"grey": True}, (6, 8, 3)), ({"alpha": 0.5}, (6, 8, 4))],
)
def test_pictures_have_their_own_channels(tmp_path, changes, shape):
    with EventWriter(tmp_path) as board:
        for one in iterations(2, **changes):
            board.step(one)
    assert picture_in(read(tmp_path).Images("picture")[-1]).shape == shape


def test_several_pictures_are_a_run_each_with_steps_of_their_own(tmp_path):
    panels = ("conv1_1", "to conv2_1")
    with EventWriter(tmp_path) as board:
        for panel in range(2):
            for step in range(1, 4 + panel):
                facts = {"recipe": {"steps": 3 + panel}}
                board.step(iteration(panel * 3 + step, 7, facts=facts, panel=panel, panels=panels))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["conv1_1", "to-conv2_1"]
    for folder, steps in (("conv1_1", [1, 2, 3]), ("to-conv2_1", [1, 2, 3, 4])):
        found = read(tmp_path / folder)
        assert [event.step for event in found.Scalars("loss/total")] == steps
        assert [event.step for event in found.Images("picture")] == steps


def test_a_run_that_is_stopped_leaves_its_last_picture(tmp_path):
    with EventWriter(tmp_path) as board:
        for one in iterations(1000):
            board.step(one)
            if one.step == 41:
                break
    assert 41 not in preview_steps(1000)
    assert read(tmp_path).Images("picture")[-1].step == 41


@pytest.mark.parametrize("steps", [1, 19, 150])
def test_previews_are_few_and_include_both_ends(steps):
    chosen = preview_steps(steps)
    assert {1, steps} <= chosen <= set(range(1, steps + 1))
    assert len(chosen) == min(steps, 20)
