"""Loaders of networks, one in each file; the exports are the registry."""

from heatproof.models.loaders.base import Loader
from heatproof.models.loaders.efficientnet_lite0 import EfficientnetLite0
from heatproof.models.loaders.file import File
from heatproof.models.loaders.huggingface import Huggingface
from heatproof.models.loaders.imagenet import imagenet_classes
from heatproof.models.loaders.imported import Imported
from heatproof.models.loaders.message_passing import MessagePassing
from heatproof.models.loaders.model_reference import load_model, resolve
from heatproof.models.loaders.squeezenet1_1 import Squeezenet1_1
from heatproof.models.loaders.timm import Timm
from heatproof.models.loaders.tiny_xception import TinyXception
from heatproof.models.loaders.torchvision import Torchvision
from heatproof.models.loaders.toy import Toy

__all__ = [
    "EfficientnetLite0",
    "File",
    "Huggingface",
    "Imported",
    "Loader",
    "MessagePassing",
    "Squeezenet1_1",
    "Timm",
    "TinyXception",
    "Torchvision",
    "Toy",
    "imagenet_classes",
    "load_model",
    "resolve",
]
