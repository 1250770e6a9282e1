"""Make the pictures of napari's window in the docs, from real runs in a real window.

On Linux, put `xvfb-run -a -s "-screen 0 1920x1080x24"` before
`.venv/bin/python tools/window-pictures.py [NAME ...]`.
Without names it makes all, which takes about ten minutes on two cores.
"""

# ruff: noqa: E402

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Neither the settings of whoever calls this, nor their interrupted runs.
FOLDER = Path(tempfile.mkdtemp())
os.environ["NAPARI_CONFIG"] = str(FOLDER / "settings.yaml")  # napari reads it when it is imported

import napari
import numpy as np
from pictures import IMAGES, save
from PIL import Image
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication
from skimage import data
from skimage.transform import resize

import napari_nst as nst
from napari_nst.engine.checkpoint.saved_runs import ENDING
from napari_nst.engine.vgg.weights import cache_folder
from napari_nst.io.image_files.write_image import write_image
from napari_nst.io.record import RECORD
from napari_nst.viewer.samples import sample_painting

WINDOW = (1280, 800)  # width and height in pixels
Pixels = np.ndarray[Any, Any]


def main() -> None:
    """Write the pictures that are named, or all."""
    for network in cache_folder().glob("*.safetensors"):
        (FOLDER / network.name).symlink_to(network)
    os.environ["NAPARI_NST_HOME"] = str(FOLDER)
    for name in sys.argv[1:] or PICTURES:
        print(name, flush=True)
        PICTURES[name]()


def live_run() -> None:
    """Write the moving picture of README, a run to its end, and what can be seen there."""
    with window("Style Transfer", (1152, 720)) as (viewer, widget):
        add(viewer, widget, astronaut=data.astronaut(), painting=sample_painting())
        widget.size.value = 320
        widget.start()
        frames = []
        shown = [1, 2, 3, 4, 6, 8, 11, 15, 20, 26, 34, 44, 54, 66, 84, 100, 116, 128, 150]
        for step in shown:
            wait(lambda step=step: steps_of(widget) >= step or not widget.running)
            pause(0.2)  # the newest step is shown
            frames.append(picture(viewer))
        wait(lambda: not widget.running)
        pause(1)
        frames.append(picture(viewer))
        write_gif("live-run", frames)
        save_window("demo-window", viewer)
        widget.panel.before_after.box.setChecked(True)
        pause(1)
        save_window("before-after", viewer)


def microscopy() -> None:
    """Write a result in colour with the pixel size of its content."""
    with window("Style Transfer") as (viewer, widget):
        add(viewer, widget, cell=data.cell()[80:], tissue=data.immunohistochemistry())
        for name, side in (("cell", 0.5), ("tissue", 0.25)):
            viewer.layers[name].scale, viewer.layers[name].units = (side, side), ("um", "um")
        viewer.canvas.overlays.scale_bar.visible = True
        viewer.reset_view()
        widget.size.value = 320
        widget.style_sizing.value, widget.channels.value = "physical", "rgb"
        widget.sections["Strokes and shapes"].toggle()
        run(widget)
        widget.panel.losses.toggle()
        save_window("tutorial-microscopy-window", viewer)


def materials() -> None:
    """Write a seamless texture beside its exemplar, and its tiles."""
    with window("Texture Synthesis") as (viewer, widget):
        add(viewer, widget, gravel=data.gravel()[:256, :256])
        widget.size.value, widget.seamless.value = 192, True
        widget.texture_height.value = widget.texture_width.value = 256
        run(widget)
        save_window("tutorial-materials-window", viewer)


def art() -> None:
    """Write a paused run that was steered, with a stroke on its result."""
    with window("Style Transfer") as (viewer, widget):
        add(viewer, widget, cup=data.coffee()[:, 50:550], painting=sample_painting())
        widget.size.value = 320
        widget.start()
        wait(lambda: steps_of(widget) >= 40)
        widget.style_weight.value = 20
        wait(lambda: steps_of(widget) >= 90)
        widget.pause.native.click()
        wait(lambda: not widget.panel.brush.native.isHidden())
        pause(1)
        widget.panel.brush.paint.setChecked(True)
        widget.panel.brush.size.setValue(24)
        drag(viewer, [(300, 420), (330, 440), (370, 430), (380, 400)])
        pause(1)
        save_window("window", viewer)
        widget.stop.native.click()
        wait(lambda: not widget.running)


def look_into_it() -> None:
    """Write where the losses come from, over the result."""
    with window("Style Transfer") as (viewer, widget):
        add(viewer, widget, astronaut=data.astronaut(), painting=sample_painting())
        widget.preset.value = "draft"
        run(widget)
        widget.panel.losses.toggle()
        section = widget.sections["Look into it"]
        section.toggle()
        section.native.parentWidget().parentWidget().parentWidget().ensureWidgetVisible(
            section.native
        )
        widget.show_losses.native.click()
        wait(lambda: not widget.inspection.busy)
        pause(1)
        save_window("inspection-window", viewer)


def recovery() -> None:
    """Write the offer to go on with a run whose process was killed."""
    write_image(FOLDER / "astronaut.png", data.astronaut())
    write_image(FOLDER / "painting.png", sample_painting())
    files = ["astronaut.png", "painting.png", "-o", "out.png"]
    command = [sys.executable, "-m", "napari_nst", "stylize", *files, "--save-every", "1"]
    with subprocess.Popen(command, cwd=FOLDER) as process:
        wait(lambda: any((FOLDER / "runs").glob(f"*{ENDING}")))
        pause(1)  # a file appears before it is written to its end
        process.kill()
    with window("Style Transfer") as (viewer, widget):
        pause(2)
        shown: Any = viewer.screenshot(canvas_only=False, flash=False)[..., :3]
        row, main_window = widget.recovery, viewer.window._qt_window
        at = row.mapTo(main_window, QPoint(0, 0))
        top, bottom = at.y() - widget.changes.height() - 12, at.y() + row.height() + 8
        save("recovery", shown[top:bottom, at.x() - 8 : at.x() + row.width() + 8], quality=90)
        widget.recovery.discard.click()


def statistics() -> None:
    """Write a synthesized texture and its exemplar, measured."""
    exemplar = data.gravel()[:192, :192]
    texture = nst.synthesize(exemplar, nst.preset("texture", size=0)).result()
    with window("Texture Statistics", (1280, 960)) as (viewer, widget):
        options = {"scale": (0.5, 0.5), "units": "um"}
        widget.exemplar.value = viewer.add_image(exemplar, name="gravel", **options)
        widget.image.value = viewer.add_image(
            texture, name="synthesized gravel", translate=(0, 100), **options
        )
        pause(0.5)
        viewer.reset_view()
        widget.measure()
        wait(lambda: not widget.busy)
        save_window("statistics-window", viewer)


def solid() -> None:
    """Write a volume that grows beside its exemplar."""
    with window("Solid Texture") as (viewer, widget):
        exemplar = resize(data.gravel()[:256, :256], (128, 128), anti_aliasing=True)
        options = {"scale": (2, 2), "units": "um"}
        widget.exemplar.value = viewer.add_image(exemplar, name="gravel", **options)
        widget.seamless.value = True
        pause(0.5)
        widget.start()
        wait(lambda: widget.layers and widget.layers[0].metadata[RECORD]["step"] > 140)
        pause(1)
        save_window("solid-window", viewer)
        widget.stop()
        wait(lambda: not widget.busy)


def stack() -> None:
    """Write a stack whose slices are painted one after the other; this needs nilearn."""
    from nilearn.datasets import load_mni152_template

    brain = np.moveaxis(load_mni152_template(resolution=1).get_fdata(), (2, 1, 0), (0, 1, 2))
    with window("Style Transfer") as (viewer, widget):
        layers = {"brain": brain[70:100, ::-1], "tissue": data.immunohistochemistry()}
        for name, image in layers.items():
            viewer.add_image(image, name=name)
        viewer.layers["tissue"].scale = 0.4, 0.4  # as large as the brain in the view
        for layer in viewer.layers:
            layer.units = ("mm",) * layer.ndim
        viewer.layers["brain"].axis_labels = ("z", "y", "x")
        widget.content.value, widget.style.value = (viewer.layers[name] for name in layers)
        viewer.layers["tissue"].visible = False
        viewer.reset_view()
        widget.preset.value, widget.size.value, widget.channels.value = "draft", 197, "rgb"
        widget.slices.value, widget.along.value, widget.slice_range.value = "a range", "z", "6:20:2"
        widget.start()
        wait(lambda: not widget.running or "5 of 7" in widget.status_text)
        pause(1)
        save_window("stack-window", viewer)
        widget.stop.native.click()
        wait(lambda: not widget.running)


def files() -> None:
    """Write three photos that were painted in two styles each."""
    for folder in ("photos", "styles"):
        (FOLDER / folder).mkdir()
    for name in ("astronaut", "coffee", "chelsea"):
        write_image(FOLDER / "photos" / f"{name}.png", getattr(data, name)())
    write_image(FOLDER / "styles" / "painting.png", sample_painting())
    write_image(FOLDER / "styles" / "tissue.png", data.immunohistochemistry())
    with window("Stylize Files") as (viewer, widget):
        widget.contents.value = [FOLDER / "photos"]
        widget.style_files.value = [FOLDER / "styles"]
        widget.out.value = FOLDER / "painted"
        widget.preset.value, widget.each_style.value = "draft", True
        widget.longest_side.value = 192
        widget.start()
        wait(lambda: not widget.busy)
        widget.open_results()
        viewer.canvas.grid.enabled, viewer.canvas.grid.shape = True, (3, 2)
        viewer.reset_view()
        pause(1)
        save_window("stylize-files", viewer)


def ensemble() -> None:
    """Write four seeds of a texture, with their table."""
    with window("Texture Synthesis", (1280, 860)) as (viewer, widget):
        options = {"scale": (0.5, 0.5), "units": "um"}
        widget.exemplar.value = viewer.add_image(
            data.gravel()[:128, :128], name="gravel", **options
        )
        widget.size.value, widget.seeds.value = 128, 4
        widget.sections["Several seeds"].unfold_once()
        pause(0.5)
        widget.start()
        wait(lambda: not widget.running)
        pause(1)
        widget.panel.losses.toggle()  # folded: several images have no curve
        pause(1)
        save_window("ensemble-window", viewer)


@contextmanager
def window(job: str, size: tuple[int, int] = WINDOW) -> Iterator[tuple[Any, Any]]:
    """Open napari with a widget, and close it at the end."""
    viewer: Any = napari.Viewer()
    viewer.window.resize(*size)
    _, widget = viewer.window.add_plugin_dock_widget("napari-nst", job)
    if hasattr(widget, "control_values"):
        widget.control_values.reset()  # not those of the picture before
    # The view fits the result as soon as it appears.
    viewer.layers.events.inserted.connect(lambda: viewer.reset_view())
    yield viewer, widget
    viewer.close()


def add(viewer: Any, widget: Any, **images: Pixels) -> None:
    """Add layers, the first of which is shown, and choose them in the widget."""
    for name, image in images.items():
        viewer.add_image(image, name=name)
    for chooser, name in zip(widget._required, images, strict=True):
        chooser.value = viewer.layers[name]
    pause(0.5)  # the thumbnails are drawn
    for layer in viewer.layers[1:]:
        layer.visible = False
    viewer.reset_view()  # the window is laid out now


def run(widget: Any) -> None:
    """Run to the end."""
    widget.start()
    wait(lambda: not widget.running)
    if widget.result is None:
        raise SystemExit(widget.status_text)


def steps_of(widget: Any) -> int:
    """Return how many steps of the current or last run are done."""
    active = widget.panel.active
    newest = active.newest if active is not None else widget.panel.runner.last
    return newest.step if newest is not None else 0


def wait(done: Callable[[], bool]) -> None:
    """Let the window work until something is done."""
    while not done():
        QApplication.processEvents()
        time.sleep(0.01)


def pause(seconds: float) -> None:
    """Let the window work for some time."""
    end = time.monotonic() + seconds
    wait(lambda: time.monotonic() > end)


def drag(viewer: Any, positions: list[tuple[float, float]]) -> None:
    """Draw with the left button along positions (y, x) of the world; the view is not turned."""
    canvas, camera = viewer.window._qt_viewer.canvas.native, viewer.scene.camera
    kinds = [QEvent.Type.MouseButtonPress, *[QEvent.Type.MouseMove] * len(positions)]
    for kind, (y, x) in zip(
        [*kinds, QEvent.Type.MouseButtonRelease],
        [positions[0], *positions, positions[-1]],
        strict=True,
    ):
        at = QPoint(
            round(canvas.width() / 2 + (x - camera.center[-1]) * camera.zoom),
            round(canvas.height() / 2 + (y - camera.center[-2]) * camera.zoom),
        )
        button = (
            Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else Qt.MouseButton.LeftButton
        )
        held = Qt.MouseButton.LeftButton
        event = QMouseEvent(
            kind, QPointF(at), QPointF(canvas.mapToGlobal(at)), button, held,
            Qt.KeyboardModifier.NoModifier,
        )  # fmt: skip
        QApplication.sendEvent(canvas, event)
        pause(0.05)


def picture(viewer: Any) -> Pixels:
    """Return the window as uint8 (H, W, 3)."""
    return np.asarray(viewer.screenshot(canvas_only=False, flash=False))[..., :3]


def save_window(name: str, viewer: Any) -> None:
    """Write the window as a JPEG, without notifications that cover it."""
    for notification in viewer.window._qt_window.findChildren(
        napari._qt.dialogs.qt_notification.NapariQtNotification
    ):
        notification.close()
    pause(0.5)
    save(name, picture(viewer), quality=85)


def write_gif(name: str, frames: list[Pixels]) -> None:
    """Write frames with one palette, the first one for a second and the last one for three."""
    height, width = (side * 3 // 4 for side in frames[0].shape[:2])
    small = [
        Image.fromarray(one).resize((width, height), Image.Resampling.LANCZOS) for one in frames
    ]
    of_palette = small[:: len(small) // 3]
    column = Image.new("RGB", (width, height * len(of_palette)))
    for index, one in enumerate(of_palette):
        column.paste(one, (0, index * height))
    palette = column.quantize(160, dither=Image.Dither.NONE)
    drawn = [one.quantize(palette=palette, dither=Image.Dither.NONE) for one in small]
    path = IMAGES / f"{name}.gif"
    drawn[0].save(
        path,
        save_all=True,
        append_images=drawn[1:],
        duration=[1000, *[250] * (len(drawn) - 2), 3000],
        loop=0,
        optimize=True,
    )
    print(f"{path.stat().st_size / 1e6:.2f} MB")


PICTURES: dict[str, Callable[[], None]] = {
    "live-run": live_run,
    "microscopy": microscopy,
    "materials": materials,
    "art": art,
    "look-into-it": look_into_it,
    "recovery": recovery,
    "statistics": statistics,
    "solid": solid,
    "files": files,
    "ensemble": ensemble,
    "stack": stack,
}


if __name__ == "__main__":
    main()
