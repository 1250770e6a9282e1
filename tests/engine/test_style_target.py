"""Style targets: the losses of their images, averaged, saved, mixed, and refused where unfit."""

import weakref
from collections.abc import Sequence

import numpy as np
import pytest

import napari_nst as nst
from napari_nst.engine.job.style_target import in_shares
from napari_nst.recipe import preset
from napari_nst.recipe.sections import HYPERCOLUMN_LOSSES, MOMENT_LOSSES
from tests.helpers.small_images import CONTENT, STYLE, with_alpha

OTHER = np.ascontiguousarray(STYLE[::-1, :48])
SAMPLED = {
    "style_loss": "remd",
    "samples": 32,
    "style_samples": 512,
    "terms": [{"style_loss": "moments"}, {"style_loss": "palette"}, {"style_loss": "gram"}],
}


def first(style, recipe, call=None, **fields):
    """Return the losses of the first step of a run."""
    run = call(style, recipe, **fields) if call else nst.stylize(CONTENT, style, recipe, **fields)
    return next(run).losses


def measured(*styles, recipe, **fields):
    return nst.StyleTarget.from_images(styles, recipe, **fields)


def nearly(losses, rel=1e-5):
    return pytest.approx(losses, rel=rel, abs=1e-7)


# The losses


@pytest.mark.network
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_target_of_one_image_has_the_losses_of_the_image_in_all_phases_of_the_default(
    real, share
):
    recipe = preset(size=48, min_size=0, device="cpu", refine_share=share)
    target = measured(STYLE, recipe=recipe)
    assert first(target, recipe) == nearly(first(STYLE, recipe))


@pytest.mark.parametrize("loss", ["centred_gram", "moments", "nn", "sampled_wasserstein"])
def test_of_one_image_it_has_its_losses_at_every_size(quick, loss):
    joined = {"hypercolumns": True} if loss in HYPERCOLUMN_LOSSES else {}
    sizes = {"size": 32, "min_size": 20, "steps": 2}
    recipe = quick(style_loss=loss, style_samples=100, **joined, **sizes)
    of_target = nst.stylize(CONTENT, measured(STYLE, recipe=recipe), recipe)
    of_image = nst.stylize(CONTENT, STYLE, recipe)
    for one, other in zip(of_target, of_image, strict=True):
        assert one.losses == nearly(other.losses, 1e-3)


@pytest.mark.parametrize("loss", sorted({*MOMENT_LOSSES} - {"centred_gram"}))
def test_an_average_has_the_losses_of_both_images_blended(quick, loss):
    recipe = quick(style_loss=loss)
    both = first([STYLE, OTHER], recipe, style_blend=(1, 3))
    average = measured(STYLE, OTHER, recipe=recipe, style_blend=(1, 3))
    assert first(average, recipe) == nearly(both, 1e-4)
    one, other = (measured(image, recipe=recipe) for image in (STYLE, OTHER))
    assert first(nst.StyleTarget.mix(one, other, 0.75), recipe) == nearly(both, 1e-4)
    assert first([one, OTHER], recipe, style_blend=(1, 3)) == nearly(both)


@pytest.mark.parametrize("rotations", [False, True])
def test_vectors_are_those_of_all_images(quick, rotations):
    recipe = quick(**SAMPLED, style_rotations=rotations)
    # Vectors in float16 are rounded.
    alone = measured(STYLE, recipe=recipe)
    assert first(alone, recipe) == nearly(first(STYLE, recipe), 1e-3)
    both = first([STYLE, OTHER], recipe)
    average = first(measured(STYLE, OTHER, recipe=recipe), recipe)
    # It has half as many vectors of each image.
    assert average["style"] == pytest.approx(both["style"], rel=0.05)
    one, other = (measured(image, recipe=recipe) for image in (STYLE, OTHER))
    assert first([one, other], recipe) == nearly(both, 1e-3)


def test_images_have_their_shares_of_the_vectors_however_many_each_has():
    few, many = np.zeros((3, 1)), np.ones((50, 1))
    joined = in_shares([few, many], [0.25, 0.75], 40)
    assert (len(joined), joined.sum()) == (40, 30)


def test_transparent_pixels_do_not_count(quick):
    visible = np.arange(64)[None] < 32
    clear = with_alpha(STYLE, np.broadcast_to(visible, (64, 64)))
    for fields in ({}, SAMPLED):
        recipe = quick(**fields)
        target = measured(clear, recipe=recipe)
        assert first(target, recipe) == nearly(first(clear, recipe), 1e-3)


def test_textures_start_from_its_colours_and_leave_the_spectrum_out(quick):
    recipe = quick(
        init="noise", noise="covariance", terms=[{"style_loss": "spectrum"}], content_weight=0
    )
    target = measured(STYLE, recipe=recipe)
    said = []
    run = nst.synthesize(target, recipe, steering=nst.Steering(said.append))
    assert next(run).losses == nearly(first(STYLE, recipe, nst.synthesize, terms=()), 0.05)
    assert any("spectrum" in one for one in said)


# Making, saving, mixing


class Lazy(Sequence):
    """Images that are made when they are asked for, and must not be kept."""

    def __init__(self):
        self.given = []

    def __len__(self):
        return 4

    def __getitem__(self, index):
        assert all(one() is None for one in self.given)
        image = np.full((32, 32, 3), index * 20, np.uint8)
        self.given.append(weakref.ref(image))
        return image


def test_one_image_after_the_other_is_in_memory(quick):
    lazy, said = Lazy(), []
    target = nst.StyleTarget.from_images(lazy, quick(), progress=lambda *one: said.append(one))
    assert len(target.images) == len(lazy.given) == 4
    assert [one[1:] for one in said] == [(index, 4) for index in range(4)]


def test_a_file_holds_the_whole_target(quick, tmp_path):
    recipe = quick(**SAMPLED)
    target = measured(STYLE, OTHER, recipe=recipe)
    path = target.save(tmp_path / "stain")
    found = nst.StyleTarget.load(path)
    assert (path.name, found.sha256) == ("stain.safetensors", target.sha256)
    assert (found.recipe, found.shape, found.images) == (recipe, STYLE.shape[:2], target.images)
    run = nst.stylize(CONTENT, path, recipe)
    assert next(run).losses == first(target, recipe)
    assert run.last.record()["inputs"]["style"]["sha256"] == target.sha256


def test_other_files_and_damaged_ones_are_refused(quick, tmp_path):
    path = measured(STYLE, recipe=quick()).save(tmp_path / "stain.safetensors")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    text = tmp_path / "text.safetensors"
    text.write_text("no target")
    for wrong, error in ((path, ValueError), (text, ValueError), (tmp_path / "no", OSError)):
        with pytest.raises(error, match=wrong.name):
            nst.StyleTarget.load(wrong)


@pytest.mark.parametrize("path", [None, 5, ""])
def test_what_is_no_path_is_named(quick, path):
    target = measured(STYLE, recipe=quick())
    for use in (nst.StyleTarget.load, target.save):
        with pytest.raises((TypeError, ValueError), match="`path`"):
            use(path)


@pytest.mark.parametrize("share", ["half", None, 10**400, float("nan")])
def test_a_share_is_a_number_from_0_to_1(quick, share):
    target = measured(STYLE, recipe=quick())
    with pytest.raises(ValueError, match="`t`"):
        nst.StyleTarget.mix(target, target, share)


def test_targets_of_other_recipes_do_not_mix(quick):
    one, other = (measured(STYLE, recipe=quick(size=size)) for size in (32, 48))
    with pytest.raises(ValueError, match="different recipes"):
        nst.StyleTarget.mix(one, other, 0.5)
    assert nst.StyleTarget.mix(one, one, 1).sha256 == one.sha256


# What does not fit

LABELS = np.ones(CONTENT.shape[:2], int)


class Same:
    def target(self, features):
        return features

    def forward(self, features, target):
        return (features - target).square().mean()


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"style_loss": "mrf"}, "mrf"),
        ({"terms": [{"style_loss": "sliced_wasserstein"}]}, "sliced_wasserstein"),
        ({"style_loss": "spectrum"}, "spectrum"),
        ({"style_loss": "remd"}, "feature vectors of relu1_1"),
        ({"style_layers": {"relu2_2": 1}}, "relu2_2"),
        ({"size": 48}, "size=32"),
        ({"min_size": 16}, "min_size"),
        ({"pooling": "l2"}, "pooling='max'"),
        ({"padding": "zeros"}, "padding='replicate'"),
        ({"style_scale": 2.0}, "style_scale"),
        ({"style_sizing": "physical"}, "style_sizing='fit'"),
        ({"color": "pca"}, "color='style'"),
        ({"channels": "grey"}, "channels"),
        ({"init": "style"}, "init='noise'"),
        ({"guide": LABELS, "style_guides": np.ones((64, 64), int)}, "style_guides"),
        ({"losses": [nst.OwnLoss("own", Same())]}, "own"),
    ],
)
def test_runs_that_it_does_not_fit_are_refused_before_they_start(quick, fields, named):
    target = measured(STYLE, recipe=quick())
    with pytest.raises(ValueError, match=named):
        nst.stylize(CONTENT, target, quick(), **fields)


def test_a_texture_of_small_images_needs_a_target_of_their_size(quick):
    small, recipe = STYLE[:24, :24].copy(), quick(init="noise")
    with pytest.raises(ValueError, match="size=24"):
        nst.synthesize(measured(small, recipe=recipe), recipe)
    nst.synthesize(measured(small, recipe=recipe, size=24), recipe)


def test_the_weights_must_be_those_that_it_was_made_with(quick, untrained, monkeypatch):
    target = measured(STYLE, recipe=quick())
    object.__setattr__(target, "weights_sha256", "another")
    with pytest.raises(ValueError, match="weights"):
        next(nst.stylize(CONTENT, target, quick()))


@pytest.mark.parametrize(
    "call",
    [
        lambda target, quick: nst.synthesize(target, quick(), into=CONTENT, region=LABELS),
        lambda target, quick: nst.synthesize_solid(
            target, (16, 16, 16), quick(optimizer="adam", init="noise")
        ),
        lambda target, quick: nst.gram_view(
            nst.order_to_stylize(CONTENT, target, quick()), CONTENT[:32, :32], "relu1_1"
        ),
        lambda target, quick: nst.stylize(CONTENT, target, quick(size=0)),
    ],
)
def test_functions_that_need_images_refuse_it(quick, call):
    with pytest.raises(ValueError, match="target"):
        call(measured(STYLE, recipe=quick()), quick)


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ([], {}),
        (STYLE, {}),
        (["no.png"], {}),
        ([STYLE, STYLE[:1]], {}),
        ([STYLE], {"size": 0}),
        ([STYLE], {"style_blend": (1, 2)}),
        ([STYLE], {"style_loss": "autocorrelation"}),
        ([STYLE], {"style_weight": 0}),
        ([STYLE], {"sise": 32}),
    ],
)
def test_no_target_is_made_of_wrong_input(quick, given, fields):
    with pytest.raises((TypeError, ValueError, OSError)):
        nst.StyleTarget.from_images(given, quick(), **fields)


def test_grey_targets_are_for_all_runs_and_those_in_colour_for_runs_in_colour(quick):
    grey = measured(STYLE, recipe=quick(channels="grey"))
    content = CONTENT[..., 0]
    same = nst.stylize(content, STYLE, quick())
    assert next(nst.stylize(content, grey, quick())).losses == nearly(next(same).losses)
    with pytest.raises(ValueError, match="channels"):
        nst.stylize(content, measured(STYLE, recipe=quick()), quick())


def test_a_run_can_be_steered_from_one_target_to_another(quick):
    one, other = (measured(image, recipe=quick()) for image in (STYLE, OTHER))
    steering = nst.Steering()
    run = nst.stylize(CONTENT, [one, other], quick(), style_blend=(1, 0), steering=steering)
    before = next(run).losses["style"]
    steering.change(style_blend=(0, 1))
    next(run)
    steering.restyle([other])
    steering.change(style_blend=())
    *_, last = run
    assert last.losses["style"] != before
    assert [sorted(one) for one in last.record()["steered"]] == [
        ["after_step", "style_blend"],
        ["after_step", "style_blend", "styles"],
    ]
