import numpy as np

from napari_nst.engine.inspect.display import displayable


def test_values_of_any_range_are_displayable():
    values = np.linspace(0, 50, 10001, dtype=np.float32).reshape(73, 137)
    shown = displayable(values)
    assert shown.dtype == np.float32
    np.testing.assert_allclose(shown, np.clip(values / (0.999 * 50), 0, 1), rtol=1e-5)
    values[0, 0] = 1e9  # a single outlier does not leave the rest dark
    np.testing.assert_allclose(displayable(values)[1:], shown[1:], rtol=1e-3)
    np.testing.assert_allclose(displayable(np.array([-2.0, 0, 1])), [0, 0.5, 0.75], atol=1e-3)
    assert displayable(np.zeros(9)).max() == 0
