"""Convolutions by strips, beside torch's of the whole and the gradient of it."""

import pytest
import torch
from torch import nn

from napari_nst.engine.vgg import strips
from napari_nst.engine.vgg.conv import Convolution

MODES = ["zeros", "replicate", "reflect", "circular"]


@pytest.fixture
def given():
    """Features of 23 rows, some convolution's kernels, and the gradient by its result."""
    torch.manual_seed(0)

    def make(mode, channels, dtype=torch.float32):
        module = nn.Conv2d(64, channels, 3, padding=1, padding_mode=mode).requires_grad_(False)
        features = torch.randn(1, 64, 23, 17, dtype=dtype).requires_grad_()
        return module.to(dtype).to(memory_format=torch.channels_last), _channels_last(features)

    return make


def _channels_last(features):
    return features.detach().contiguous(memory_format=torch.channels_last).requires_grad_()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("channels", [64, 128])
@pytest.mark.parametrize("rows", [1, 2, 5, 22, 23])
def test_strips_are_the_whole(given, monkeypatch, mode, channels, rows):
    module, features = given(mode, channels)
    result = module(features)
    by_result = _channels_last(torch.randn_like(result)).detach()
    (by_features,) = torch.autograd.grad(result, features, by_result)
    monkeypatch.setattr(strips, "STRIP", 64 * 17 * rows)
    convolution = Convolution(module)
    near = {"rtol": 1e-5, "atol": 1e-5}
    torch.testing.assert_close(convolution.forward(features.detach()), result.detach(), **near)
    before = by_result.clone()
    torch.testing.assert_close(convolution.backward(by_result), by_features, **near)
    assert torch.equal(by_result, before)
    torch.testing.assert_close(convolution.backward(by_result, is_own=True), by_features, **near)


@pytest.mark.parametrize("mode", MODES)
def test_a_result_takes_the_place_of_a_gradient_that_nobody_else_has(given, monkeypatch, mode):
    module, features = given(mode, 64)
    monkeypatch.setattr(strips, "STRIP", 64 * 17 * 4)
    gradient = features.detach()
    assert Convolution(module).backward(gradient).data_ptr() != gradient.data_ptr()
    assert Convolution(module).backward(gradient, is_own=True).data_ptr() == gradient.data_ptr()


@pytest.mark.parametrize("mode", MODES)
def test_other_gradients_can_be_added_to_a_result_in_place(given, monkeypatch, mode):
    """As torch does where numbers lie side by side, not in a part of something larger."""
    monkeypatch.setattr(strips, "STRIP", 64 * 17 * 4)
    module, features = given(mode, 64)
    result = Convolution(module).backward(features.detach())
    assert result.is_contiguous(memory_format=torch.channels_last)


def test_what_has_not_been_measured_goes_as_a_whole(given, monkeypatch):
    """Half precision, and features of fewer channels or more."""
    monkeypatch.setattr(strips, "STRIP", 1)
    taken = []
    rows = strips._rows
    monkeypatch.setattr(strips, "_rows", lambda *of: taken.append(of) or rows(*of))
    for dtype, count in ((torch.bfloat16, 0), (torch.float32, 23)):
        module, features = given("zeros", 64, dtype)
        Convolution(module).forward(features.detach())
        assert len(taken) == count
    taken.clear()
    for channels in (3, 256):
        other = nn.Conv2d(channels, 64, 3, padding=1).requires_grad_(False)
        Convolution(other).forward(torch.rand(1, channels, 9, 9))
    assert not taken
