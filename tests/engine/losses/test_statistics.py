"""The statistics of features against NumPy's own in float64."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

import napari_nst as nst
from napari_nst.engine.losses import gram_matrix
from napari_nst.engine.losses.matrix_sqrt import square_root, trace_of_square_root
from tests.helpers.loss_features import features, mean_and_gram, soft_mask

SHAPES = [(1, 5, 7, 9), (1, 64, 6, 4), (1, 3, 1, 1), (1, 1, 4, 4)]


@pytest.mark.parametrize("shape", SHAPES)
def test_gram_matrix_is_the_mean_product_of_channels(shape):
    f = features(shape)
    np.testing.assert_allclose(gram_matrix(f)[0].numpy(), mean_and_gram(f)[1], rtol=1e-5, atol=1e-6)


def test_gram_matrices_of_a_batch_are_those_of_its_images():
    batch = features((3, 5, 4, 6))
    for image, gram in zip(batch.split(1), gram_matrix(batch), strict=True):
        torch.testing.assert_close(gram_matrix(image)[0], gram)


def test_gram_matrix_is_public():
    f = features((1, 4, 3, 3))
    torch.testing.assert_close(nst.losses.gram_matrix(f), gram_matrix(f))


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"as large as the features, 5 × 7; it is \(1, 1, 7, 5\)"):
        gram_matrix(features((1, 6, 5, 7)), soft_mask(7, 5))


def test_statistics_do_not_depend_on_where_features_are():
    f = features((1, 6, 5, 7))
    shuffled = f.flatten(2)[..., torch.randperm(35, generator=torch.Generator().manual_seed(0))]
    torch.testing.assert_close(gram_matrix(shuffled.view(1, 6, 7, 5)), gram_matrix(f))


def test_sums_over_many_positions_do_not_drown_in_half_precision():
    ones = torch.ones(1, 2, 200, 200, dtype=torch.bfloat16)
    torch.testing.assert_close(gram_matrix(ones), torch.ones(1, 2, 2))
    assert gram_matrix(ones * 200).isfinite().all()


def well_conditioned(channels, seed=0):
    f = features((1, channels, 8, 8), seed, torch.float64)
    return gram_matrix(f) + 0.1 * torch.eye(channels, dtype=torch.float64)


@pytest.mark.parametrize("channels", [1, 2, 12])
def test_square_roots_are_those_of_the_eigenvalues(channels):
    matrix = well_conditioned(channels)
    values, vectors = np.linalg.eigh(matrix[0].numpy())
    root, inverse = square_root(matrix)
    np.testing.assert_allclose(root[0], vectors * values**0.5 @ vectors.T, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(inverse[0], vectors * values**-0.5 @ vectors.T, rtol=1e-4, atol=1e-5)


def test_gradient_of_the_trace_is_that_of_eigenvalues_and_of_finite_differences():
    matrix = well_conditioned(6).requires_grad_()
    trace_of_square_root(matrix).sum().backward()
    values, vectors = np.linalg.eigh(matrix[0].detach().numpy())
    expected = vectors * values**-0.5 @ vectors.T / 2
    np.testing.assert_allclose(matrix.grad[0], expected, rtol=1e-5, atol=1e-7)
    assert gradcheck(
        lambda m: trace_of_square_root((m + m.mT) / 2), matrix.detach().requires_grad_(), atol=1e-4
    )
