"""Add a loss of your own: keep the brightness of the photograph, in squares of 16 pixels."""

from importlib.resources import files

from skimage import data
from torch.nn.functional import avg_pool2d, mse_loss

import napari_nst as nst


class Brightness:
    """Mean squared difference of the squares' brightness."""

    def target(self, image):
        """Return the brightness of the photograph; called once for each size of the run."""
        return avg_pool2d(image.mean(dim=1, keepdim=True), 16)

    def forward(self, image, target):
        """Compare the picture at each step."""
        return mse_loss(self.target(image), target)


brightness = nst.OwnLoss("brightness", Brightness(), of="content", weight=100)
painting = files("napari_nst") / "data" / "painting.jpg"
recipe = nst.preset("default", size=384, steps=150)
run = nst.stylize(data.astronaut(), painting, recipe, losses=[brightness])
for iteration in run:
    print(f"{iteration.step}: brightness {iteration.losses['brightness']:.4g}")

nst.save("painted.png", run)  # with a record, which names the loss
