"""What `stylize` returns: an iterator with a result, a stop, and a picture in a notebook."""

import gc
import io
import threading
import weakref

import numpy as np
import pytest
from PIL import Image

import napari_nst as nst
from tests.helpers.small_images import CONTENT, STYLE, with_alpha

GREY = CONTENT[..., 0]
HIDDEN = np.zeros((64, 64), bool)
HIDDEN[:, 8:] = True


@pytest.fixture
def notebook():
    """A cell of a notebook: what it displays is in `outputs`."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    shell = InteractiveShell.instance()
    shell.kernel = object()
    with capture_output() as captured:
        yield captured
    InteractiveShell.clear_instance()


@pytest.mark.parametrize(
    ("content", "exact"),
    [
        (CONTENT, 0.5),
        (GREY.astype(">u2") * 257, 0.5),
        (GREY / 255, 0),
        (with_alpha(CONTENT, HIDDEN), 0.5),
    ],
    ids=["RGB", "grey uint16", "grey float64", "RGBA"],
)
def test_the_result_has_the_form_of_the_content(quick, content, exact):
    run = nst.stylize(content, STYLE, quick(size=0))
    result = run.result(progress=False)
    assert result.shape == content.shape
    assert result.dtype == content.dtype.newbyteorder("=")
    white = np.iinfo(result.dtype).max if exact else 1
    np.testing.assert_allclose(result, run.last.picture * white, atol=exact)
    assert run.last.step == run.last.steps == 3


def test_a_texture_has_the_form_of_its_exemplar(quick):
    run = nst.synthesize(GREY.astype(np.uint16) * 257, quick(init="noise"))
    result = run.result(progress=False)
    assert (result.ndim, result.dtype) == (2, np.uint16)
    assert result.max() > 255


def test_the_rest_of_a_run_that_was_begun(quick, capsys):
    run = nst.stylize(CONTENT, STYLE, quick(steps=4))
    assert "no step" in repr(run)
    assert run.last is None
    first = next(run)
    assert run.last is first
    assert f"{first.losses['total']:.4g}" in repr(run)
    assert "1 of 4" in repr(run)
    run.result()
    assert run.last.step == 4
    assert "4/4" in capsys.readouterr().err
    assert list(run) == []
    np.testing.assert_array_equal(run.result(), run.result(progress=False))


def test_a_run_is_stopped_from_another_thread(quick):
    run = nst.stylize(CONTENT, STYLE, quick(steps=1000))
    next(run)
    thread = threading.Timer(0, run.stop)
    thread.start()
    result = run.result(progress=False)
    thread.join()
    assert 1 <= run.last.step < 1000
    assert result.shape == (32, 32, 3)


def test_a_run_without_a_step_has_no_result(quick):
    run = nst.stylize(CONTENT, STYLE, quick())
    run.stop()
    with pytest.raises(nst.NstError):
        run.result()


def test_a_given_steering_is_stopped(quick):
    steering = nst.Steering()
    run = nst.reconstruct(CONTENT, quick(init="noise"), steering=steering)
    run.stop()
    assert steering.stopped
    assert list(run) == []


def test_closing_throwing_and_dropping_end_a_run_as_a_generator_ends(quick):
    told = []
    run = nst.stylize(CONTENT, STYLE, quick(), progress=lambda *told_so: told.append(told_so))
    first = next(run)
    run.close()
    assert list(run) == []
    assert run.last is first
    assert told, "the caller's own progress is called"
    run = nst.stylize(CONTENT, STYLE, quick())
    next(run)
    with pytest.raises(KeyError, match="mine"):
        run.throw(KeyError("mine"))
    assert run.result(progress=False).shape == (32, 32, 3)  # what there is
    run = nst.stylize(CONTENT, STYLE, quick())
    pixels = weakref.ref(next(run).pixels)
    gc.disable()
    try:
        del run
        assert pixels() is None, "a circle of references keeps the run"
    finally:
        gc.enable()


def test_an_interruption_keeps_the_picture(quick, monkeypatch):
    steering = nst.Steering()
    run = nst.stylize(CONTENT, STYLE, quick(), steering=steering)
    next(run)
    monkeypatch.setattr(steering, "take_changes", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run.result()
    assert run.last.step == 1
    assert run.result().shape == (32, 32, 3)


# Notebooks


def test_the_picture_in_a_notebook_changes_while_the_run_goes_on(quick, notebook):
    run = nst.stylize(GREY, STYLE, quick(steps=4))
    run._ipython_display_()
    run.result()
    first, *later = notebook.outputs
    assert "image/png" not in first.data
    assert 1 <= len(later) <= 4
    assert {one.update for one in later} == {True}
    ids = {one.transient["display_id"] for one in notebook.outputs}
    assert len(ids) == 1
    shown = Image.open(io.BytesIO(run._repr_png_()))
    assert (shown.size, shown.mode) == ((32, 32), "L")
    np.testing.assert_allclose(np.asarray(shown), run.last.picture * 255, atol=0.5)
    assert later[-1]._repr_png_() is not None


def test_result_shows_the_picture_in_a_notebook_unless_it_is_told_not_to(quick, notebook):
    nst.stylize(CONTENT, STYLE, quick()).result(progress=False)
    assert not notebook.outputs
    nst.stylize(CONTENT, STYLE, quick()).result()
    assert len(notebook.outputs) > 1


def test_elsewhere_a_run_is_shown_as_text(quick, capsys):
    run = nst.stylize(CONTENT, STYLE, quick())
    run._ipython_display_()
    assert run._repr_png_() is None
    assert "stylize" in capsys.readouterr().out
