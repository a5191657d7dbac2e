"""Settings that are frozen, converted to canonical JSON and hashed by content, and the lookup of a settings class by its name.

Every method, metric, fill, noise, quadrature and output is a `Settings`: frozen, validated and keyword-only. Its name is the
snake_case form of its class name. The registry of a family is the list of exports (`__all__`) of its home package; there is no
other registration.
"""

import hashlib
import importlib
import inspect
import json
import re
from abc import ABC
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidatorFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from heatproof.core.errors import LISTED, SettingsError, UnknownNameError, listed, near_names
from heatproof.core.foreign_names import NOT_SETTINGS, SETTINGS, name_here
from heatproof.core.formatting import comma_list


def snake_case(name: str) -> str:
    """The snake_case form of a class name: `IntegratedGradients` → `integrated_gradients`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def canonical_json(value: object) -> str:
    """The unique JSON text of a value: sorted keys, no spaces, floats by `repr`, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content_hash(value: object) -> str:
    """The first 32 hexadecimal digits of the SHA-256 of the canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:32]


class Settings(BaseModel):
    """Frozen, validated, keyword-only settings.

    A field whose type is an abstract settings class accepts an object, a name (`"black"`) or a table (`{name = "uniform", …}`). A
    table without a name (`{steps = 20}`) changes the default of the field.

    Raises:
        SettingsError: A field is unknown, missing or has an impossible value.
        UnknownNameError: The name is not exported by the home package of the family (for a field: a SettingsError that names the
            field).

    >>> from heatproof.core.settings import Settings
    >>> class Blur(Settings):
    ...     sigma: float = 2.0
    >>> Blur(sigma=3).to_dict(), str(Blur(sigma=3)), Blur.from_dict({"sigma": 3}) == Blur(sigma=3)
    ({'name': 'blur', 'sigma': 3.0}, 'blur(sigma=3.0)', True)
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False, polymorphic_serialization=True
    )

    name: ClassVar[str] = "settings"
    home: ClassVar[str | tuple[str, ...]] = ""
    """The package whose exports are the registry of this family; several packages, if a family has members on more than one
    floor.
    """
    adapters: ClassVar[str] = ""
    """The package or module whose exports can be named too, but stand in no list of the family: they need what a user brings."""
    family: ClassVar[str] = "setting"
    """The word for a member of this family in messages."""

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise _as_heatproof_error(type(self), error) from None

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        cls.name = snake_case(cls.__name__)

    @model_validator(mode="wrap")
    @classmethod
    def _look_up(cls, data: Any, build: ValidatorFunctionWrapHandler) -> Self:
        if isinstance(data, str):
            data = {"name": data}
        if is_abstract(cls) and not isinstance(data, Mapping | cls):
            raise ValueError(cls._expected(data))
        if isinstance(data, Mapping) and "name" in data:
            fields = {key: value for key, value in data.items() if key != "name"}
            chosen = lookup(cls, data["name"])
            if chosen is not cls:
                return cast(Self, chosen(**fields))
            data = fields
        if isinstance(data, Mapping):
            if is_abstract(cls):
                raise ValueError(f"expected a name, got {dict(data)!r:.80}. {listed(list(exports(cls)))}")
            data = {key: cls._merged_with_default(key, value) for key, value in data.items()}
        return cast(Self, build(data))

    @classmethod
    def _merged_with_default(cls, key: str, value: Any) -> Any:
        """A nested table without a name, merged into the default of its field; any other value as it is."""
        if not isinstance(value, Mapping) or "name" in value or key not in cls.model_fields:
            return value
        default = cls.model_fields[key].get_default(call_default_factory=True)
        return {**default.to_dict(), **value} if isinstance(default, Settings) else value

    @model_serializer(mode="wrap")
    def _with_name(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"name": self.name, **dump(self)}

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain JSON values, with the name; `from_dict` is the inverse."""
        return self.model_dump(mode="json")

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any] | str) -> Self:
        """Settings from a table or a name, as in a TOML or JSON file."""
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            raise _as_heatproof_error(cls, error) from None

    @classmethod
    def hint(cls, unknown: str) -> str:
        """What to write in place of a name that the family does not have; empty if nothing is known about it."""
        return ""

    @classmethod
    def value_hint(cls, value: Any) -> str:
        """What to write in place of a value that is no member of the family; empty if nothing is known about it."""
        return ""

    @classmethod
    def _expected(cls, value: Any) -> str:
        known = list(exports(cls)) if cls.home else []
        hint = cls.value_hint(value) or (f"write its name, one of {comma_list(known, most=LISTED)}" if known else "")
        article = "an" if cls.family[0] in "aeiou" else "a"
        return f"expected {article} {cls.family}, got {_described(value)}" + (f"; {hint}" if hint else "")

    def nested(self) -> "Iterator[Settings]":
        """These settings and all settings they hold, at any depth."""
        yield self
        for _, value in self:
            if isinstance(value, Settings):
                yield from value.nested()

    @property
    def digest(self) -> str:
        """The content hash: equal settings have equal hashes, and any changed field changes it."""
        return content_hash(self.to_dict())

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Settings)
            and type(other) is type(self)
            and canonical_json(self.to_dict()) == canonical_json(other.to_dict())
        )

    def __hash__(self) -> int:
        return hash(self.digest)

    def __str__(self) -> str:
        changed = [
            f"{key}={value}" for key, value in self if value != type(self).model_fields[key].get_default(call_default_factory=True)
        ]
        return f"{self.name}({', '.join(changed)})" if changed else self.name


def is_abstract(cls: type[Settings]) -> bool:
    """Whether a class is the base of a family or of a part of it, and cannot be instantiated."""
    return ABC in cls.__bases__ or inspect.isabstract(cls)


def exports(base: type[Settings]) -> dict[str, type[Settings]]:
    """The concrete settings classes that the home packages of a family export, by name."""
    return _members(base, (base.home,) if isinstance(base.home, str) else base.home)


def _members(base: type[Settings], homes: Sequence[str]) -> dict[str, type[Settings]]:
    packages = map(importlib.import_module, homes)
    members = [getattr(package, item) for package in packages for item in package.__all__]
    return {m.name: m for m in members if inspect.isclass(m) and issubclass(m, base) and not is_abstract(m)}


def lookup(base: type[Settings], name: str) -> type[Settings]:
    """The class of that name in the family of `base`.

    Raises:
        UnknownNameError: The family has no class of that name.
    """
    if not isinstance(name, str):
        raise SettingsError(f"name: expected text, got {name!r:.80}")
    if not is_abstract(base) and name == base.name:
        return base
    known = exports(base) if base.home else {} if is_abstract(base) else {base.name: base}
    if name not in known and base.adapters and name in (adapters := _members(base, (base.adapters,))):
        return adapters[name]
    if name not in known:
        meant = name_here(base.family, str(name), known)
        raise UnknownNameError(base.family, str(name), list(known), f"Write {meant}." if meant else base.hint(str(name)))
    return known[name]


def setting_hint(cls: type[Settings], unknown: str) -> str:
    """What to write in place of a setting of another library that a class does not have: its name here, or what to do instead.

    It is empty if nothing is known about the setting.

    >>> from heatproof.core.settings import Settings, setting_hint
    >>> class Blur(Settings):
    ...     samples: int = 2
    >>> setting_hint(Blur, "nt_samples"), setting_hint(Blur, "colour")
    ('write samples=…', '')
    """
    for path in SETTINGS.get(unknown, ()):
        if has_setting(cls, path):
            first, dot, rest = path.partition(".")
            return f"write {path}=…" + (f' (in Python, {first}={{"{rest}": …}})' if dot else "")
    return NOT_SETTINGS.get(unknown, "")


def has_setting(cls: type[Settings], path: str) -> bool:
    """Whether a class has a setting; a dot leads into the settings that are the default of one."""
    first, _, rest = path.partition(".")
    if first not in cls.model_fields or not rest:
        return first in cls.model_fields
    default = cls.model_fields[first].get_default(call_default_factory=True)
    return isinstance(default, Settings) and has_setting(type(default), rest)


def _described(value: Any) -> str:
    """A value in a message: as it is if it is short, otherwise its type and its shape."""
    if isinstance(value, str | int | float | bool | None):
        return f"{value!r:.80}"
    shape = getattr(value, "shape", None)
    of = f" of shape {list(shape)}" if shape is not None else ""
    return f"a {type(value).__name__}{of}"


def _value_advice(cls: type[Settings], key: str, value: Any) -> str:
    """What to write in place of an object that a setting does not take, such as a tensor for a number or a layer for its name."""
    if hasattr(value, "named_modules"):
        return "; write the name that it has in model.named_modules()"
    one = key.removesuffix("s")
    return f"; did you mean {one}?" if hasattr(value, "shape") and one != key and one in cls.model_fields else ""


def _as_heatproof_error(cls: type[Settings], error: ValidationError) -> SettingsError | UnknownNameError:
    """The error to raise: an unknown name at the top level as it is, any other error as a SettingsError with the path to the
    field.
    """
    for item in error.errors():
        cause = item.get("ctx", {}).get("error")
        if isinstance(cause, UnknownNameError) and not item["loc"]:
            return cause
    return SettingsError(_explain(cls, error))


def _explain(cls: type[Settings], error: ValidationError) -> str:
    lines = []
    for item in error.errors():
        where = ".".join(str(part) for part in item["loc"])
        own = f"{item['loc'][-1] if item['loc'] else cls.name}: "  # with which the message of nested settings may begin, too
        message = item["msg"].removeprefix("Value error, ").removeprefix("Input ").removeprefix(own)
        if item["type"] == "extra_forbidden":
            unknown, known = str(item["loc"][-1]), f"{cls.name} takes {', '.join(cls.model_fields) or 'none'}"
            similar = near_names(unknown, list(cls.model_fields))
            message = f"no such setting; {setting_hint(cls, unknown) or f'{similar[:1].lower()}{similar[1:]} {known}'.strip()}"
        elif item["type"] not in ("missing", "value_error"):
            message = f"{message}, got {_described(item['input'])}{_value_advice(cls, where, item['input'])}"
        lines.append(f"{where}: {message}" if where else message)
    return f"{cls.name}: " + "; ".join(lines)
