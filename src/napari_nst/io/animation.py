"""Write frames as a GIF, an MP4 or a TIFF stack."""

from __future__ import annotations

import io
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from napari_nst.errors import NstError
from napari_nst.io.atomic_write import check_size, check_writable, write_atomically
from napari_nst.io.history import FrameStack
from napari_nst.io.image_files.calibration import Calibration
from napari_nst.io.image_files.embedded_text import SOFTWARE
from napari_nst.io.image_files.write_image import eight_bit, encode_tiff_stack

Pixels = np.ndarray[Any, Any]

FORMATS = {".gif": "GIF", ".mp4": "MP4", ".tif": "TIFF", ".tiff": "TIFF"}
FPS = 15  # frames per second
LAST_FRAME_SECONDS = 1.5  # how long a GIF shows its last frame

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
    calibration: Calibration | None = None,  # of a TIFF
    progress: Callable[[str, int, int], None] | None = None,  # message, frames written, all
) -> str:
    """Write frames as .gif, .mp4 or .tif; return a summary like ``75 pictures, 5.0 s, 1.2 MB``."""
    path = Path(path)
    file_format = check_format(path)
    check_size(path, stack.size)
    check_writable([path])

    def frames() -> Iterator[Pixels]:
        for done, frame in enumerate(stack):
            if progress is not None:
                progress(f"writing {path.name}", done, len(stack))
            yield _opaque(frame)

    duration = f", {len(stack) / fps:.1f} s"
    if file_format == "TIFF":
        pages = np.stack([_for_tiff(frame) for frame in frames()])
        data = encode_tiff_stack(pages, stack.labels, text, calibration)
        duration = ""
    elif file_format == "GIF":
        data = _encode_gif(map(eight_bit, frames()), len(stack), fps, text)
    else:
        data = _encode_mp4(map(eight_bit, frames()), stack.size, fps)
    write_atomically(path, data)
    size = f"{len(data) / 1e6:.1f} MB" if len(data) >= 100_000 else f"{len(data) / 1e3:.0f} kB"
    return f"{len(stack)} picture{'s' if len(stack) > 1 else ''}{duration}, {size}"


def check_format(path: Path) -> str:
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


def _opaque(frame: Pixels) -> Pixels:
    """Blend an RGBA frame with white; return other frames unchanged."""
    if frame.shape[2:] != (4,):
        return frame
    white = 1.0 if frame.dtype.kind == "f" else float(np.iinfo(frame.dtype).max)
    alpha = frame[..., 3:] / white
    blended: Pixels = frame[..., :3] * alpha + white * (1 - alpha)
    return (blended if frame.dtype.kind == "f" else np.rint(blended)).astype(frame.dtype)


def _for_tiff(frame: Pixels) -> Pixels:
    """Return a frame in a type that ImageJ supports."""
    if frame.ndim == 3:
        return eight_bit(frame)
    return frame if frame.dtype in (np.uint8, np.uint16) else frame.astype(np.float32)


def _encode_gif(frames: Iterator[Pixels], count: int, fps: float, text: str) -> bytes:
    from PIL import Image

    # GIF durations are multiples of 10 ms. Rounding the ends keeps their sum right.
    ends = np.rint(np.arange(count + 1) * 100 / fps) * 10
    durations = np.diff(ends).astype(int).tolist()
    durations[-1] = max(durations[-1], round(LAST_FRAME_SECONDS * 1000))
    images = (_with_palette(Image.fromarray(frame)) for frame in frames)
    comment = {"comment": f"{SOFTWARE}: {text}".encode()} if text else {}
    file = io.BytesIO()
    next(images).save(
        file, "GIF", save_all=True, append_images=images, duration=durations, loop=0, **comment
    )
    return file.getvalue()


def _with_palette(image: Any) -> Any:
    """Return an RGB image with a palette of 256 colours, and a grey image unchanged."""
    from PIL import Image

    if image.mode == "L":
        return image
    # The palette is made from 96 × 96 pixels, which is as good as from all and much faster. They
    # are not interpolated, which would add colours. Dithering would flicker from frame to frame.
    size = tuple(min(side, 96) for side in image.size)
    sample = image.resize(size, Image.Resampling.NEAREST)
    return image.quantize(palette=sample.quantize(256), dither=Image.Dither.NONE)


def _encode_mp4(frames: Iterator[Pixels], shape: tuple[int, int], fps: float) -> bytes:
    from imageio_ffmpeg import get_ffmpeg_exe

    height, width = (length + length % 2 for length in shape)
    # Not by imageio's `write_frames`, which does not tell whether ffmpeg succeeded.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "animation.mp4"
        command = [
            get_ffmpeg_exe(), "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24",
            "-s", f"{width}x{height}", "-r", f"{fps:g}", "-i", "-",
            "-c:v", "libx264", "-pix_fmt", "yuv420p", *_X264, str(path),
        ]  # fmt: skip
        # In a session of its own, because Ctrl-C would end ffmpeg too.
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            start_new_session=True, creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        ) as ffmpeg:  # fmt: skip
            assert ffmpeg.stdin is not None
            assert ffmpeg.stderr is not None
            try:
                with ffmpeg.stdin as pipe:
                    for frame in frames:
                        pipe.write(np.ascontiguousarray(_even_rgb(frame)).data)
            except BrokenPipeError:  # ffmpeg has ended, and said why
                pass
            except BaseException:
                ffmpeg.kill()
                raise
            said = ffmpeg.stderr.read().decode(errors="replace").splitlines()
        if ffmpeg.returncode == 0:
            return path.read_bytes()
        reason = said[0] if said else f"exit status {ffmpeg.returncode}"
        raise NstError(f"ffmpeg could not write the MP4 ({reason}); write a .gif or .tif.")


def _even_rgb(frame: Pixels) -> Pixels:
    """Return a frame as RGB with even sides, because YUV 4:2:0 has one colour for 2 × 2 pixels."""
    height, width = frame.shape[:2]
    if frame.ndim == 2:
        frame = np.repeat(frame[:, :, None], 3, axis=2)
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
