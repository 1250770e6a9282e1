"""Figures of quality have known values for pictures that are made to have them."""

import json

import numpy as np
import pytest
import torch
from benchmarks.quality import __main__ as command
from benchmarks.quality.curves import gains, least_y
from benchmarks.quality.grid_figures import PERIODS, grid_figures
from benchmarks.quality.inputs import Images, Pair
from benchmarks.quality.judge import CONVOLUTIONS, MEAN_BGR, Judge
from benchmarks.quality.methods import method
from benchmarks.quality.onnx_file import float_arrays
from benchmarks.quality.results import Cache, Results
from click.testing import CliRunner

import napari_nst as nst
from napari_nst.io.image_files.write_image import write_image


def noise(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("period", PERIODS)
def test_a_pattern_on_the_pooling_grid_stands_out(period):
    rough = noise((256, 192)) // 4
    blocks = noise((256 // period, 192 // period), seed=1) // 4
    gridded = rough + blocks.repeat(period, axis=0).repeat(period, axis=1)
    assert max(grid_figures(rough).values()) < 5
    found = grid_figures(gridded)
    assert found[period] > 10
    assert all(found[longer] < 5 for longer in PERIODS if longer > period)


def field(number, value):
    """Return a field of Protocol Buffers: an integer, or bytes with their length."""

    def varint(integer):
        more = b""
        while integer > 127:
            more, integer = more + bytes([integer & 127 | 128]), integer >> 7
        return more + bytes([integer])

    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


@pytest.mark.parametrize("is_packed", [False, True])
def test_arrays_of_an_onnx_file(is_packed):
    wanted = np.arange(600, dtype=np.float32).reshape(200, 3)
    dims = field(1, b"\xc8\x01\x03") if is_packed else field(1, 200) + field(1, 3)
    tensor = dims + field(2, 1) + field(8, b"weights") + field(9, wanted.tobytes())
    integers = field(1, 1) + field(2, 7) + field(8, b"shape") + field(9, bytes(8))
    graph = field(2, b"name") + field(5, tensor) + field(5, integers)
    found = float_arrays(field(1, 8) + field(7, graph))
    assert list(found) == ["weights"]
    np.testing.assert_array_equal(found["weights"], wanted)
    with pytest.raises(ValueError, match="ONNX"):
        float_arrays(b"\x3f not a model")


@pytest.fixture(scope="module")
def untrained():
    """The judge with random weights."""
    draw, arrays, channels = np.random.default_rng(0), {}, 3
    for block, count in enumerate(CONVOLUTIONS, 1):
        for index in range(1, count + 1):
            made = min(64 * 2 ** (block - 1), 512)
            deviation = (2 / channels / 9) ** 0.5
            name = f"functional_1/block{block}_conv{index}_1"
            weights = draw.normal(0, deviation, (made, channels, 3, 3)).astype(np.float32)
            arrays[f"{name}/convolution/ReadVariableOp:0"] = weights
            arrays[f"{name}/Squeeze:0"] = draw.normal(0, 1, made).astype(np.float32)
            channels = made
    return Judge(arrays)


def test_the_judge_computes_vgg16(untrained):
    picture = noise((32, 48, 3))
    modules = []
    for name, weight, bias in untrained.layers:
        if name in ("relu2_1", "relu3_1", "relu4_1"):
            modules.append(torch.nn.MaxPool2d(2))
        convolution = torch.nn.Conv2d(*weight.shape[1::-1], 3, padding=1)
        convolution.weight.data, convolution.bias.data = weight, bias
        modules += [convolution, torch.nn.ReLU()]
    caffe = torch.tensor(picture[..., ::-1] - np.array(MEAN_BGR)).float().permute(2, 0, 1)[None]
    expected = torch.nn.Sequential(*modules)(caffe)[0]
    torch.testing.assert_close(
        untrained.features(picture)["relu4_3"], expected, rtol=1e-4, atol=0.1
    )


def test_a_picture_is_nearest_to_itself(untrained):
    one, other = noise((48, 64, 3)), noise((24, 32, 3), seed=1).repeat(2, 0).repeat(2, 1)
    as_content = untrained.distances(one, one, other)
    as_style = untrained.distances(one, other, one)
    assert as_content.content == 0 < min(as_content.style_gram, as_content.style_sliced)
    assert as_style.style_gram == 0 < as_style.content
    mirrored = untrained.distances(one[:, ::-1].copy(), one, one)
    assert mirrored.content > 0.1 > mirrored.style_sliced  # other places, the same material


def test_curves_are_compared_where_one_of_their_distances_is_equal():
    curve = [(0.5, 0.4), (1.0, 0.2), (1.5, 0.1)]
    assert least_y(curve, 0.75) == pytest.approx(0.3)
    assert least_y(curve, 1.6) == 0.1
    assert least_y(curve, 0.4) is None
    assert least_y([*curve, (0.9, 0.3)], 0.95) == pytest.approx(0.22)  # not 0.28, on the way back
    assert gains(curve, (1.25, 0.3)) == pytest.approx((0.5, 0.6))
    assert gains(curve, (0.4, 0.3)) == (None, pytest.approx(0.75 / 0.4))


def test_a_picture_is_made_again_only_if_its_recipe_changed_or_it_was_interrupted(tmp_path):
    cache, calls = Cache(tmp_path), []

    def make():
        calls.append(1)
        return np.full((4, 5, 3), 0.5), {"seconds": len(calls)}

    recipe = nst.Recipe(steps=3)
    pixels, facts = cache.picture("a/b", recipe, make)
    again, facts_again = cache.picture("a/b", recipe, make)
    assert facts == facts_again == {"seconds": 1}
    np.testing.assert_array_equal(pixels, again)
    changed = recipe.replace(steps=4)
    assert cache.picture("a/b", changed, make)[1] == {"seconds": 2}
    stored = tmp_path / "a" / "b.json"
    stored.unlink()
    assert cache.picture("a/b", changed, make)[1] == {"seconds": 3}
    found = json.loads(stored.read_text())
    del found["recipe"]["ema"]  # as if it were a new field
    stored.write_text(json.dumps(found))
    assert cache.picture("a/b", changed, make)[1] == {"seconds": 3}
    stored.write_text(json.dumps(found | {"recipe": {"no_longer": 1}}))
    assert cache.picture("a/b", changed, make)[1] == {"seconds": 4}


def test_images_of_a_folder_come_before_our_own(tmp_path):
    write_image(tmp_path / "tower.png", noise((8, 9, 3)))
    write_image(tmp_path / "cell.png", noise((8, 9)))
    images = Images(tmp_path)
    assert images["tower"].shape == (8, 9, 3)
    assert images["cell"].shape == (8, 9)
    assert images["painting"].dtype == np.uint8
    assert [images.is_own(name) for name in ("painting", "cell", "tower")] == [True, False, False]
    with pytest.raises(ValueError, match="astronaut"):
        images["house"]


def test_a_method_is_a_preset_with_changes():
    made = method("texture,style_loss=mrf,style_layers=relu2_1:1", 0.5, size=128)
    assert (made.recipe.style_loss, made.recipe.size) == ("mrf", 128)
    assert made.recipe.style_weight == method("texture").recipe.style_weight / 2
    with pytest.raises(ValueError, match="no_field"):
        method("texture,no_field=1")
    assert Pair.parse("a:b") == Pair("a", "b")
    with pytest.raises(ValueError, match="content:style"):
        Pair.parse("a-b")


def test_the_command_that_is_shown_has_no_paths_of_this_machine():
    arguments = ["--images", "/home/me/pictures", "--baseline=/tmp/results.json", "--size", "256"]
    shown = command.repeating(arguments)
    assert shown == 'make quality ARGS="--images FOLDER --baseline=EARLIER --size 256"'


@pytest.mark.network
def test_the_command_measures_and_goes_on_and_compares(untrained, tmp_path, monkeypatch, qapp):
    monkeypatch.setattr(Judge, "load", lambda: untrained)
    output = tmp_path / "quality"
    arguments = [
        "--pairs", "cell:tissue", "--size", "128", "--steps", "1", "--factors", "0.5,1",
        "--method", "not-a-preset", "--exemplar", "brick", "--texture-size", "128",
        "--output", str(output),
    ]  # fmt: skip
    done = CliRunner().invoke(command.main, arguments)
    assert done.exit_code == 0, done.output
    assert "not-a-preset is left out" in done.stderr
    found = Results.read(output / "results.json")
    assert [one.method for one in found.transfers] == ["default × 0.5", "default"]
    assert [one.exemplar for one in found.textures] == ["brick"]
    assert {path.name for path in output.glob("*-128*")} >= {
        "quality-128.jpg", "quality-128-curves.png", "quality-textures-128.jpg"
    }  # fmt: skip
    earlier = tmp_path / "earlier.json"
    found.write(earlier)
    for name in ("stylize", "synthesize"):  # nothing is made again
        monkeypatch.setattr(nst, name, lambda *_: pytest.fail("a picture was made again"))
    again = CliRunner().invoke(command.main, [*arguments, "--baseline", str(earlier)])
    assert again.exit_code == 0, again.output
    assert Results.read(output / "results.json").transfers == found.transfers
    assert again.stdout.count("| 1.00") >= 4  # the curve against itself
    unknown = CliRunner().invoke(command.main, ["--pairs", "house:tissue"])
    assert unknown.exit_code == 1
    assert "'house'" in unknown.stderr
