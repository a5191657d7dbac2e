"""A finished figure: it is displayed in a notebook, shown on the screen, or saved."""

import base64
import io
import os
import sys
import warnings
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from heatproof.core.errors import UsageError

SUFFIXES = (".png", ".svg", ".pdf")
_CARD = "max-width:100%;height:auto;background:#fff;border-radius:4px"


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure, and a description of it for readers who cannot see it.

    A notebook displays it as the last value of a cell. It is drawn on white, so that it is legible on a dark canvas.
    """

    figure: Any
    alt: str

    def encoded(self, suffix: str = ".png") -> bytes:
        """The figure as a file of that kind, the same bytes every time."""
        from matplotlib import rc_context

        buffer = io.BytesIO()
        dates: dict[str, dict[str, Any]] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
        with rc_context({"svg.hashsalt": "heatproof", "svg.fonttype": "none"}), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # the box that is drawn says so
            self.figure.savefig(buffer, format=suffix[1:], metadata=dates.get(suffix), facecolor="white")
        return buffer.getvalue()

    def save(self, path: Path | str) -> Path:
        """Write the figure as PNG, SVG or PDF, by the suffix of the path. A file of that name is replaced, as by `savefig`.

        Returns:
            The path.

        Raises:
            UsageError: The suffix is another one, or the folder cannot be written.
        """
        from heatproof.store.atomic import check_folder, write_atomically

        path = Path(path)
        if path.suffix.lower() not in SUFFIXES:
            raise UsageError(f"{path}: expected a suffix of {', '.join(SUFFIXES)}, got {path.suffix!r}; choose one of these")
        check_folder(path.parent)
        write_atomically(path, self.encoded(path.suffix.lower()))
        return path

    def show(self) -> None:
        """Display the figure in a notebook, or open it in the viewer of images elsewhere.

        Raises:
            UsageError: There is neither a notebook nor a screen.
        """
        if _in_notebook():
            from IPython.display import display

            display(self)
            return
        from PIL import Image, ImageShow

        screen = sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        if not screen or not ImageShow.show(Image.open(io.BytesIO(self.encoded()))):
            raise UsageError("show: expected a notebook, or a screen with a viewer of images, got neither; use save(path)")

    def _repr_png_(self) -> bytes:
        return self.encoded()

    def _repr_html_(self) -> str:
        width = round(100 * self.figure.get_figwidth())
        data = base64.b64encode(self.encoded()).decode()
        return f'<img alt="{escape(self.alt)}" width="{width}" style="{_CARD}" src="data:image/png;base64,{data}">'


def _in_notebook() -> bool:
    """Whether the code runs in a notebook, which can display pictures."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return shell is not None and hasattr(shell, "kernel")
