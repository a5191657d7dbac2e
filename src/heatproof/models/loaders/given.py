"""A network that was given in Python, as an object, by its content: how the run of `heatproof.run` refers to it."""

from heatproof.core.errors import ModelError
from heatproof.core.objects import held
from heatproof.core.settings import Settings, content_hash
from heatproof.models.loaders.base import Loader
from heatproof.models.loaders.object_source import object_digest
from heatproof.models.model import Model
from heatproof.models.outputs import Output

__all__ = ["Given", "model_content", "with_source"]


class Given(Loader):
    """A `Model` in memory, which `heatproof.run` was given. Only that call can make one; a file cannot name a network in memory.

    content  the hash of all that decides the numbers of the model: its weights, source, plain attributes, bounds, output and
             preprocessing.

    >>> from heatproof.models.loaders.given import Given
    >>> Given(content="3f").load()
    Traceback (most recent call last):
    heatproof.core.errors.ModelError: given: expected a network that heatproof.run was given, found none with the content 3f; give \
it again, as in heatproof.run(experiment, model=network), or name it by an import path
    """

    content: str

    def load(self) -> Model:
        model = held(self.content)
        if not isinstance(model, Model):
            raise ModelError(
                f"{self.name}: expected a network that heatproof.run was given, found none with the content {self.content[:8]}; "
                "give it again, as in heatproof.run(experiment, model=network), or name it by an import path"
            )
        return model


def with_source(model: Model) -> Model:
    """The model, whose digest covers its source and its plain attributes too; without an engine, since a run chooses its own."""
    functions = () if isinstance(model.output, Output) else (model.output,)
    return model.with_(code=content_hash([model.code, object_digest(model.module, *functions)]), engine=None, plan="plain")


def model_content(model: Model) -> str:
    """The content hash of a model from `with_source`."""
    settings = [part.to_dict() if isinstance(part, Settings) else None for part in (model.output, model.preprocessing)]
    bounds = [model.bounds.lower.tolist(), model.bounds.upper.tolist()]
    return content_hash([model.digest, bounds, settings, model.output_path, model.scale, list(model.class_names)])
