"""Images of callers become float32 RGB in [0, 1], or an error names the argument."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

import napari_nst as nst
from napari_nst.engine.job.guides import read_guides
from napari_nst.engine.job.input_image import as_rgb, read_input, shape_fitting

IMAGE = np.random.default_rng(0).random((4, 5, 3))


@pytest.mark.parametrize(
    ("dtype", "white"), [("uint8", 255), ("<u2", 65535), (">u2", 65535), ("float16", 1), (">f4", 1)]
)
def test_every_accepted_type_spans_black_to_white(dtype, white):
    rgb = as_rgb(np.array([[0, white // 5 if white > 1 else 0.2, white]]).astype(dtype))
    assert rgb.shape == (1, 3, 3)
    assert rgb.dtype == np.float32
    assert rgb.dtype.isnative
    np.testing.assert_allclose(rgb[0, :, 1], [0, 0.2, 1], atol=1e-4)


def test_channels_keep_their_order_and_alpha_is_dropped():
    np.testing.assert_allclose(as_rgb(IMAGE), IMAGE, rtol=1e-6)
    with_alpha = np.concatenate([IMAGE, IMAGE[..., :1]], axis=-1)
    np.testing.assert_array_equal(as_rgb(with_alpha), as_rgb(IMAGE))


@pytest.mark.parametrize("make", [np.ndarray.tolist, torch.from_numpy], ids=["list", "tensor"])
def test_array_likes_are_accepted(make):
    np.testing.assert_allclose(as_rgb(make(IMAGE)), IMAGE, rtol=1e-6)


def test_alpha_and_metadata_are_read():
    array = np.full((4, 5, 4), 255, np.uint8)
    assert read_input(array, "content").alpha is None
    array[0, 0, 3] = 51
    image = read_input(array, "content")
    assert image.alpha[0, 0] == pytest.approx(0.2)
    assert (image.metadata["shape"], image.metadata["dtype"]) == ([4, 5, 4], "uint8")
    assert len(image.metadata["sha256"]) == 64
    assert image.cropped((slice(0, 2), slice(1, 5))).shape == (2, 4)


def test_rounding_errors_outside_the_range_are_clipped():
    np.testing.assert_array_equal(as_rgb([[-0.0005, 1.0005]])[0, :, 0], [0, 1])


@pytest.mark.parametrize(
    ("image", "error", "told"),
    [
        ("a.png", FileNotFoundError, "is the file a.png"),
        (Path("a.png"), FileNotFoundError, "is the file a.png"),
        ([[1, 2], [3]], TypeError, "cannot be read as an array"),
        (None, TypeError, "must be an image"),
        (b"PNG", TypeError, "must be an image"),
        (["a.png"], TypeError, "must be an image"),
        (".", IsADirectoryError, "is the folder"),
        (np.zeros(5), ValueError, r"must be an image .* its shape is \(5,\)"),
        (np.zeros((4, 5, 2)), ValueError, r"must be an image .* its shape is \(4, 5, 2\)"),
        (np.zeros((9, 4, 5)), ValueError, r"must be an image .* stack of 9.* stack\[4\]"),
        (np.zeros((9, 4, 5, 3)), ValueError, r"must be an image .* stack\[4\]"),
        (np.zeros((3, 4, 5)), ValueError, "must be an image .*moveaxis"),
        (np.zeros((4, 5, 1)), ValueError, r"must be an image .* image\[..., 0\]"),
        (np.zeros((5, 0, 3)), ValueError, "must have at least one pixel"),
        (np.zeros((4, 5), bool), TypeError, "must be .* its type is bool"),
        (np.full((4, 5), -np.inf), ValueError, "has pixels that are NaN or infinite"),
        (np.array([[0.0, 255.0]]), ValueError, "must be in .* from 0 to 255.* by 255"),
        (np.array([[0, 255]]), TypeError, "must be .* its type is int64.*uint8"),
    ],
)
def test_arrays_that_are_no_images_are_refused(image, error, told):
    with pytest.raises(error, match=f"^.style. {told}"):
        as_rgb(image, "style")


@pytest.mark.parametrize("shape", [(300, 400), (33, 4000), (512, 1)])
@pytest.mark.parametrize("longest", [1, 91])
def test_fitting_keeps_the_aspect_and_at_least_one_pixel(shape, longest):
    fitting = shape_fitting(shape, longest)
    assert max(fitting) == longest
    for side, before in zip(fitting, shape, strict=False):
        assert abs(side - max(1, before * longest / max(shape))) <= 0.5


# Images of Pillow

SMALL = Image.fromarray((IMAGE * 255).astype(np.uint8))


def turned(image):
    """Say that an image is to be rotated clockwise by 90 degrees."""
    image = image.copy()
    image.getexif()[0x0112] = 6
    return image


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (SMALL.quantize(8), SMALL.quantize(8).convert("RGB")),
        (Image.new("CMYK", (5, 4), (0, 255, 255, 0)), Image.new("RGB", (5, 4), "red")),
        (SMALL.convert("1"), SMALL.convert("1").convert("RGB")),
        (turned(SMALL), SMALL.transpose(Image.Transpose.ROTATE_270)),
    ],
    ids=["P", "CMYK", "1", "turned"],
)
def test_images_of_pillow_are_read_as_they_look(image, expected):
    found = read_input(image, "content")
    np.testing.assert_allclose(found.rgb, np.asarray(expected) / 255, atol=1e-6)
    assert found.alpha is None
    np.testing.assert_array_equal(as_rgb(image), found.rgb)


def test_grey_with_alpha_is_grey():
    image = SMALL.convert("LA")
    image.putpixel((2, 1), (40, 0))
    found = read_input(image, "style")
    assert found.is_grey
    assert (found.alpha[1, 2], found.alpha.sum()) == (0, 19)
    np.testing.assert_allclose(found.rgb[..., 1], np.asarray(image)[..., 0] / 255, atol=1e-6)


def test_labels_of_pillow_are_turned_as_their_image():
    labels = Image.fromarray(np.arange(20, dtype=np.uint8).reshape(4, 5), mode="P")
    image = turned(SMALL)
    guides = read_guides(turned(labels), None, read_input(image, "content").shape, [(4, 5)])
    np.testing.assert_array_equal(guides.content, np.rot90(np.asarray(labels), -1))


def test_other_modes_and_masked_arrays_are_refused():
    with pytest.raises(ValueError, match=r"content.*mode 'LAB'"):
        read_input(Image.new("LAB", (5, 4)), "content")
    with pytest.raises(ValueError, match=r"guide.* colours or alpha"):
        read_guides(SMALL, None, (4, 5), [(4, 5)])
    with pytest.raises(ValueError, match=r"style.* masked"):
        read_input(np.ma.masked_greater(IMAGE, 0.5), "style")


@pytest.mark.parametrize("alpha", [1, 100, 127])
def test_any_alpha_above_0_is_seen(alpha):
    array = np.full((4, 5, 4), alpha, np.uint8)
    array[0, 0, 3] = 0
    image = read_input(array, "content")
    assert image.alpha.max() == pytest.approx(alpha / 255)
    assert (image.weights[0, 0], image.weights[1:].min()) == (0, 1)
    array[..., 3] = 0
    with pytest.raises(ValueError, match=r"content.* transparent"):
        read_input(array, "content")


def test_a_file_that_ends_too_early_is_named(tmp_path):
    SMALL.resize((300, 300)).save(tmp_path / "cut.png")
    data = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    with (
        Image.open(tmp_path / "cut.png") as image,
        pytest.raises(ValueError, match=r"style.* cannot be read"),
    ):
        read_input(image, "style")


# Files and layers of napari


def test_a_file_is_read_as_in_the_terminal(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    SMALL.save("small.png")
    for path in ("small.png", Path("small.png")):
        found = read_input(path, "content")
        np.testing.assert_array_equal(found.rgb, as_rgb(SMALL))
        where = {"name": "small.png", "path": str(tmp_path / "small.png")}
        assert {name: found.metadata[name] for name in where} == where
    deep = np.arange(20, dtype=np.uint16).reshape(4, 5) * 100
    tifffile.imwrite("deep.tif", deep, imagej=True, metadata={"min": 0.0, "max": 1900.0})
    found = read_input("deep.tif", "content")
    np.testing.assert_allclose(found.rgb[..., 0], deep / 1900, atol=1e-6)
    assert found.metadata["limits"] == [0, 1900]
    Path("text.png").write_text("no image")
    with pytest.raises(ValueError, match=r"text\.png"):
        read_input("text.png", "content")


def test_labels_are_read_from_files(tmp_path):
    labels = np.arange(20, dtype=np.uint8).reshape(4, 5)
    Image.fromarray(labels).save(tmp_path / "labels.png")
    guides = read_guides(tmp_path / "labels.png", str(tmp_path / "labels.png"), (4, 5), [(4, 5)])
    np.testing.assert_array_equal(guides.content, labels)
    np.testing.assert_array_equal(guides.styles[0], labels)
    with pytest.raises(FileNotFoundError, match=r"guide.* .*none\.png"):
        read_guides("none.png", None, (4, 5), [(4, 5)])


class Layer:
    """What is used of napari's layers; `tests/viewer` has one of napari itself."""

    def __init__(self, data, kind="image", **state):
        self.state = {"name": "mine", "rgb": False, "contrast_limits": [0, 255], **state}
        self.data, self.kind = data, kind

    def as_layer_data_tuple(self):
        return self.data, self.state, self.kind


BYTES = np.asarray(SMALL)


@pytest.mark.parametrize(
    ("layer", "expected", "dtype"),
    [
        (Layer(BYTES, rgb=True), BYTES / 255, "uint8"),
        (Layer(BYTES[None, ..., 0]), BYTES[..., 0] / 255, "uint8"),
        (Layer([BYTES[..., 0], None], multiscale=True), BYTES[..., 0] / 255, "uint8"),
        (
            Layer(BYTES[..., 0], contrast_limits=[50, 100]),
            np.clip((BYTES[..., 0] - 50.0) / 50, 0, 1),
            "float32",
        ),
    ],
)
def test_a_layer_is_read_as_it_looks(layer, expected, dtype):
    found = read_input(layer, "style")
    rgb = expected if expected.ndim == 3 else np.repeat(expected[..., None], 3, axis=-1)
    np.testing.assert_allclose(found.rgb, rgb, atol=1e-6)
    assert (found.metadata["name"], found.metadata["dtype"]) == ("mine", dtype)


def test_layers_of_stacks_and_of_other_types_are_refused():
    with pytest.raises(ValueError, match=r"style.* .*'mine'.* 9 slices.*layer\.data\[4\]"):
        read_input(Layer(np.zeros((9, 4, 5), np.uint8)), "style")
    with pytest.raises(TypeError, match=r"style.* .*'mine' of points.* image"):
        read_input(Layer(np.zeros((9, 2)), "points"), "style")
    labels = Layer(np.ones((4, 5), int), "labels")
    assert read_guides(labels, None, (4, 5), [(4, 5)]).labels == (1,)


# Whatever is handed in


SIDES = st.integers(1, 3)
IMAGES = st.tuples(SIDES, SIDES) | st.tuples(SIDES, SIDES, st.integers(2, 4))


@given(
    arrays.arrays(
        st.sampled_from(["u1", ">u2", "f4"]) | arrays.scalar_dtypes() | arrays.array_dtypes(),
        IMAGES | arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
    )
)
def test_any_array_is_an_image_or_is_refused_by_name(array):
    refusal, found = "", None
    try:
        found = read_input(array, "style")
    except (TypeError, ValueError) as error:
        refusal = str(error)
    if found is None:
        assert "`style` " in refusal
        assert refusal.endswith(".")
        return
    assert found.rgb.shape == (*array.shape[:2], 3)
    assert found.rgb.dtype == np.float32
    assert 0 <= found.rgb.min() <= found.rgb.max() <= 1
    assert found.is_grey == (array.ndim == 2)
    if found.alpha is not None:
        assert found.weights.max() == 1


def test_one_image_of_a_file_that_has_several(tmp_path):
    path = tmp_path / "stack.tif"
    stack = np.random.default_rng(0).integers(0, 65536, (3, 2, 8, 9), np.uint16)
    tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "ZCYX"})
    one = read_input(nst.ImageFile(path, page=3, channel=1), "content")
    np.testing.assert_allclose(one.rgb[..., 0], stack[2, 0] / 65535, atol=1e-6)
    assert (one.metadata["page"], one.metadata["channel"]) == (3, 1)
    with pytest.raises(ValueError, match=r"content.*stack\.tif.*ImageFile"):
        read_input(path, "content")
    with pytest.raises(ValueError, match=r"stack\.tif.*1 to 3"):
        read_input(nst.ImageFile(path, page=4, channel=1), "content")
    tifffile.imwrite(path, stack[0, 0])
    assert read_input(nst.ImageFile(path, page=1), "content").shape == (8, 9)
    with pytest.raises(ValueError, match=r"`content`.*one page.*`page`"):
        read_input(nst.ImageFile(path, page=2), "content")
    with pytest.raises(ValueError, match="`page`"):
        nst.ImageFile(path, page=0)
