"""Pictures that follow each other, as a GIF, an MP4 or a TIFF stack."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from napari_nst.errors import NstError
from napari_nst.io.atomic_write import check_writable, write_whole
from napari_nst.io.embedded_text import SOFTWARE
from napari_nst.io.frame_stack import Stack
from napari_nst.io.write_image import encode_tiff_stack, levels

Pixels = np.ndarray[Any, Any]
Kind = Literal["GIF", "MP4", "TIFF"]
Progress = Callable[[str, int, int], None]

FPS = 15.0
"""Pictures per second."""

HELD = 1.5
"""Seconds that a GIF rests on its last picture, before it begins anew."""

KINDS: dict[str, Kind] = {".gif": "GIF", ".mp4": "MP4", ".tif": "TIFF", ".tiff": "TIFF"}
"""Ending of a file's name → its format."""

_SAMPLE = 96
"""Pixels per side of what a GIF's palette is made from: as good as from all, and soon done."""

_X264 = [
    "-crf", "17", "-movflags", "+faststart",
    # A viewer is to stay quick meanwhile: a third of the time, for hardly more bytes.
    "-preset", "veryfast", "-threads", "1",
    # Left to itself, ffmpeg takes the matrix of old television, and players that of new.
    "-vf", "scale=out_color_matrix=bt709:out_range=tv",
    "-colorspace", "bt709",
]  # fmt: skip


def write_animation(
    path: str | os.PathLike[str],
    stack: Stack,
    *,
    fps: float = FPS,
    text: str = "",
    progress: Progress | None = None,
) -> str:
    """Write pictures into one file, as a whole or not at all.

    Parameters
    ----------
    path : path-like
        Ends in .gif, .mp4, .tif or .tiff. A file that is there is replaced.

        A GIF loops; each picture has 256 colours of its own. An MP4 is H.264 in YUV 4:2:0, which
        plays everywhere and has even sides alone: a last row or column is repeated where one is
        odd. A TIFF gets a page for each picture, as ImageJ has them, with its label; grey stays as
        deep as it is, float too, and colours have 8 bit.
    stack : Stack
        (N, H, W) grey, (N, H, W, 3) RGB or (N, H, W, 4) RGBA, which is laid on white; uint8,
        uint16 or float in [0, 1]. Grey for a TIFF may be of any numbers. Pictures are asked for one
        after the other.
    fps : float
        Pictures per second, of a GIF or MP4.
    text : str
        Stored in a TIFF, for `read_text`, and as the comment of a GIF. "" stores nothing.
    progress : callable, optional
        Called with a message, the number of pictures done and of all. What it raises ends it.

    Returns
    -------
    str
        What the file has become, such as ``75 pictures, 5.0 s, 1.2 MB``.

    Raises
    ------
    NstError
        If ffmpeg, which makes the MP4, is missing or fails.
    OSError
        If the file cannot be written.
    ValueError
        If the name's ending is another.
    """
    path = Path(path)
    kind = check_format(path)
    check_writable([path])
    pictures = _told(map(_opaque, stack), len(stack), f"writing {path.name}", progress)
    if kind == "TIFF":
        pages = [_deep(picture) for picture in pictures]
        data = encode_tiff_stack(np.stack(pages), stack.labels, text)
    elif kind == "GIF":
        data = _encode_gif(map(_eight_bit, pictures), len(stack), fps, text)
    else:
        data = _encode_mp4(map(_eight_bit, pictures), fps)
    write_whole(path, data)
    lasts = "" if kind == "TIFF" else f", {len(stack) / fps:.1f} s"
    count = f"{len(stack)} picture{'s' if len(stack) > 1 else ''}"
    size = f"{len(data) / 1e6:.1f} MB" if len(data) >= 100_000 else f"{len(data) / 1e3:.0f} kB"
    return f"{count}{lasts}, {size}"


def check_format(path: Path) -> Kind:
    """Return what a file will be by its name's ending.

    Raises
    ------
    NstError
        If what makes an MP4 is not there.
    ValueError
        If the ending is another.
    """
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise ValueError(f"{path} must end in {', '.join(KINDS)}, to say its format.")
    if kind == "MP4":
        from imageio_ffmpeg import get_ffmpeg_exe

        try:
            get_ffmpeg_exe()
        except RuntimeError:
            raise NstError(
                f"{path.name} needs ffmpeg, which is not there; install it, or take .gif or .tif."
            ) from None
    return kind


def _told(
    pictures: Iterable[Pixels], count: int, message: str, progress: Progress | None
) -> Iterator[Pixels]:
    for done, picture in enumerate(pictures):
        if progress is not None:
            progress(message, done, count)
        yield picture


def _opaque(picture: Pixels) -> Pixels:
    """Lay a picture on white, in numbers of its own type."""
    if picture.shape[2:] != (4,):
        return picture
    white = 1.0 if picture.dtype.kind == "f" else float(np.iinfo(picture.dtype).max)
    alpha = picture[..., 3:] / white
    laid: Pixels = picture[..., :3] * alpha + white * (1 - alpha)
    return (laid if picture.dtype.kind == "f" else np.rint(laid)).astype(picture.dtype)


def _eight_bit(picture: Pixels) -> Pixels:
    if picture.dtype == np.uint8:
        return picture
    if picture.dtype.kind == "f":
        return levels("stack", picture, 8)
    most = np.iinfo(picture.dtype).max
    return levels("stack", picture / np.float32(most), 8)


def _deep(picture: Pixels) -> Pixels:
    """Return what ImageJ can show of a picture: colours have 8 bit there."""
    if picture.ndim == 3:
        return _eight_bit(picture)
    return picture if picture.dtype in (np.uint8, np.uint16) else picture.astype(np.float32)


def _encode_gif(pictures: Iterable[Pixels], count: int, fps: float, text: str) -> bytes:
    # With Pillow itself: through imageio it chooses the colours, ten times as slowly.
    from PIL import Image

    # Hundredths of a second are all that a GIF knows: rounded so that the sum is right.
    ends = np.rint(np.arange(count + 1) * 100 / fps) * 10
    durations = [int(duration) for duration in np.diff(ends)]
    durations[-1] = max(durations[-1], round(HELD * 1000))
    frames = (_with_palette(Image.fromarray(picture)) for picture in pictures)
    file = io.BytesIO()
    next(frames).save(
        file, "GIF", save_all=True, append_images=frames, duration=durations, loop=0,
        **({"comment": f"{SOFTWARE}: {text}".encode()} if text else {}),
    )  # fmt: skip
    return file.getvalue()


def _with_palette(image: Any) -> Any:
    """Return a picture in the 256 colours that suit it best; grey has no more."""
    from PIL import Image

    if image.mode == "L":
        return image
    # The nearest pixels, since mixed ones would have colours that the picture has not. Dithering
    # would flicker from picture to picture.
    size = tuple(min(side, _SAMPLE) for side in image.size)
    sample = image.resize(size, Image.Resampling.NEAREST)
    return image.quantize(palette=sample.quantize(256), dither=Image.Dither.NONE)


def _encode_mp4(pictures: Iterable[Pixels], fps: float) -> bytes:
    import imageio.v2 as imageio

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "animation.mp4"
        try:
            writer: Any = imageio.get_writer(
                path, format=cast(Any, "FFMPEG"), fps=fps, codec="libx264",
                pixelformat="yuv420p", macro_block_size=1, quality=None, output_params=_X264,
            )  # fmt: skip
            with writer:
                for picture in pictures:
                    writer.append_data(_even(picture))
            return path.read_bytes()
        except (OSError, RuntimeError) as error:
            first = next(iter(str(error).splitlines()), type(error).__name__)
            raise NstError(
                f"ffmpeg could not make the MP4 ({first}); take .gif or .tif."
            ) from error


def _even(picture: Pixels) -> Pixels:
    """Return a picture in colours whose sides are even, since two pixels share a colour."""
    height, width = picture.shape[:2]
    if picture.ndim == 2:
        picture = np.repeat(picture[:, :, None], 3, axis=2)
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
