"""The help texts of fields, for each job."""

from __future__ import annotations

from collections.abc import Mapping

from napari_nst.recipe.sections import CONTROLS

_OF_JOB: Mapping[str, Mapping[str, str]] = {
    "texture": {
        "size": "Longest side in pixels that the exemplar is reduced to, never enlarged; 0 keeps "
        "its size. More gives finer detail; the time grows with the area.",
        "min_size": "Longest side of the exemplar at the coarsest scale, in pixels; 0 uses a "
        "single scale. Less arranges large structures better, more keeps their scale.",
        "style_weight": "Weight of the texture's statistics, against total variation.",
        "style_layers": "Layers whose statistics describe the texture, each with a weight. Shallow "
        "layers hold colours and fine detail, deep layers hold large structures.",
        "patch_size": "Side of the patches for the style loss mrf, in feature positions. More "
        "copies larger pieces of the exemplar, less mixes them more freely.",
        "style_samples": "Number of positions of each exemplar that are compared with these "
        "samples. More finds better matches, less is faster and needs less memory.",
        "centred_cosine": "Subtract the mean of the features before remd and nn compare their "
        "directions. Without it, colours count more and shapes less.",
        "nn_targets": "When nearest neighbours in the exemplar are chosen: scale chooses them once "
        "for each size, step again and again while the image changes.",
        "style_rotations": "Compare samples with the exemplar and with its rotations by 90, 180 "
        "and 270 degrees. More matches, and structures in all directions.",
        "style_scale": "Size of the structures relative to the exemplar. More gives larger ones, "
        "less finer ones.",
        "style_blend": "Relative weights of several exemplars, such as 0.7, 0.3. Empty weights all "
        "equally.",
        "refine_strength": "Factor of the style weight in later phases.",
        "init": "Initial image: noise makes a new texture; style starts from the exemplar; mix "
        "adds noise to the exemplar, or to the image to fill; image starts from another image.",
        "noise": "Distribution of the noise: normal and uniform are centred on the mean colour of "
        "photographs; matched has the mean and the standard deviation of the exemplar's colours, "
        "covariance also their correlation.",
        "init_noise": "Proportion of noise in the initial image mix. More makes the texture anew, "
        "less stays closer to the exemplar, or to the image to fill.",
    },
    "reconstruction": {
        "size": "Longest side of the result in pixels; 0 keeps the size of the image. More shows "
        "finer detail; the time grows with the area.",
        "min_size": "Longest side of the coarsest scale in pixels; 0 uses a single scale. Less "
        "finds large structures first.",
        "content_weight": "Weight of the features, against total variation.",
        "init": "Initial image: noise shows what the features keep; mix blends the image and "
        "noise; image starts from another image.",
        "noise": "Distribution of the noise: normal and uniform are centred on the mean colour of "
        "photographs; matched has the mean and the standard deviation of the image's colours, "
        "covariance also their correlation.",
        "init_noise": "Proportion of noise in the initial image mix. More shows more of what the "
        "features lose, less stays closer to the image.",
    },
}
"""Job → field → its help text, where the field has another meaning than in a transfer."""


def help_of(name: str, job: str = "transfer") -> str:
    """Return the help text of a field for transfer, texture or reconstruction."""
    return _OF_JOB.get(job, {}).get(name) or CONTROLS[name].help
