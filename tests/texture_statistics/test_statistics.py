"""`nst.statistics`: the table, its yardstick, units, masks, volumes and errors."""

import csv
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import tifffile
from napari.layers import Image
from PIL import Image as PillowImage

import napari_nst as nst
from napari_nst.io.image_files.calibration import Calibration
from napari_nst.io.image_files.write_image import write_image
from tests.helpers.two_phases import discs

GRAVEL, GRASS = skimage.data.gravel(), skimage.data.grass()
EXEMPLAR = GRAVEL[256:, 256:]


def measured(image=GRAVEL[:256, :256], exemplar=EXEMPLAR, **options):
    return nst.statistics(image, exemplar, **{"gram": False, **options})


def ratios(found):
    return {row.name: row.ratio for row in found.rows if math.isnan(row.image)}


def test_another_part_of_the_texture_is_as_near_as_crops_are_and_another_texture_is_not():
    same = ratios(measured())
    other = ratios(measured(GRASS[:256, :256]))
    assert set(same) == {
        "S2", "lineal path", "chord lengths", "power spectrum", "grey histogram"
    }  # fmt: skip
    assert max(same.values()) < 1.3
    assert min(other.values()) > 2


@pytest.mark.network
def test_gram_matrices_at_layers_that_the_recipe_does_not_optimise():
    recipe = nst.preset("texture", style_layers={"relu1_2": 1, "relu2_1": 1}, phases=())
    same = measured(GRAVEL[:160, :160], GRAVEL[200:360, 200:360], gram=True, recipe=recipe)
    names = [row.name for row in same.rows if row.name.startswith("Gram")]
    assert names == ["Gram relu2_2", "Gram relu3_2", "Gram relu3_4", "Gram relu4_2", "Gram relu4_4"]
    other = measured(GRASS[:160, :160], GRAVEL[200:360, 200:360], gram=True, recipe=recipe)
    for name in names:
        assert other[name].ratio > 1.4 > same[name].ratio


def test_lengths_have_units():
    pixels, lengths = measured(), measured(scale=0.25, unit="mm")
    for name, factor, unit in (
        ("correlation length", 0.25, "mm"),
        ("correlation length y", 0.25, "mm"),
        ("mean chord x", 0.25, "mm"),
        ("boundary per area", 4, "1/mm"),
        ("Euler number per area", 16, "1/mm²"),
        ("chord lengths", 0.25, "mm"),
        ("volume fraction", 1, ""),
    ):
        assert lengths[name].unit == unit
        for value in ("image", "exemplar", "distance", "between_crops"):
            expected = getattr(pixels[name], value) * factor
            assert getattr(lengths[name], value) == pytest.approx(expected, nan_ok=True)
        assert lengths[name].ratio == pytest.approx(pixels[name].ratio)
    assert lengths.curve("S2").x[-1] == pytest.approx(pixels.curve("S2").x[-1] / 4)
    assert "mm" in lengths.curve("S2").x_label


def test_files_and_layers_bring_their_own_units(tmp_path):
    calibration = Calibration((256, 256), (0.5, 0.5), "um")
    write_image(tmp_path / "e.tif", EXEMPLAR, 8, calibration=calibration)
    in_file = measured(exemplar=tmp_path / "e.tif")
    layer = Image(EXEMPLAR, scale=(500, 500), units="nm")
    for found in (in_file, measured(exemplar=layer)):
        assert found["correlation length"].unit == "µm"
        assert found["correlation length"].exemplar == pytest.approx(
            measured()["correlation length"].exemplar / 2
        )
    with pytest.raises(ValueError, match="give `scale` for both"):
        measured(Image(GRAVEL, scale=(0.4, 0.4), units="um"), exemplar=layer)
    assert measured(GRAVEL, layer, scale=2)["correlation length"].image == pytest.approx(
        2 * measured(GRAVEL)["correlation length"].image
    )


def test_phases_are_those_of_the_threshold():
    levels = np.where(discs((128, 128), 60, 8), 0.3, 0.7)
    bright, dark = measured(levels, levels), measured(levels, levels, phase="dark")
    fraction = (levels > 0.5).mean()
    assert bright["volume fraction"].image == pytest.approx(fraction)
    assert dark["volume fraction"].image == pytest.approx(1 - fraction)
    assert measured(levels, levels, threshold=0.8)["volume fraction"].image == 0
    assert measured(levels, levels, threshold="half")["volume fraction"].image == pytest.approx(0.5)
    # Otsu's threshold is that of the exemplar: a darker image has less of the phase.
    assert measured(levels * 0.4, levels)["volume fraction"].image == 0
    whole = measured(levels > 0.5, levels > 0.5)
    assert whole["volume fraction"].image == pytest.approx(fraction)


def test_only_pixels_inside_the_masks_count():
    image, exemplar = GRAVEL[:256, :256].copy(), EXEMPLAR.copy()
    labels = np.zeros(image.shape, int)
    labels[:, :160] = 3
    image[:, 160:] = GRASS[:256, 160:256]
    exemplar[:, 160:] = 0
    found = measured(image, exemplar, mask=labels, exemplar_mask=labels > 0)
    cropped = measured(image[:, :160], exemplar[:, :160])
    for name in ("mean lightness", "boundary per area", "mean chord y", "correlation length y"):
        assert found[name].image == pytest.approx(cropped[name].image, rel=0.05)
    assert found.crop == cropped.crop == (128, 80)
    for name in ("S2", "lineal path", "power spectrum", "grey histogram"):
        assert found[name].ratio == pytest.approx(cropped[name].ratio, rel=0.2)
    holes = labels * (np.arange(256) % 50 > 5)[:, None]
    pierced = measured(np.where(holes, image, 255), exemplar, mask=holes, exemplar_mask=labels)
    spoiled = measured(np.where(holes, image, 255), exemplar, mask=labels, exemplar_mask=labels)
    assert pierced["S2"].ratio < 2
    assert pierced["grey histogram"].ratio < 2 < spoiled["grey histogram"].ratio
    transparent = np.dstack([image] * 3 + [np.where(labels > 0, 255, 0).astype(np.uint8)])
    by_alpha = measured(transparent, exemplar, exemplar_mask=labels)
    assert by_alpha["S2"].distance == pytest.approx(found["S2"].distance, abs=1e-3)


def test_anisotropic_textures_differ_along_their_axes():
    stripes = np.tile(np.arange(192) % 16 < 6, (192, 1))
    found = measured(stripes, stripes.T)
    assert found["mean chord x"].image == 6
    assert math.isnan(found["mean chord y"].image)
    assert found["mean chord y"].exemplar == 6
    assert found["anisotropy of the spectrum"].image > 0.9
    row = found["correlation length x"]
    assert row.image < 4
    assert math.isnan(row.exemplar)
    assert found["S2"].ratio > 5


def test_a_volume_is_measured_as_a_whole_and_in_slices_beside_an_image(tmp_path):
    volume = discs((48, 56, 64), 60, 7)
    other = discs((48, 56, 64), 60, 7, seed=3)
    found = measured(volume, other, scale=(0.5, 0.5, 0.5))
    assert found.crop == (24, 28, 32)
    assert found["surface per volume"].unit == "1/µm"
    assert max(ratios(found).values()) < 2
    assert found["volume fraction"].image == pytest.approx(volume.mean())
    assert {"S2 z", "lineal path y", "chord lengths x"} <= set(found.curve_names)
    # Anything longer along z than across is seen along z.
    longer = discs((48, 56, 64), 60, 7).repeat(2, axis=0)
    stretched = measured(longer, other)
    assert stretched["mean chord z"].image > 1.7 * stretched["mean chord x"].image
    slices = measured(volume, other[10])
    assert slices.crop == (28, 32)
    assert slices["volume fraction"].image == pytest.approx(volume.mean(), abs=0.05)
    assert "boundary per area" in [row.name for row in slices.rows]


OME = {"PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.5, "PhysicalSizeZ": 1000}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        (
            "volume.tif",
            {
                "imagej": True, "resolution": (2, 2),
                "metadata": {"axes": "ZYX", "spacing": 1.0, "unit": "um"},
            },
        ),
        ("volume.ome.tif", {"metadata": {"axes": "ZYX", **OME, "PhysicalSizeZUnit": "nm"}}),
    ],
)  # fmt: skip
def test_lengths_in_a_volume_are_those_that_its_file_has(tmp_path, name, options):
    volume = discs((48, 56, 64), 60, 7)
    tifffile.imwrite(
        tmp_path / name, volume.astype(np.uint8) * 255, photometric="minisblack", **options
    )
    found = measured(volume, exemplar=None, scale=(1, 0.5, 0.5))
    in_file = measured(tmp_path / name, exemplar=None)
    for row in ("correlation length", "correlation length z", "mean chord x"):
        assert in_file[row].unit == "µm"
        assert in_file[row].image == pytest.approx(found[row].image)
    assert in_file["surface per volume"].image == found["surface per volume"].image


def test_without_exemplar_the_crops_are_the_images_own():
    found = measured(exemplar=None)
    assert all(math.isnan(row.exemplar) and math.isnan(row.distance) for row in found.rows)
    assert found["volume fraction"].between_crops > 0
    assert not ratios(found)
    assert "exemplar" not in found.table[0]


def test_copied_squares():
    texture = GRAVEL[:96, :96].copy()
    texture[20:60, 30:70] = EXEMPLAR[40:80, 50:90]
    assert nst.copy_score(texture, PillowImage.fromarray(EXEMPLAR[:128, :128])) == 40
    row = measured(texture, EXEMPLAR[:128, :128], copies=True)["largest copied square"]
    assert row.image == 40
    assert row.between_crops < 20
    with pytest.raises(ValueError, match="`copies`"):
        measured(exemplar=None, copies=True)
    with pytest.raises(ValueError, match="`image` is a volume"):
        nst.copy_score(np.zeros((40, 40, 40)), EXEMPLAR)


def test_the_table_and_the_curves_are_read_back(tmp_path):
    found = measured(scale=0.5)
    found.to_csv(tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == [row.name for row in found.rows]
    for row, expected in zip(rows, found.rows, strict=True):
        for name in ("image", "exemplar", "distance", "between_crops", "ratio"):
            value = float(row[name] or "nan")
            assert value == pytest.approx(getattr(expected, name), nan_ok=True)
        assert row["unit"] == expected.unit
    found.curves_to_csv(tmp_path / "curves.csv")
    with (tmp_path / "curves.csv").open(encoding="utf-8", newline="") as file:
        points = [row for row in csv.DictReader(file) if row["curve"] == "S2"]
    np.testing.assert_allclose([float(point["x"]) for point in points], found.curve("S2").x)
    np.testing.assert_allclose([float(p["exemplar"]) for p in points], found.curve("S2").exemplar)
    assert points[0]["x_label"] == "distance (µm)"
    lines = repr(found).splitlines()
    assert len(lines) == len(found.rows) + 3
    assert "128 × 128" in lines[-1]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"image": np.zeros((20, 300), np.uint8)}, "image"),
        ({"image": np.zeros((40, 40, 40, 40))}, "image"),
        ({"exemplar": np.full((64, 64), 3.0)}, "exemplar"),
        ({"exemplar": np.zeros((64, 64, 64))}, "exemplar"),
        ({"image": Path("nowhere.png")}, "image"),
        ({"mask": np.ones((9, 9), bool)}, "mask"),
        ({"mask": np.zeros((256, 256), bool)}, "mask"),
        ({"exemplar_mask": np.ones((256, 256))}, "exemplar_mask"),
        ({"exemplar": None, "exemplar_mask": np.ones((256, 256), bool)}, "exemplar_mask"),
        ({"scale": 0}, "scale"),
        ({"scale": (1, 2, 3)}, "scale"),
        ({"threshold": "mean"}, "threshold"),
        ({"threshold": 200}, "threshold"),
        ({"phase": "black"}, "phase"),
        ({"gram": True, "recipe": "no such preset"}, "recipe"),
    ],
)
def test_wrong_arguments_are_named(options, named):
    with pytest.raises((ValueError, TypeError, FileNotFoundError)) as error:
        measured(**options)
    assert named in str(error.value)


def test_voxels_that_are_no_cubes_are_refused_beside_an_image():
    volume = np.random.default_rng(0).random((40, 40, 40))
    with pytest.raises(ValueError, match="cubes"):
        measured(volume, volume[0], scale=(2, 1, 1))


def test_it_needs_no_torch():
    code = (
        "import numpy, sys, napari_nst as nst; image = numpy.random.rand(64, 64); "
        "nst.statistics(image, image, gram=False); nst.copy_score(image, 1 - image); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
