"""What a user paints over a picture while it is made."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_nst.engine.images.convert import resize, to_tensor
from napari_nst.engine.job.change import Strokes
from napari_nst.engine.job.input_image import as_rgb


def painted(picture: Tensor, strokes: Strokes) -> Tensor:
    """Return a picture (1, 3, H, W) with strokes on it, resampled to its size."""
    paint = to_tensor(as_rgb(strokes.picture.astype("float32"), "picture"), picture.device)
    where = torch.from_numpy(strokes.where.astype("float32"))[None, None].to(picture.device)
    shape = (picture.shape[-2], picture.shape[-1])
    share = resize(where, shape, smooth=False)
    return torch.lerp(picture, resize(paint, shape), share)
