"""A recipe that copies patches of the style in place of its statistics."""

from __future__ import annotations

from napari_nst.recipe.presets.registry import published
from napari_nst.recipe.presets.units import plain
from napari_nst.recipe.recipe import Recipe


@published(
    "li-wand",
    job="transfer",
    source="Li & Wand 2016, CVPR; chuanli11/CNNMRF 3f42a4b; pystiche/papers 0d8179d",
)
def li_wand() -> Recipe:
    """Li & Wand 2016: each patch of features becomes the style's nearest, in octaves."""
    # As their program has it, and pystiche's replication of it, not as printed. Both divide the
    # gradient at each feature by the number of patches that cover it, and leave their loss alone;
    # here it is the loss that is divided, which gives the same gradient.
    return plain(
        weights="caffe",
        content_layers={"relu4_1": 1.0},
        content_weight=20.0,  # × mean (F − P)²
        style_layers={"relu3_1": 1.0, "relu4_1": 1.0},
        style_weight=1e-4 / 2,  # 1e-4, and the half of ½ Σ over patches and entries
        style_loss="mrf",
        style_norm="sum",
        patch_size=3,
        patch_stride=2,  # neither turned nor scaled: the program's numbers of either are 0
        tv_weight=1e-3 / 2,  # 1e-3, and the half of ½ Σ (dx² + dy²) on 0–255
        tv_loss="inner_sum",
        tv_exponent=2.0,
        init="content",
        size=384,  # longest side there too
        min_size=96,
        scale_ratio=2.0,  # 96, 192, 384
        steps=300,  # 100 each
        first_scale_share=1.0,
        history=100,  # pystiche's; the Lua program's is 25
    )
