"""Every setting of every class says what it means."""

import importlib
import pkgutil

import pytest

import heatproof
from heatproof.core.setting_docs import setting_docs
from heatproof.core.settings import Settings, is_abstract


def subclasses(cls):
    for each in cls.__subclasses__():
        yield from (each, *subclasses(each))


for module in pkgutil.walk_packages(heatproof.__path__, "heatproof."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
CLASSES = [
    cls
    for cls in dict.fromkeys(subclasses(Settings))
    if cls.__module__.startswith("heatproof.") and not is_abstract(cls) and not cls.__name__.startswith("_")
]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_setting_of_a_class_says_what_it_means(cls):
    silent = [item.name for item in setting_docs(cls) if not item.meaning]
    assert silent == [], f"{cls.__name__}: add a block of lines `setting  meaning` to the docstring, for {silent}"
    assert all(item.type and "<" not in item.type.replace("< ", "") for item in setting_docs(cls))


def test_the_law_sees_every_family():
    assert len(CLASSES) > 100
