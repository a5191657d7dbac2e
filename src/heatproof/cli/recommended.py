"""The methods that `heatproof explain` draws if a call names none: those that a verdict recommends for the network."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heatproof.cli.console import err

if TYPE_CHECKING:
    from heatproof.models import Model


def recommended_methods(network: "Model", verdict: Path | None) -> "Mapping[str, Mapping[str, Any]]":
    """The labels and settings of the methods that a verdict recommends for the network; empty if there is none.

    Raises:
        DataError: The file holds no verdict.
        UsageError: The verdict recommends no method.
    """
    from heatproof.core.errors import UsageError
    from heatproof.verdict.verdict_file import VerdictFile, packaged_verdict

    found = packaged_verdict(network.name) if verdict is None else VerdictFile.read(verdict)
    if found is None:
        return {}
    if found.digest and found.digest != network.digest:
        if verdict is None:
            return {}
        err.print(
            f"{verdict}: this verdict is about {found.model} with other weights; ask for one about this network with "
            "heatproof advise",
            markup=False,
            soft_wrap=True,
        )
    if not found.explaining and verdict is not None:
        raise UsageError(f"{verdict}: expected a verdict that recommends a method, got: {found.sentence} Give --method")
    if found.explaining:
        err.print(f"{found.model}: {' '.join((found.sentence, *found.open))}", markup=False, soft_wrap=True)
    return found.explaining
