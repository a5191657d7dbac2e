"""The experiment that a call stands for: objects and words become the entries of an experiment.

What has settings, such as a folder of images, a method, or a network by its import path, becomes settings, which any process can
read. What has none, such as a module or tensors, is held under the hash of its content (`core/objects.py`), and its entry names the
hash.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from heatproof.core.errors import HeatproofError, UsageError
from heatproof.core.objects import HeldObject, holding
from heatproof.core.settings import Settings
from heatproof.core.settings_text import parse_settings
from heatproof.data.base import Dataset
from heatproof.data.given_images import GivenImages
from heatproof.data.sources import dataset_of, image_list
from heatproof.evaluation.experiment import Experiment, loader_of, method_label, read_text, toml_content
from heatproof.evaluation.networks import image_shape
from heatproof.evaluation.preprocess import preprocessing_of
from heatproof.methods.base import Method
from heatproof.metrics.metric import Metric
from heatproof.models.loaders.base import Loader
from heatproof.models.loaders.given import Given, model_content, with_source
from heatproof.models.loaders.model_reference import load_model, resolve
from heatproof.models.loaders.object_source import source_hash
from heatproof.models.model import Model
from heatproof.models.preprocessing import Preprocessing
from heatproof.numerics.bounds import Bounds
from heatproof.pipeline.defaults import default_methods, default_metrics

Entry = dict[str, Any]
Source = Experiment | str | Path | Mapping[str, Any] | None
"""An experiment, its file, or its content; None where everything is given beside it."""


@dataclass(frozen=True)
class Assembly:
    """An experiment, the objects that its entries refer to, and the text of its file, if that is all there is to it."""

    experiment: Experiment
    objects: Mapping[str, HeldObject] = field(default_factory=dict)
    text: str = ""


def assemble(
    source: Source = None,
    *,
    model: Any = None,
    data: Any = None,
    methods: Any = None,
    metrics: Any = None,
    bounds: Bounds | tuple[float, float] | None = None,
    preprocessing: Preprocessing | Mapping[str, Any] | None = None,
    class_names: Sequence[str] = (),
    labels: Any = None,
    regions: Tensor | None = None,
    count: int | None = None,
    **settings: Any,
) -> Assembly:
    """The experiment that the arguments of `heatproof.run` stand for. They are explained there.

    Raises:
        UsageError: An argument is of the wrong kind, or the model or the images are missing.
        SettingsError: A setting is unknown or impossible.
    """
    content, text = _content(source)
    parts = _Parts()
    if data is not None:
        content["dataset"] = parts.dataset(data, labels, regions, count)
    elif labels is not None or regions is not None:
        raise UsageError("labels, regions: expected images beside them, got none; give data")
    elif count is not None and "dataset" in content:
        content["dataset"] = parts.dataset(content["dataset"], None, None, count)
    if model is not None:
        facts = ModelFacts(bounds, _preprocessing(preprocessing), tuple(class_names), parts.channels)
        content["models"] = parts.models(model, facts)
    elif bounds is not None or preprocessing is not None or class_names:
        raise UsageError("bounds, preprocessing, class_names: expected an nn.Module beside them, got none; give model")
    _check_given(content)
    if methods is not None:
        content["methods"] = [parts.settings(Method, label, each) for label, each in _listed(methods, "methods")]
    if metrics is not None:
        content["metrics"] = [parts.settings(Metric, label, each) for label, each in _listed(metrics, "metrics")]
    content |= settings
    content.setdefault("name", _slug(content["models"][0], parts.objects))
    with holding(parts.objects):
        _add_defaults(content)
        experiment = Experiment.parse(content)
    unchanged = all(given is None for given in (model, data, methods, metrics)) and not settings
    return Assembly(experiment, parts.objects, text if unchanged else "")


@dataclass(frozen=True)
class ModelFacts:
    """What a call says about a bare module. `channels` are those of the images, if these are tensors."""

    bounds: Bounds | tuple[float, float] | None
    preprocessing: Preprocessing | None
    class_names: tuple[str, ...]
    channels: int | None

    def model(self, module: nn.Module, name: str) -> Model:
        """The module with these facts.

        Raises:
            UsageError: Neither the bounds nor the preprocessing are given.
        """
        name, bounds = name or type(module).__name__, self.bounds
        if bounds is None and self.preprocessing is None:
            raise UsageError(
                f"model: expected the least and the largest value of the input of this {type(module).__name__}, which a bare "
                "nn.Module does not say, got neither bounds nor preprocessing; give bounds=(0, 1), or preprocessing=Preprocessing("
                "side=224, resize=256) for photographs, or a Model"
            )
        if isinstance(bounds, tuple):
            channels = self.channels or (len(self.preprocessing.mean) if self.preprocessing else 3)
            bounds = Bounds.of(*bounds, channels=channels)
        found = bounds or cast(Preprocessing, self.preprocessing).bounds
        return Model(module, found, class_names=self.class_names, preprocessing=self.preprocessing, name=name)

    def check_used(self, models: Sequence[Any]) -> None:
        """Refuse facts beside models that have their own.

        Raises:
            UsageError: Facts are given, and none of the models takes them.
        """
        given = {"bounds": self.bounds, "preprocessing": self.preprocessing, "class_names": self.class_names or None}
        unused = [key for key, value in given.items() if value is not None]
        if unused and all(isinstance(model, Model) for model in models):
            raise UsageError(
                f"{', '.join(unused)}: expected an nn.Module beside them, got a Model, which has its own; use model.with_(…)"
            )


class _Parts:
    """Makes entries, and collects the objects that they refer to."""

    def __init__(self) -> None:
        self.objects: dict[str, HeldObject] = {}
        self.channels: int | None = None

    def dataset(self, data: Any, labels: Any, regions: Tensor | None, number: int | None) -> Entry:
        """The entry of the images."""
        dataset = dataset_of(data)
        if dataset is None:
            images = image_list(data, labels, regions, number)
            self.channels = images.tensors[0].shape[0] if images.tensors else None
            self.objects[images.content] = HeldObject(images, "the images")
            return GivenImages(content=images.content).to_dict()
        if labels is not None or regions is not None:
            raise UsageError(
                f"labels, regions: expected tensors beside them, got the data set {dataset.name}, which has its own; give a Folder "
                "with `labels` and `masks`"
            )
        return self.settings(Dataset, "", dataset if number is None else dataset.model_copy(update={"count": number}))

    def models(self, model: Any, facts: ModelFacts) -> list[Entry]:
        """The entries of the networks."""
        if isinstance(model, Mapping) and "name" not in model:
            named = [(str(name), each) for name, each in model.items()]
        else:
            named = [("", each) for each in (model if isinstance(model, list | tuple) else [model])]
        facts.check_used([each for _, each in named])
        return [self.model(each, facts, name) for name, each in named]

    def model(self, given: Any, facts: ModelFacts, name: str = "") -> Entry:
        """The entry of one network."""
        if isinstance(given, str | Path | Mapping | Loader):
            loader = _loader(given, facts)
            if not name:
                return self.settings(Loader, "", loader)
            given = load_model(loader)
        elif isinstance(given, nn.Module):
            given = facts.model(given, name)
        elif not isinstance(given, Model):
            raise UsageError(
                f"model: expected a Model, an nn.Module with bounds, an import path module:callable, or a dict of name → model, "
                f"got {_kind(given)}"
            )
        held = with_source(given if not name else given.with_(name=name))
        content = model_content(held)
        self.objects[content] = HeldObject(held, f"the model {held.name}")
        return Given(content=content).to_dict()

    def settings(self, family: type[Settings], label: str, given: Any) -> Entry:
        """The entry of a method, a metric, a data set or a loader; one that no registry has is held."""
        if isinstance(given, str):
            return parse_settings(given) | ({"label": label} if label else {})
        if isinstance(given, Mapping):
            return {**given} | ({"label": label} if label else {})
        if not isinstance(given, family):
            remedy = f"; write {given.__name__}()" if isinstance(given, type) and issubclass(given, family) else ""
            raise UsageError(f"{family.family}: expected one, its name or its settings, got {_kind(given)}{remedy}")
        entry = given.to_dict()
        if not _is_registered(family, given):
            self.objects[given.digest] = HeldObject(given, f"the {family.family} {given.name}", source_hash(type(given), given))
        if isinstance(given, Method) or label:
            entry["label"] = label or method_label(cast(Method, given), _changed(given))
        return entry


def _content(source: Source) -> tuple[Entry, str]:
    """The content of an experiment as a table, and the text of its file."""
    match source:
        case None:
            return {}, ""
        case Experiment():
            return source.model_dump(exclude_unset=True), ""
        case Mapping():
            return dict(source), ""
        case str() | Path():
            text = read_text(Path(source))
            return toml_content(text, Path(source)), text
    raise UsageError(
        f"experiment: expected an Experiment, the path of its TOML file, or its content as a dict, got {_kind(source)}"
    )


def _check_given(content: Entry) -> None:
    """What no default can stand for must be there."""
    for key, argument, example in (
        ("models", "model", 'a Model, an nn.Module with bounds, or an import path such as "my_package.nets:build"'),
        ("dataset", "data", "a folder of images, a tensor [n, c, h, w], or an iterable of (image, label)"),
    ):
        if key not in content:
            raise UsageError(f"{argument}: expected {example}, got none")


def _add_defaults(content: Entry) -> None:
    """Add the default methods and metrics where the call names none."""
    if "methods" in content and "metrics" in content:
        return
    draft = Experiment.parse({"methods": ["gradient"], "metrics": ["sparseness"], **content})
    entry, dataset = next(draft.model_entries()), draft.data()
    model = entry.loader.load()
    model = model if entry.output is None else model.with_(output=entry.output)
    preprocessing_of(model, dataset)
    shape = image_shape(model, dataset)
    lower, upper = model.bounds.like(torch.zeros(1, *shape))
    grey = model.placed(((lower + upper) / 2).expand(1, *shape).clone())
    if "methods" not in content:
        content["methods"] = list(default_methods(model, grey))
    if "metrics" not in content:
        content["metrics"] = list(default_metrics(model, grey))


def _loader(given: Any, facts: ModelFacts) -> Loader:
    """The loader of a text, a table or itself, with the facts that it takes."""
    facts_given = {"preprocessing": facts.preprocessing, "class_names": facts.class_names or None}
    extra = {key: value for key, value in facts_given.items() if value is not None}
    if facts.bounds is not None:
        raise UsageError("bounds: expected an nn.Module beside them, got the name of a network; give preprocessing")
    loader = given if isinstance(given, Loader) else resolve(str(given) if isinstance(given, Path) else given)
    unknown = [key for key in extra if key not in type(loader).model_fields]
    if unknown:
        raise UsageError(
            f"{', '.join(unknown)}: expected a network that takes them, got {loader}, which brings its own; leave them out"
        )
    return loader.model_copy(update=extra)


def _preprocessing(given: Preprocessing | Mapping[str, Any] | None) -> Preprocessing | None:
    if given is None or isinstance(given, Preprocessing):
        return given
    return Preprocessing.from_dict(given)


def _listed(given: Any, what: str) -> Iterable[tuple[str, Any]]:
    """Methods or metrics with their labels: a sequence has none, a dict has labels, and one alone is a sequence of one."""
    if isinstance(given, Mapping) and "name" not in given:
        return [(str(label), each) for label, each in given.items()]
    if isinstance(given, str | Mapping | Settings):
        return [("", given)]
    if not isinstance(given, Iterable):
        raise UsageError(f"{what}: expected a list, or a dict of label → {what[:-1]}, got {_kind(given)}")
    return [("", each) for each in given]


def _is_registered(family: type[Settings], given: Settings) -> bool:
    try:
        return family.from_dict(given.to_dict()) == given
    except HeatproofError:
        return False


def _changed(given: Settings) -> Entry:
    """The settings that differ from their defaults, as plain values."""
    fields, plain = type(given).model_fields, given.to_dict()
    return {key: plain[key] for key, value in given if value != fields[key].get_default(call_default_factory=True)}


def _slug(entry: Any, objects: Mapping[str, HeldObject]) -> str:
    """A name for the folder of the run, from its first network."""
    loader = loader_of(parse_settings(entry) if isinstance(entry, str) else entry)
    held = objects.get(getattr(loader, "content", ""))
    text = (
        held.value.name
        if held is not None and isinstance(held.value, Model)
        else str(getattr(loader, loader.shorthand, loader.name))
    )
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-.") or "run"


def _kind(given: Any) -> str:
    if isinstance(given, type):
        return f"the class {given.__name__}"
    return f"{type(given).__module__}.{type(given).__qualname__}".removeprefix("builtins.")
