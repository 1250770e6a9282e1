"""Write frames as a GIF, an MP4 or a TIFF stack."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from napari_nst.errors import NstError
from napari_nst.io.atomic_write import check_writable, write_atomically
from napari_nst.io.embedded_text import SOFTWARE
from napari_nst.io.history import FrameStack
from napari_nst.io.write_image import encode_tiff_stack, quantized

Pixels = np.ndarray[Any, Any]
Format = Literal["GIF", "MP4", "TIFF"]
Progress = Callable[[str, int, int], None]

FORMATS: dict[str, Format] = {".gif": "GIF", ".mp4": "MP4", ".tif": "TIFF", ".tiff": "TIFF"}
"""Ending of a file name → its format."""

FPS = 15.0
"""Frames per second."""

LAST_FRAME_SECONDS = 1.5
"""How long a GIF shows its last frame."""

_X264 = [
    "-crf", "17", "-movflags", "+faststart",
    # A third of the time of the default preset, for files that are hardly larger. One thread leaves
    # CPU time to a viewer.
    "-preset", "veryfast", "-threads", "1",
    # By default ffmpeg converts with BT.601, which most players take for BT.709.
    "-vf", "scale=out_color_matrix=bt709:out_range=tv", "-colorspace", "bt709",
]  # fmt: skip


def write_animation(
    path: str | os.PathLike[str],
    stack: FrameStack,
    *,
    fps: float = FPS,
    text: str = "",
    progress: Progress | None = None,
) -> str:
    """Write frames completely or not at all; return a summary like ``75 pictures, 5.0 s, 1.2 MB``.

    The ending of `path` gives the format. A GIF loops and has 256 colours per frame. An MP4 is
    H.264 in YUV 4:2:0 with even sides. A TIFF has one page per frame, with its label, as in ImageJ;
    RGB has 8 bits, and grey keeps its values. Frames with alpha are blended with white. Integers
    span the range of their type, floats are in [0, 1].

    `text` is stored in a TIFF for `read_text`, and in a GIF as its comment. `progress` is called
    with a message, the number of frames written and the number of all frames; errors that it raises
    end the writing. Raises a ValueError for another ending, an OSError if the file cannot be
    written, and an NstError if ffmpeg, which writes the MP4, is missing or fails.
    """
    path = Path(path)
    file_format = check_format(path)
    check_writable([path])
    frames = _reported(map(_opaque, stack), len(stack), f"writing {path.name}", progress)
    if file_format == "TIFF":
        data = encode_tiff_stack(np.stack([_for_tiff(one) for one in frames]), stack.labels, text)
    elif file_format == "GIF":
        data = _encode_gif(map(_eight_bit, frames), len(stack), fps, text)
    else:
        data = _encode_mp4(map(_eight_bit, frames), stack.size, fps)
    write_atomically(path, data)
    duration = "" if file_format == "TIFF" else f", {len(stack) / fps:.1f} s"
    count = f"{len(stack)} picture{'s' if len(stack) > 1 else ''}"
    size = f"{len(data) / 1e6:.1f} MB" if len(data) >= 100_000 else f"{len(data) / 1e3:.0f} kB"
    return f"{count}{duration}, {size}"


def check_format(path: Path) -> Format:
    """Return the format that a file's ending gives; raise an error if it is not available."""
    file_format = FORMATS.get(path.suffix.lower())
    if file_format is None:
        raise ValueError(f"{path} must end in {', '.join(FORMATS)}, to say its format.")
    if file_format == "MP4":
        from imageio_ffmpeg import get_ffmpeg_exe

        try:
            get_ffmpeg_exe()
        except RuntimeError:
            raise NstError(
                f"{path.name} needs ffmpeg, which is not installed; install ffmpeg, or write a "
                ".gif or .tif."
            ) from None
    return file_format


def _reported(
    frames: Iterable[Pixels], count: int, message: str, progress: Progress | None
) -> Iterator[Pixels]:
    for done, frame in enumerate(frames):
        if progress is not None:
            progress(message, done, count)
        yield frame


def _opaque(frame: Pixels) -> Pixels:
    """Blend an RGBA frame with white; return other frames unchanged."""
    if frame.shape[2:] != (4,):
        return frame
    white = 1.0 if frame.dtype.kind == "f" else float(np.iinfo(frame.dtype).max)
    alpha = frame[..., 3:] / white
    blended: Pixels = frame[..., :3] * alpha + white * (1 - alpha)
    return (blended if frame.dtype.kind == "f" else np.rint(blended)).astype(frame.dtype)


def _eight_bit(frame: Pixels) -> Pixels:
    if frame.dtype == np.uint8:
        return frame
    if frame.dtype.kind != "f":
        frame = frame / np.float32(np.iinfo(frame.dtype).max)
    return quantized("stack", frame, 8)


def _for_tiff(frame: Pixels) -> Pixels:
    """Return a frame in a type that ImageJ supports."""
    if frame.ndim == 3:
        return _eight_bit(frame)
    return frame if frame.dtype in (np.uint8, np.uint16) else frame.astype(np.float32)


def _encode_gif(frames: Iterable[Pixels], count: int, fps: float, text: str) -> bytes:
    from PIL import Image

    # GIF durations are multiples of 10 ms. Rounding the ends keeps their sum right.
    ends = np.rint(np.arange(count + 1) * 100 / fps) * 10
    durations = [int(duration) for duration in np.diff(ends)]
    durations[-1] = max(durations[-1], round(LAST_FRAME_SECONDS * 1000))
    images = (_with_palette(Image.fromarray(frame)) for frame in frames)
    file = io.BytesIO()
    next(images).save(
        file, "GIF", save_all=True, append_images=images, duration=durations, loop=0,
        **({"comment": f"{SOFTWARE}: {text}".encode()} if text else {}),
    )  # fmt: skip
    return file.getvalue()


def _with_palette(image: Any) -> Any:
    """Return an RGB image with a palette of 256 colours."""
    from PIL import Image

    if image.mode == "L":
        return image
    # The palette is made from 96 × 96 pixels, which is as good as from all and much faster. They
    # are not interpolated, which would add colours. Dithering would flicker from frame to frame.
    size = tuple(min(side, 96) for side in image.size)
    sample = image.resize(size, Image.Resampling.NEAREST)
    return image.quantize(palette=sample.quantize(256), dither=Image.Dither.NONE)


def _encode_mp4(frames: Iterable[Pixels], shape: tuple[int, int], fps: float) -> bytes:
    from imageio_ffmpeg import write_frames

    height, width = (length + length % 2 for length in shape)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "animation.mp4"
        try:
            writer = write_frames(
                path, (width, height), fps=fps, codec="libx264", macro_block_size=1, quality=None,
                output_params=_X264,
            )  # fmt: skip
            writer.send(None)
            try:
                for frame in frames:
                    writer.send(np.ascontiguousarray(_even_rgb(frame)))
            finally:
                writer.close()
            return path.read_bytes()
        except (OSError, RuntimeError) as error:
            first_line = next(iter(str(error).splitlines()), type(error).__name__)
            raise NstError(
                f"ffmpeg could not write the MP4 ({first_line}); write a .gif or .tif."
            ) from error


def _even_rgb(frame: Pixels) -> Pixels:
    """Return a frame as RGB with even sides, because YUV 4:2:0 has one colour for 2 × 2 pixels."""
    height, width = frame.shape[:2]
    if frame.ndim == 2:
        frame = np.repeat(frame[:, :, None], 3, axis=2)
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
