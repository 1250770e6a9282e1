"""What is known of a picture: enough to make it again, bit for bit."""

import hashlib
import json
import platform

import numpy as np
import pytest
import skimage.data
import torch

import napari_nst as nst
from napari_nst.engine import api as jobs
from napari_nst.recipe import Recipe
from tests.helpers.small_images import CONTENT, STYLE, with_alpha

SECOND = np.ascontiguousarray(STYLE[:40, ::-1])
OWN = STYLE[8:48, :32]


def last(iterations):
    return list(iterations)[-1]


@pytest.fixture
def stylized(quick):
    recipe = quick(seed=7, init="mix", size=40, min_size=24, steps=5)
    return last(jobs.stylize(CONTENT, [STYLE, SECOND], recipe, pixel_sizes=(0.5, 1, 2)))


def test_a_record_is_plain_json(stylized):
    record = stylized.record(["cells", "painting", "marble"])
    assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_a_record_has_all_that_made_the_picture(stylized, quick):
    record = stylized.record()
    assert record["job"] == "stylize"
    assert record["format"] == 1
    assert record["recipe"]["init"] == "mix"
    assert set(record["recipe"]) == set(Recipe().to_dict())
    assert record["seed"] == record["recipe"]["seed"] == 7
    assert record["weights"]["flavour"] == "caffe"  # the tests' own network
    assert len(record["weights"]["sha256"]) == 64
    assert record["device"] == "cpu"
    assert record["precision"] == "float32"
    assert record["versions"]["napari-nst"] == nst.__version__
    assert record["versions"]["torch"] == torch.__version__
    assert record["versions"]["numpy"] == np.__version__
    assert record["versions"]["python"] == platform.python_version()
    assert record["versions"]["system"]
    assert record["arguments"] == {"pixel_sizes": [0.5, 1.0, 2.0]}
    assert (record["step"], record["steps"]) == (5, 5)
    assert record["shape"] == [40, 40]
    assert record["losses"] == stylized.losses
    assert record["seconds"] == pytest.approx(stylized.seconds, abs=1e-3)


@pytest.mark.network
def test_the_weights_are_named_by_flavour_and_checksum(quick, real, gatys):
    recipe = quick(steps=1, weights="gatys")
    weights = last(jobs.stylize(CONTENT, STYLE, recipe)).record()["weights"]
    assert weights == {"flavour": "gatys", "sha256": gatys.sha256}
    assert len(gatys.sha256) == 64


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_precision_is_the_one_that_was_used(quick, precision):
    it = last(jobs.reconstruct(CONTENT, quick(precision=precision, init="noise", steps=1)))
    assert it.record()["precision"] == precision


# Inputs


def checksum(array):
    return hashlib.sha256(array.tobytes()).hexdigest()


def test_inputs_are_known_by_shape_type_and_checksum(stylized):
    inputs = stylized.record()["inputs"]
    assert list(inputs) == ["content", "style 1", "style 2"]
    for facts, array in zip(inputs.values(), (CONTENT, STYLE, SECOND), strict=True):
        assert facts == {
            "shape": list(array.shape), "dtype": "uint8", "sha256": checksum(array),
        }  # fmt: skip


@pytest.mark.parametrize(
    "array",
    [
        CONTENT.astype(np.uint16) * 257,
        CONTENT[..., 0] / np.float32(255),
        with_alpha(CONTENT, np.eye(64, dtype=bool) | True),
        CONTENT[::-1, ::2],
    ],
    ids=["uint16", "grey", "rgba", "strided"],
)
def test_a_checksum_is_that_of_the_array_as_it_came(quick, array):
    it = last(jobs.stylize(array, STYLE, quick(steps=1)))
    facts = it.record()["inputs"]["content"]
    assert facts["sha256"] == checksum(array)
    assert facts["dtype"] == str(array.dtype)
    assert facts["shape"] == list(array.shape)


@pytest.mark.parametrize(
    ("run", "roles", "job"),
    [
        (lambda r: jobs.stylize(CONTENT, STYLE, r), ["content", "style"], "stylize"),
        (
            lambda r: jobs.stylize(CONTENT, STYLE, r.replace(init="image"), init_image=OWN),
            ["content", "style", "start"],
            "stylize",
        ),
        (lambda r: jobs.synthesize(STYLE, r), ["exemplar"], "synthesize"),
        (
            lambda r: jobs.synthesize([STYLE, SECOND], r.replace(init="image"), init_image=OWN),
            ["exemplar 1", "exemplar 2", "start"],
            "synthesize",
        ),
        (lambda r: jobs.reconstruct(CONTENT, r), ["image"], "reconstruct"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_input_has_its_role_and_the_callers_name(quick, run, roles, job):
    it = last(run(quick(init="noise", steps=1)))
    names = [f"layer {index}" for index in range(len(roles))]
    record = it.record(names)
    assert record["job"] == job
    assert list(record["inputs"]) == roles
    assert [facts["name"] for facts in record["inputs"].values()] == names
    assert not any("name" in facts for facts in it.record()["inputs"].values())


def test_a_caller_may_change_a_record(stylized):
    before = stylized.record()
    changed = stylized.record()
    changed["inputs"]["content"].clear()
    changed["losses"].clear()
    changed["job"] = "none"
    assert stylized.record() == before


def test_every_step_has_its_own_record(quick):
    records = [it.record() for it in jobs.stylize(CONTENT, STYLE, quick(steps=3))]
    assert [record["step"] for record in records] == [1, 2, 3]
    assert records[0]["losses"] != records[2]["losses"]
    assert records[0]["recipe"] == records[2]["recipe"]


def test_what_was_not_said_is_not_recorded(quick):
    assert last(jobs.stylize(CONTENT, STYLE, quick(steps=1))).record()["arguments"] == {}
    texture = last(jobs.synthesize(STYLE, quick(init="noise", steps=1), shape=(33, 40)))
    assert texture.record()["arguments"] == {"shape": [33, 40]}


# Again


RECIPES = [
    {"init": "noise", "seed": 3, "optimizer": "lbfgs"},
    {"init": "mix", "optimizer": "adam", "ema": 0.9, "beta1": 0.8, "color": "symmetric"},
    {"init": "noise", "noise": "uniform", "style_loss": "sliced_wasserstein", "projections": 8},
    {"line_search": True, "image_range": "tanh", "pooling": "average", "padding": "circular"},
    {"size": 48, "min_size": 24, "style_scale": 1.5, "color": "luminance", "scale_ratio": 2.0},
]


def again(record, **images):
    """Run a job again from nothing but its record, as JSON text, and its images."""
    record = json.loads(json.dumps(record))
    recipe = Recipe.from_dict(record["recipe"])
    arguments = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in record["arguments"].items()
    }
    return last(getattr(jobs, record["job"])(**images, recipe=recipe, **arguments))


def assert_identical(one, other):
    np.testing.assert_array_equal(one.image, other.image)
    assert one.losses == other.losses
    same = [{**it.record(), "seconds": None} for it in (one, other)]
    assert same[0] == same[1]


@pytest.mark.parametrize("fields", RECIPES, ids=str)
def test_the_recipe_of_a_record_makes_the_same_picture_bit_for_bit(quick, fields):
    styles = [STYLE, SECOND]
    first = last(jobs.stylize(CONTENT, styles, quick(**{"steps": 4, **fields})))
    assert_identical(again(first.record(), content=CONTENT, style=styles), first)


def test_so_does_that_of_a_texture(quick):
    recipe = quick(init="noise", noise="matched", content_weight=3, steps=4)
    first = last(jobs.synthesize(STYLE, recipe, shape=(37, 50)))
    assert_identical(again(first.record(), exemplar=STYLE), first)


def test_so_does_that_of_a_reconstruction(quick):
    first = last(jobs.reconstruct(CONTENT, quick(init="noise", style_weight=3, steps=4)))
    assert_identical(again(first.record(), image=CONTENT), first)


def test_so_does_that_of_physical_units(quick):
    recipe = quick(style_sizing="physical", size=0, steps=2)
    first = last(jobs.stylize(CONTENT, STYLE, recipe, pixel_sizes=(1.0, 0.5)))
    assert_identical(again(first.record(), content=CONTENT, style=STYLE), first)
    without = again({**first.record(), "arguments": {}}, content=CONTENT, style=STYLE)
    assert not np.array_equal(without.image, first.image)  # the sizes do matter


@pytest.mark.network
def test_so_does_that_of_the_default_with_the_real_network(real):
    content, style = skimage.data.astronaut()[::8, ::8], skimage.data.immunohistochemistry()[::8]
    recipe = nst.preset(size=64, min_size=45, steps=6, device="cpu")  # auto precision
    first = last(jobs.stylize(content, style, recipe))
    assert_identical(again(first.record(), content=content, style=style), first)
