"""JSON files in the folder of a run: what they hold, or a refusal that names the file and the remedy."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from heatproof.core.errors import DataError
from heatproof.core.records import Failure

REMEDY = (
    "Delete this file and start the run again: units whose parts exist are not computed again, "
    "unless another way to compute passes proves the fastest."
)


def read_failures(path: Path) -> list[Failure]:
    """The failures, or the refused images, that a file lists.

    Raises:
        DataError: the file holds something else.
    """
    items = read_json(path)
    if isinstance(items, list) and all(map(_is_failure, items)):
        return [Failure(**item) for item in items]
    raise DataError(f"{path}: expected a list of failures, got {items!s:.80}. Delete this file; it is only a note.")


def _is_failure(item: Any) -> bool:
    if not isinstance(item, dict) or not all(isinstance(value, str) for value in item.values()):
        return False
    return {"unit", "what", "reason"} <= set(item) <= {field.name for field in fields(Failure)}


def read_json(path: Path) -> Any:
    """What a file holds.

    Raises:
        DataError: the file cannot be read, or holds no JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except (ValueError, OSError, RecursionError) as error:
        raise DataError(f"{path}: expected JSON, got a file that cannot be parsed ({error!s:.200}). {REMEDY}") from error
