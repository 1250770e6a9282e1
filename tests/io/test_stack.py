"""Pages and channels of files that hold several."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_nst.io.image_files.read_image import decode_image

STACK = np.arange(3 * 2 * 4 * 5, dtype=np.uint8).reshape(3, 2, 4, 5)


@pytest.fixture(params=["imagej", "ome", "pages"])
def stack(request, tmp_path):
    """A stack of three pages with two channels; as plain pages, of six pages."""
    path = tmp_path / ("a.ome.tif" if request.param == "ome" else "a.tif")
    kind = {} if request.param == "pages" else {request.param: True, "metadata": {"axes": "ZCYX"}}
    stored = STACK.reshape(6, 4, 5) if request.param == "pages" else STACK
    tifffile.imwrite(path, stored, photometric="minisblack", **kind)
    return path, request.param != "pages"


def test_a_page_and_a_channel_are_read(stack):
    path, has_channels = stack
    if has_channels:
        image = decode_image(path, 3, 2)
        assert image.plane == {"page": 3, "channel": 2}
    else:
        image = decode_image(path, 6)
        assert image.plane == {"page": 6}
    np.testing.assert_array_equal(image.pixels, STACK[2, 1])


def test_what_is_missing_or_out_of_range_is_named(stack):
    path, has_channels = stack
    with pytest.raises(ValueError, match=r"a\..*`page`") as told:
        decode_image(path)
    assert ("`channel`" in str(told.value)) == has_channels
    with pytest.raises(ValueError, match="`page`"):
        decode_image(path, 7, 1)


def test_pages_of_several_sizes_are_counted_as_they_are_stored(tmp_path):
    path = tmp_path / "a.tif"
    for side in (4, 6):
        tifffile.imwrite(path, np.full((side, 5), side, np.uint8), append=True)
    np.testing.assert_array_equal(decode_image(path, 2).pixels, np.full((6, 5), 6))


def test_a_channel_that_is_no_colour_is_read(tmp_path):
    path = tmp_path / "a.tif"
    planes = np.moveaxis(STACK[0], 0, -1)
    tifffile.imwrite(path, planes, photometric="minisblack", planarconfig="contig")
    image = decode_image(path, channel=2)
    np.testing.assert_array_equal(image.pixels, STACK[0, 1])
    assert image.plane == {"channel": 2}
    with pytest.raises(ValueError, match="`channel`"):
        decode_image(path)


@pytest.mark.parametrize("ending", ["gif", "png"])
def test_a_frame_of_an_animation_is_read(tmp_path, ending):
    frames = [Image.fromarray(np.full((4, 5, 3), value, np.uint8)) for value in (0, 255)]
    frames[0].save(tmp_path / f"a.{ending}", save_all=True, append_images=frames[1:])
    image = decode_image(tmp_path / f"a.{ending}", 2)
    assert image.pixels[..., :3].min() == 255
    assert image.plane == {"page": 2}
    with pytest.raises(ValueError, match="`page`"):
        decode_image(tmp_path / f"a.{ending}")


def test_a_page_is_not_chosen_from_a_file_with_one(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", STACK[0, 0])
    assert decode_image(tmp_path / "a.tif", 2).plane == {}
