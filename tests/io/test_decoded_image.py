"""Images of Pillow, colour profiles and display ranges become the pixels that are shown."""

import io
import itertools
import struct

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageCms

from napari_nst.io.image_files.decoded_image import DecodedImage, Unusable, decoded, from_pillow
from napari_nst.io.image_files.read_image import read_image

RGB = np.random.default_rng(0).integers(0, 256, (10, 13, 3), dtype=np.uint8)
GREY = RGB[..., 0]
ADOBE_RGB = imagecodecs.cms_profile("adobergb")
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def paletted(transparency=None):
    image = Image.fromarray(RGB).quantize(8)
    if transparency is not None:
        image.info["transparency"] = transparency
    return image


@pytest.mark.parametrize(
    ("image", "becomes"),
    [
        (Image.fromarray(GREY > 128), "L"),
        (Image.fromarray(GREY), "L"),
        (Image.fromarray(RGB).convert("LA"), "LA"),
        (Image.fromarray(RGB).convert("LA").convert("La"), "LA"),
        (paletted(), "RGB"),
        (paletted(3), "RGBA"),
        (paletted(bytes([0, 9, 200])), "RGBA"),
        (Image.fromarray(RGB).convert("RGBA").convert("RGBa"), "RGBA"),
        (Image.fromarray(RGB).convert("YCbCr"), "RGB"),
        (Image.fromarray(RGB).convert("HSV"), "RGB"),
    ],
    ids=lambda value: getattr(value, "mode", value),
)
def test_pillow_images_are_read_as_pillow_converts_them(image, becomes):
    found = from_pillow(image).pixels
    np.testing.assert_array_equal(found, np.asarray(image.convert(becomes)))
    assert found.dtype == np.uint8


def test_pillow_images_of_numbers_keep_them():
    deep = Image.fromarray(GREY.astype(np.uint16) * 257)
    for image in (deep, deep.convert("I")):
        np.testing.assert_array_equal(from_pillow(image).pixels, GREY.astype(np.uint16) * 257)
        assert from_pillow(image).pixels.dtype == np.uint16
    floats = (GREY / 255).astype(np.float32)
    np.testing.assert_array_equal(from_pillow(Image.fromarray(floats)).pixels, floats)


def test_cmyk_is_ink():
    image = Image.new("CMYK", (4, 4), (0, 255, 255, 0))
    np.testing.assert_array_equal(from_pillow(image).pixels[0, 0], [255, 0, 0])
    image = Image.new("CMYK", (4, 4), (0, 0, 0, 51))
    np.testing.assert_array_equal(from_pillow(image).pixels[0, 0], [204] * 3)


def test_other_modes_are_refused_by_name():
    with pytest.raises(Unusable, match="'LAB'"):
        from_pillow(Image.new("LAB", (4, 4)))


def with_profile(array, profile, ending):
    file = io.BytesIO()
    Image.fromarray(array).save(file, ending, icc_profile=profile, **OPTIONS.get(ending, {}))
    return file.getvalue()


OPTIONS = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}


@pytest.mark.parametrize("ending", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_a_wide_gamut_is_converted_and_srgb_is_left_alone(tmp_path, ending):
    """Pillow's conversion of the same pixels, which rounds in another way, is the reference."""
    flat = np.zeros((16, 16, 3), np.uint8)
    flat[:] = 90, 140, 110
    (tmp_path / "wide").write_bytes(with_profile(flat, ADOBE_RGB, ending))
    expected = ImageCms.profileToProfile(
        Image.fromarray(flat), io.BytesIO(ADOBE_RGB), ImageCms.createProfile("sRGB")
    )
    wide = read_image(tmp_path / "wide")
    assert np.abs(wide.astype(int) - np.asarray(expected)).max() <= 2
    assert wide[0, 0, 0] < 80  # Adobe's red is stronger
    (tmp_path / "srgb").write_bytes(with_profile(RGB, SRGB, ending))
    (tmp_path / "none").write_bytes(with_profile(RGB, None, ending))
    np.testing.assert_array_equal(read_image(tmp_path / "srgb"), read_image(tmp_path / "none"))


def test_profiles_are_applied_to_16_bits_and_grey_but_not_to_alpha():
    shallow = RGB // 4 + 96  # inside the gamut of sRGB
    deep = shallow.astype(np.uint16) * 257
    eight = decoded(shallow, profile=ADOBE_RGB).pixels
    sixteen = decoded(np.dstack([deep, deep[..., 0]]), profile=ADOBE_RGB).pixels
    assert np.abs(sixteen[..., :3] / 257 - eight).max() <= 1
    np.testing.assert_array_equal(sixteen[..., 3], deep[..., 0])
    linear = imagecodecs.cms_profile("gray", gamma=1.0)
    grey = decoded(np.array([[0, 64, 255]], np.uint8), profile=linear).pixels
    np.testing.assert_allclose(grey, [[0, 137, 255]], atol=1)  # sRGB's curve at a quarter


@pytest.mark.parametrize(
    "profile", [b"broken", SRGB[:200], imagecodecs.cms_profile("gray", gamma=1.0)]
)
def test_a_profile_that_does_not_fit_is_ignored(profile):
    np.testing.assert_array_equal(decoded(RGB, profile=profile).pixels, RGB)


def test_limits_become_black_and_white_and_alpha_stays():
    pixels = np.array([[[-5, 0], [100, 65535], [2097, 13107], [5000, 65535]]], np.int32)
    alpha = pixels[..., 1].astype(np.uint16)
    found = DecodedImage(np.dstack([pixels[..., 0].astype(np.uint16), alpha])).scaled((97, 4097))
    np.testing.assert_allclose(found.pixels[0, 1:, 0], [3 / 4000, 0.5, 1], atol=1e-6)
    np.testing.assert_allclose(found.pixels[..., 1], [[0, 1, 0.2, 1]], atol=1e-6)
    signed = DecodedImage(np.array([[-5, 0, 5]], np.int16))
    assert signed.extremes() == (-5, 5)
    np.testing.assert_allclose(signed.scaled(signed.extremes()).pixels, [[0, 0.5, 1]])
    constant = DecodedImage(np.full((2, 2), 7, np.uint16))
    assert np.isfinite(constant.scaled(constant.extremes()).pixels).all()
    assert DecodedImage(np.array([[np.nan, 1, np.inf, 3]])).extremes() == (1, 3)


def cmyk_profile():
    """Return a profile (ICC.1, lut8Type) of a printer whose inks are all equally grey."""
    ramp = bytes(range(256))
    table = bytearray()
    for corner in itertools.product((0, 1), repeat=4):
        table += bytes([round(255 * (1 - sum(corner) / 4)), 128, 128])  # L, a, b
    matrix = struct.pack(">9i", *(65536 * one for one in (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + matrix + ramp * 4 + bytes(table) + ramp * 3
    tags = struct.pack(">I4sII", 1, b"A2B0", 144, len(lut))
    header = struct.pack(">I4xI4s4s4s12x4s28x", 144 + len(lut), 0x02400000, b"prtr", b"CMYK",
                         b"Lab ", b"acsp")  # fmt: skip
    illuminant = struct.pack(">3i", 63190, 65536, 54061)  # D50
    return (header + illuminant).ljust(128, b"\0") + tags + lut


@pytest.mark.parametrize("ending", ["JPEG", "TIFF"])
def test_the_profile_of_inks_is_used(tmp_path, ending):
    for ink, expected in (((0, 255, 0, 0), 75), ((0, 0, 0, 0), 100), ((255,) * 4, 0)):
        image = Image.new("CMYK", (16, 16), ink)
        image.save(tmp_path / "a", ending, icc_profile=cmyk_profile())
        lightness = expected / 100  # L* → luminance → sRGB, for greys
        luminance = ((lightness * 100 + 16) / 116) ** 3 if lightness > 0.08 else lightness / 9.033
        wanted = 255 * (1.055 * luminance ** (1 / 2.4) - 0.055 if luminance > 0.0031308 else 0)
        assert np.abs(read_image(tmp_path / "a").astype(float) - wanted).max() < 4
