"""Reports whose charts are drawn as SVG and not a second time as PNG, which takes as long as the rest of a page."""

import base64

import pytest
import vl_convert

PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==")


def without_png(patch: pytest.MonkeyPatch) -> None:
    """Until the test ends, a chart as PNG is one pixel: for runs that end with a report. `tests/unit/report` draws every kind."""
    patch.setattr(vl_convert, "svg_to_png", lambda svg, **_: PIXEL)
