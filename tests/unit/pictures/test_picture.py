import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageShow

from heatproof.core.errors import UsageError
from heatproof.pictures.draw import draw
from heatproof.pictures.sheet import Panel, Sheet


@pytest.fixture
def picture():
    return draw(Sheet('Gradient <of> a "cat"', "toy · logit", (Panel(np.eye(5)[None], "class 1"),)))


@pytest.mark.parametrize(("suffix", "head"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF"), (".PNG", b"\x89PNG")])
def test_a_picture_is_saved_by_its_suffix_the_same_every_time(picture, suffix, head, tmp_path):
    path = picture.save(tmp_path / "new" / f"map{suffix}")
    assert path.read_bytes().startswith(head)
    assert picture.save(str(path)).read_bytes() == path.read_bytes()


def test_other_suffixes_and_folders_that_are_files_are_refused(picture, tmp_path):
    with pytest.raises(UsageError, match=r"expected a suffix of \.png, \.svg, \.pdf, got '\.jpg'"):
        picture.save(tmp_path / "map.jpg")
    (tmp_path / "taken").write_text("")
    with pytest.raises(UsageError, match="expected a folder, got a file"):
        picture.save(tmp_path / "taken" / "map.png")


def test_a_notebook_gets_an_opaque_picture_with_a_description(picture):
    html = picture._repr_html_()
    assert 'alt="Gradient &lt;of&gt; a &quot;cat&quot;. toy · logit. class 1"' in html
    assert "background:#fff" in html
    with Image.open(io.BytesIO(picture._repr_png_())) as drawn:
        assert drawn.convert("RGBA").getpixel((0, 0)) == (255, 255, 255, 255)


def test_show_displays_in_a_notebook(picture, monkeypatch):
    shown = []
    display = SimpleNamespace(display=shown.append)
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell, display=display))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    picture.show()
    assert shown == [picture]


def test_show_opens_a_viewer_where_there_is_a_screen_and_refuses_elsewhere(picture, monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    opened = []
    monkeypatch.setattr(ImageShow, "show", lambda image: opened.append(image.size) or True)
    monkeypatch.setenv("DISPLAY", ":0")
    picture.show()
    assert len(opened) == 1
    monkeypatch.setattr(ImageShow, "show", lambda image: False)
    with pytest.raises(UsageError, match=r"expected a notebook, or a screen with a viewer .* use save\(path\)"):
        picture.show()
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(UsageError, match="use save"):
        picture.show()
