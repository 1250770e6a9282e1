"""The public function that stylizes many files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from napari_nst.batch.files import (
    FilePath,
    check_names,
    checked_folder,
    listed_files,
    make_folder,
    result_name,
)
from napari_nst.batch.run import FilesRun
from napari_nst.batch.stylized import Picture, StylizedFiles
from napari_nst.engine.api import checked_options
from napari_nst.engine.device import choose_device
from napari_nst.engine.job.build import RecipeLike, checked_recipe, refuse_unknown
from napari_nst.engine.job.input_image import read_styles, relative_pixels

if TYPE_CHECKING:
    from napari_nst.engine.steering import Steering
    from napari_nst.engine.vgg.weights import Progress


def stylize_files(
    contents: FilePath | Sequence[FilePath],
    style: FilePath | Sequence[FilePath],
    out: FilePath,
    recipe: RecipeLike | None = None,
    *,
    each_style: bool = False,
    pixel_sizes: Sequence[float] | None = None,
    progress: Progress | None = None,
    steering: Steering | None = None,
    **fields: Any,
) -> FilesRun:
    """Paint many image files in the style of another, each by itself, into a folder.

    Each result has the name of its content and the record of its run. One that is there already,
    made of the same images with the same recipe, is not made again.

    Parameters
    ----------
    contents : path, or list of paths
        A folder of image files, or files. One that cannot be read is left out, and named.
    style : path, or list of paths
        A file, several whose styles are blended, or a folder of them.
    out : path
        Folder for the results and ``summary.csv``, which has a row for each. It is made if it is
        missing. PNG, JPEG and TIFF stay so; other formats become PNG.
    recipe : Recipe or str, optional
        As for `stylize`.
    each_style : bool
        Paint each content in each style, into ``CONTENT_STYLE.png``, instead of blending them.
    pixel_sizes, progress, **fields
        As for `stylize`.
    steering : Steering, optional
        Stops the run; finished results remain. A change applies to the file under way.

    Returns
    -------
    FilesRun
        An iterator of `FileStep`; `FilesRun.result` runs to the end and returns the rows of the
        table.

    Raises
    ------
    TypeError, ValueError
        If there are no such files, a style or a setting cannot be used, or a result would replace a
        content, another result, or a picture that napari-nst has not made.
    OSError
        If a style cannot be read, or the folder cannot be written.
    NstError
        While iterating, if weights cannot be downloaded, or the first two files fail.

    Examples
    --------
    >>> run = nst.stylize_files("cells", "tissue.png", "painted", size=512)  # doctest: +SKIP
    >>> rows = run.result()  # doctest: +SKIP
    """
    refuse_unknown(fields, stylize_files, ())
    checked = checked_recipe(recipe, "transfer", fields)
    steering = checked_options(progress, steering)
    if steering.save_every:
        raise ValueError(
            "`steering` saves states of single runs, but pictures are saved one by one. Leave out "
            "`save_every`."
        )
    paths, styles = listed_files(contents, "contents"), listed_files(style, "style")
    folder = checked_folder(out)
    groups = [[one] for one in styles] if each_style else [styles]
    relative_pixels(pixel_sizes, len(groups[0]))
    read = [read_styles([*map(str, group)], "style", checked) for group in groups]
    pictures = [
        Picture(
            content,
            group,
            images,
            folder / result_name(content, group[0] if each_style else None),
        )
        for content in paths
        for group, images in zip(groups, read, strict=True)
    ]
    check_names([one.output for one in pictures], [*paths, *styles])
    choose_device(checked.device)
    make_folder(folder)
    return StylizedFiles(
        pictures, folder, checked, pixel_sizes, steering=steering, progress=progress
    )
