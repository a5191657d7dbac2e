"""A verdict as a file: what `heatproof advise` found, in a form that `heatproof explain --verdict` takes.

The file is JSON. It names a network by its name and the digest of its weights, and holds the sentence, the settings of each method,
and the answers with their numbers.
"""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from heatproof.core.errors import DataError

VERDICT_VERSION = 1
PACKAGED = "packaged"
"""The folder of the verdicts that come with the package, one for each network that does."""


class AnswerEntry(BaseModel):
    """The answer to one question about one method. A number that is not known is None."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: str
    value: float | None = None
    control: float | None = None
    d: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    p: float | None = None
    images: float | None = None


class AdvisedMethodEntry(BaseModel):
    """A method that was compared: its label, its settings, the passes of one map, and its answers by the names of the questions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str
    settings: dict[str, Any]
    passes: float | None = None
    answers: dict[str, AnswerEntry] = {}


class MetricUseEntry(BaseModel):
    """A metric of faithfulness: whether it was used, and the sentence that says why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    used: bool
    images: float | None = None
    sentence: str = ""


class VerdictFile(BaseModel):
    """What was found about the methods on one network."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = VERDICT_VERSION
    model: str
    digest: str = ""
    images: int
    looks: tuple[int, ...] = ()
    sentence: str
    open: tuple[str, ...] = ()
    use: str | None = None
    tied: tuple[str, ...] = ()
    next: str | None = None
    avoid: str | None = None
    decided: bool = False
    worth: float | None = None
    stability: float | None = None
    passes: int = 0
    questions: dict[str, str] = {}
    methods: tuple[AdvisedMethodEntry, ...] = ()
    metrics: tuple[MetricUseEntry, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _check_version(cls, content: Any) -> Any:
        """Of another version the fields may be others, too, so that it is named first."""
        version = content.get("version", VERDICT_VERSION) if isinstance(content, Mapping) else VERDICT_VERSION
        if version != VERDICT_VERSION:
            raise ValueError(f"version {version!r:.80}, where this version of heatproof writes {VERDICT_VERSION}")
        return content

    @classmethod
    def read(cls, path: Path | str) -> "VerdictFile":
        """Read a verdict.

        Raises:
            DataError: The file is missing, or holds no verdict.
        """
        try:
            return cls.model_validate_json(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise DataError(f"{path}: expected a verdict, as heatproof advise writes it, got {reason}; give its path") from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "file"
            found = first["msg"].removeprefix("Value error, ")
            raise DataError(
                f"{path}: expected a verdict, as heatproof advise writes it, got {where}: {found}; make it anew"
            ) from None

    @property
    def explaining(self) -> Mapping[str, dict[str, Any]]:
        """The settings of the methods that should explain: the recommended one, and the next."""
        settings = {each.label: each.settings for each in self.methods}
        return {label: settings[label] for label in (self.use, self.next) if label is not None and label in settings}


def packaged_verdict(model: str) -> VerdictFile | None:
    """The verdict that comes with the package for a network of that name; None if there is none.

    >>> from heatproof.verdict import packaged_verdict
    >>> packaged_verdict("nosuch") is None
    True
    """
    file = resources.files("heatproof.verdict") / PACKAGED / f"{model}.json"
    return VerdictFile.model_validate_json(file.read_text(encoding="utf-8")) if file.is_file() else None
