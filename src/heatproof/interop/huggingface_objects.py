"""Objects of Hugging Face transformers: an image processor as preprocessing, a pipeline or a network with its processor as a model.

A name on the hub is loaded by `load_model("huggingface:…")`; this is for objects that a program already has.
"""

from typing import Any

from torch import nn

from heatproof.core.errors import UsageError
from heatproof.models.loaders.huggingface import class_names_of, preprocessing_of
from heatproof.models.model import Model
from heatproof.models.preprocessing import Preprocessing


def from_processor(processor: Any) -> Preprocessing:
    """The preprocessing of an image processor of transformers: side, resizing, interpolation, mean and standard deviation.

    Raises:
        UsageError: It is no image processor.
        ModelError: It has no square input, another interpolation than nearest, bilinear or bicubic, or another scale of pixels.

    >>> from types import SimpleNamespace
    >>> from heatproof.interop import from_processor
    >>> processor = SimpleNamespace(size={"height": 32, "width": 32}, image_mean=[0.5] * 3, image_std=[0.5] * 3)  # or a real one
    >>> preprocessing = from_processor(processor)
    >>> preprocessing.side, preprocessing.mean
    (32, (0.5, 0.5, 0.5))
    """
    if not hasattr(processor, "size"):
        raise UsageError(
            f"processor: expected an image processor of transformers, got {type(processor).__name__}; use "
            "AutoImageProcessor.from_pretrained(…), or the image_processor of a pipeline"
        )
    return preprocessing_of(processor, type(processor).__name__)


def from_pipeline(pipeline: Any, processor: Any = None) -> Model:
    """The model in an image classification pipeline of transformers, or in a network of transformers with its image processor.

    Its images are opened by `load_images(paths, model.preprocessing)`, its classes have the names of the configuration, and what is
    explained are its logits.

    Args:
        pipeline: A pipeline, which has a `model` and an `image_processor`; or the network itself.
        processor: The image processor of a network; None for that of the pipeline.

    Raises:
        UsageError: There is no network with a configuration, or no image processor.
        ModelError: The processor does something that a `Preprocessing` cannot say.
    """
    module = getattr(pipeline, "model", pipeline) if not isinstance(pipeline, nn.Module) else pipeline
    processor = processor or getattr(pipeline, "image_processor", None)
    if not isinstance(module, nn.Module) or not hasattr(module, "config") or processor is None:
        what = "no image processor" if processor is None else type(module).__name__
        raise UsageError(
            f"pipeline: expected an image classification pipeline of transformers, or its network and its processor, got {what}; "
            "write from_pipeline(network, processor)"
        )
    preprocessing = from_processor(processor)
    return Model(
        module,
        preprocessing.bounds,
        class_names=class_names_of(module.config),
        preprocessing=preprocessing,
        name=type(module).__name__,
    )
