"""Convolutions in blocks of rows, compared with torch's convolution of all rows."""

import pytest
import torch
from torch import nn

from napari_nst.engine.vgg import conv
from napari_nst.engine.vgg.conv import Convolution

MODES = ["zeros", "replicate", "reflect", "circular"]


def convolution(mode, channels=64):
    torch.manual_seed(0)
    module = nn.Conv2d(64, channels, 3, padding=1, padding_mode=mode).requires_grad_(False)
    return Convolution(module.to(memory_format=torch.channels_last))


def channels_last(*shape):
    return torch.randn(*shape).contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("channels", "rows"), [(64, 1), (128, 5), (64, 22)])
def test_blocks_of_rows_give_the_same_output_and_gradient(monkeypatch, mode, channels, rows):
    ours = convolution(mode, channels)
    features = channels_last(1, 64, 23, 17).requires_grad_()
    output = ours.module(features)
    by_output = channels_last(*output.shape)
    (by_features,) = torch.autograd.grad(output, features, by_output)
    monkeypatch.setattr(conv, "BLOCK", 64 * 17 * rows)
    close = {"rtol": 1e-5, "atol": 1e-5}
    torch.testing.assert_close(ours.forward(features.detach())[0], output.detach(), **close)
    before = by_output.clone()
    torch.testing.assert_close(ours.backward(by_output), by_features, **close)
    assert torch.equal(by_output, before)
    in_place = ours.backward(by_output, in_place=True)
    torch.testing.assert_close(in_place, by_features, **close)
    assert (in_place.data_ptr() == by_output.data_ptr()) is (channels == 64)
    # torch adds other gradients to a contiguous gradient in place.
    assert in_place.is_contiguous(memory_format=torch.channels_last)
