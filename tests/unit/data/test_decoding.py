import io
import os
import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from heatproof.core.errors import ImageRefused
from heatproof.data import MAX_ASPECT, MAX_PIXELS, MIN_SIDE, open_image

RED, WHITE = (255, 0, 0), (255, 255, 255)


def png_header(width, height, depth=8, colour=0):
    """A PNG file whose header promises an image of that size; what follows is too short for it."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(4096))) + chunk(b"IEND", b"")


@pytest.fixture
def save(tmp_path):
    def save(image, name, **options):
        image.save(tmp_path / name, **options)
        return tmp_path / name

    return save


def refusal(path, match):
    with pytest.raises(ImageRefused, match=match) as caught:
        open_image(path, path.name)
    assert caught.value.source == path.name
    return caught.value


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "gif", "tif"])
def test_every_listed_format_opens_as_rgb(save, suffix):
    image = open_image(save(Image.new("RGB", (20, 10), RED), f"x.{suffix}"), "x")
    assert (image.mode, image.size) == ("RGB", (20, 10))
    assert np.abs(np.array(image).reshape(-1, 3).mean(0) - RED).max() < 3


def test_an_open_stream_is_as_good_as_a_path(save):
    path = save(Image.new("RGB", (20, 10), RED), "x.png")
    assert open_image(io.BytesIO(path.read_bytes()), "upload").getpixel((3, 3)) == RED


def test_a_grey_image_stays_grey(save):
    assert open_image(save(Image.new("L", (9, 9), 77), "x.png"), "x").mode == "L"


def test_a_black_and_white_image_becomes_grey(save):
    image = open_image(save(Image.new("1", (9, 9), 1), "x.png"), "x")
    assert (image.mode, image.getpixel((0, 0))) == ("L", 255)


def test_a_palette_becomes_its_colours(save):
    image = open_image(save(Image.new("RGB", (9, 9), RED).quantize(4), "x.png"), "x")
    assert (image.mode, image.getpixel((0, 0))) == ("RGB", RED)


def test_transparency_is_laid_on_white(save):
    image = open_image(save(Image.new("RGBA", (9, 9), (*RED, 0)), "x.png"), "x")
    assert (image.mode, image.getpixel((0, 0))) == ("RGB", WHITE)


def test_a_transparent_palette_entry_is_laid_on_white(save):
    palette = Image.new("P", (9, 9), 0)
    palette.putpalette([255, 0, 0, 0, 255, 0])
    image = open_image(save(palette, "x.png", transparency=0), "x")
    assert image.getpixel((0, 0)) == WHITE


def test_a_transparent_grey_is_laid_on_white_and_stays_grey(save):
    image = open_image(save(Image.new("LA", (9, 9), (0, 0)), "x.png"), "x")
    # Pillow may hold grey with transparency as RGBA; either way the pixel must be white
    assert set(np.array(image).flatten()) == {255}


def test_cmyk_becomes_rgb(save):
    image = open_image(save(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "x.jpg", quality=95), "x")
    assert image.mode == "RGB"
    assert np.abs(np.array(image, int)[8, 8] - RED).max() < 8


def test_exif_rotation_is_honoured(save):
    exif = Image.Exif()
    exif[0x0112] = 6
    assert open_image(save(Image.new("RGB", (20, 10)), "x.jpg", exif=exif), "x").size == (10, 20)


def test_the_first_frame_of_an_animation_counts(save):
    frames = [Image.new("RGB", (9, 9), colour) for colour in (RED, (0, 0, 255))]
    path = save(frames[0], "x.gif", save_all=True, append_images=frames[1:])
    assert open_image(path, "x").getpixel((0, 0)) == RED


def test_more_than_forty_megapixels_are_refused_before_decoding(tmp_path):
    path = tmp_path / "huge.png"
    path.write_bytes(png_header(MAX_PIXELS // 5000 + 1, 5000))  # were it decoded, it would be found truncated
    refusal(path, "more than 40 megapixels; make it smaller")


@pytest.mark.parametrize("side", [12_000, 60_000])
def test_a_bomb_that_pillow_itself_warns_of_or_refuses_is_refused_the_same_way(tmp_path, side):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(side, side))
    refusal(path, "more than 40 megapixels")


@pytest.mark.parametrize("size", [(1, 1), (MIN_SIDE - 1, 100)])
def test_a_tiny_image_is_refused(save, size):
    refusal(save(Image.new("RGB", size), "tiny.png"), "shorter side must have at least 8 pixels")


def test_a_strip_is_refused_before_resizing_its_shorter_side_fills_the_memory(save):
    refusal(save(Image.new("L", (9, 9 * MAX_ASPECT + 1)), "strip.png"), "9 × 181 is more than 20 times as long as wide; cut out")
    open_image(save(Image.new("L", (9, 9 * MAX_ASPECT)), "long.png"), "x")


@pytest.mark.parametrize("kind", ["uint16", "int32", "float32"])
def test_pixels_of_more_than_eight_bits_are_refused(save, kind):
    refusal(save(Image.fromarray(np.zeros((9, 9), kind)), "deep.tif"), "more than 8 bits a channel.*scale it")


@pytest.mark.parametrize("colour", [0, 2, 4, 6], ids=["grey", "rgb", "grey alpha", "rgb alpha"])
def test_a_sixteen_bit_png_is_refused_even_where_pillow_calls_it_rgb(tmp_path, colour):
    path = tmp_path / "deep.png"
    path.write_bytes(png_header(9, 9, depth=16, colour=colour))
    refusal(path, "more than 8 bits a channel")


def test_other_colour_spaces_are_refused(save):
    refusal(save(Image.new("LAB", (9, 9)), "lab.tif"), "mode LAB; convert it to RGB")


def test_a_truncated_file_is_refused(tmp_path):
    whole = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(whole, "PNG")
    path = tmp_path / "half.png"
    path.write_bytes(whole.getvalue()[:1000])
    refusal(path, "truncated or damaged .*copy it again")


def test_what_libtiff_says_of_a_damaged_file_is_not_on_the_screen(save, capfd):
    path = save(Image.effect_noise((40, 40), 90).convert("RGB"), "x.tif", compression="tiff_lzw")
    content = bytearray(path.read_bytes())
    content[200:1200] = b"\xff" * 1000
    with Image.open(io.BytesIO(content)) as image, suppress(OSError):
        image.load()
    assert "code" in capfd.readouterr().err
    path.write_bytes(content)
    refusal(path, "truncated or damaged")
    assert capfd.readouterr().err == ""
    os.write(2, b"heard again")
    assert capfd.readouterr().err == "heard again"


def test_a_text_file_with_an_image_name_is_refused(tmp_path):
    path = tmp_path / "x.jpg"
    path.write_text("not an image")
    refusal(path, "not an image in one of the formats PNG, JPEG, .*convert it")


def test_a_format_that_is_not_listed_is_refused_though_pillow_reads_it(save):
    refusal(save(Image.new("RGB", (9, 9)), "x.ppm"), "not an image in one of the formats")


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "x.jpg"
    path.touch()
    refusal(path, r"empty \(0 bytes\); copy it again")


def test_a_folder_with_an_image_name_is_refused(tmp_path):
    path = tmp_path / "x.jpg"
    path.mkdir()
    refusal(path, "got a folder; name the images in it, or rename it without")


def test_a_missing_file_is_refused(tmp_path):
    refusal(tmp_path / "x.jpg", "no such file")


def test_links_that_lead_nowhere_or_in_a_circle_are_refused(tmp_path):
    loop, broken = tmp_path / "loop.jpg", tmp_path / "broken.jpg"
    loop.symlink_to(loop)
    broken.symlink_to(tmp_path / "gone")
    refusal(loop, "link leads nowhere or in a circle")
    refusal(broken, "link leads nowhere or in a circle")


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path):
    path = tmp_path / "x.jpg"
    os.mkfifo(path)
    refusal(path, "got a pipe or device")


def test_a_file_that_may_not_be_read_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "x.jpg"
    path.write_bytes(b"x")

    def forbidden(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", forbidden)
    refusal(path, r"may not be read \(Permission denied\); mend its permissions")
