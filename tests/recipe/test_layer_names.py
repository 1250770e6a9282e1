"""The vocabulary of layers."""

import pytest

from napari_nst.recipe.layer_names import CONVOLUTIONS, LAYER_NAMES, canonical_layer

BLOCKS = {1: 2, 2: 2, 3: 4, 4: 4, 5: 4}
"""Table 1 of Simonyan & Zisserman 2014, column E."""


def test_layers_are_those_of_vgg19_in_order():
    expected = []
    for block, convolutions in BLOCKS.items():
        for index in range(1, convolutions + 1):
            expected += [f"conv{block}_{index}", f"relu{block}_{index}"]
        expected.append(f"pool{block}")
    assert list(LAYER_NAMES) == expected
    assert len(LAYER_NAMES) == 37


def test_there_are_sixteen_convolutions():
    assert len(CONVOLUTIONS) == 16
    assert CONVOLUTIONS[0] == "conv1_1"
    assert CONVOLUTIONS[-1] == "conv5_4"


@pytest.mark.parametrize("name", LAYER_NAMES)
def test_a_canonical_name_stays_what_it_is(name):
    assert canonical_layer(name) == name


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("conv_1", "conv1_1"),
        ("conv_4", "conv2_2"),
        ("conv_5", "conv3_1"),
        ("conv_10", "conv4_2"),
        ("conv_16", "conv5_4"),
        ("block1_conv1", "relu1_1"),
        ("block4_conv2", "relu4_2"),
        ("block5_conv2", "relu5_2"),
        ("block5_conv4", "relu5_4"),
        ("block1_pool", "pool1"),
        ("block5_pool", "pool5"),
    ],
)
def test_an_alias_is_its_canonical_layer(alias, name):
    assert canonical_layer(alias) == name


def test_counted_convolutions_are_before_their_rectifiers():
    assert [canonical_layer(f"conv_{k}") for k in range(1, 17)] == list(CONVOLUTIONS)


def test_kerass_convolutions_are_after_their_rectifiers():
    named = [f"block{block}_conv{i}" for block, n in BLOCKS.items() for i in range(1, n + 1)]
    assert [canonical_layer(name) for name in named] == [
        name.replace("conv", "relu") for name in CONVOLUTIONS
    ]


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("relu4-2", "relu4_2"),
        ("Relu4_2", "relu4_2"),
        ("relu1_3", "relu"),
        ("conv_17", "conv_"),
        ("block5_con2", "block5_conv2"),
        ("pool6", "pool"),
    ],
)
def test_a_name_that_is_nearly_right_is_answered_with_the_one_meant(wrong, meant):
    with pytest.raises(ValueError, match=f"^VGG-19 has no layer '{wrong}'; did you mean '{meant}"):
        canonical_layer(wrong)


@pytest.mark.parametrize("wrong", ["", "fc8", "42", 7, None])
def test_a_name_that_is_like_none_is_answered_with_the_range(wrong):
    with pytest.raises(ValueError, match=r"use one from conv1_1 … relu5_4, pool5\.$"):
        canonical_layer(wrong)
