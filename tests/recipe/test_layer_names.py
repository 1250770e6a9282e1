"""The names of the layers and their aliases."""

import pytest

from napari_nst.recipe.layer_names import (
    LAYER_NAMES,
    canonical_layer,
    poolings_before,
)


def test_layers_are_those_of_vgg19_in_order():
    expected = []
    for block, convolutions in enumerate((2, 2, 4, 4, 4), start=1):  # Simonyan & Zisserman 2014, E
        for index in range(1, convolutions + 1):
            expected += [f"conv{block}_{index}", f"relu{block}_{index}"]
        expected.append(f"pool{block}")
    assert list(LAYER_NAMES) == expected
    assert [canonical_layer(name) for name in expected] == expected


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("conv_5", "conv3_1"),
        ("conv_16", "conv5_4"),
        ("block1_conv1", "relu1_1"),
        ("block5_conv4", "relu5_4"),
        ("block5_pool", "pool5"),
    ],
)
def test_an_alias_is_its_canonical_layer(alias, name):
    assert canonical_layer(alias) == name


def test_the_message_for_an_unknown_layer_suggests_another():
    with pytest.raises(ValueError, match=r"relu4-2.* mean 'relu4_2'"):
        canonical_layer("relu4-2")
    for wrong in ("", "fc8", None):
        with pytest.raises(ValueError, match=r"pool5\.$"):
            canonical_layer(wrong)


def test_poolings_up_to_a_layer_are_counted():
    layers = ("conv1_1", "relu1_2", "pool1", "conv2_1", "relu5_4", "pool5")
    assert [poolings_before(layer) for layer in layers] == [0, 0, 1, 1, 4, 5]
