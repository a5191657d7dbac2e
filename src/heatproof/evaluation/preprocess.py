"""How the images of a data set become the tensors that a network takes."""

from heatproof.core.errors import ModelError
from heatproof.data.base import Dataset
from heatproof.models.model import Model
from heatproof.models.preprocessing import Preprocessing


def preprocessing_of(model: Model, dataset: Dataset) -> Preprocessing | None:
    """The preprocessing that a run needs; None for a set of tensors, which needs none.

    Raises:
        ModelError: The data set holds photographs, and the model has no preprocessing.
    """
    if dataset.image_shape is not None:
        return None
    if model.preprocessing is None:
        raise ModelError(
            f"{model.name}: expected a model that says how a photograph becomes its input, got one without; give it "
            f"preprocessing=Preprocessing(side=224, resize=256, mean=…, std=…), or tensors of images in place of {dataset.name}"
        )
    return model.preprocessing
