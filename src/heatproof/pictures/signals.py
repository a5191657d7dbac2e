"""Maps of signals: each channel as a line, and the map under it as an area, red above zero and blue below.

Of more than four channels, the map is a strip with one row of colours for each channel.
"""

from typing import Any

import numpy as np

from heatproof.core.formatting import significant
from heatproof.pictures.canvas import (
    FAINT,
    INK,
    MARGIN,
    RULE,
    Canvas,
    heading,
    heading_height,
    label,
    one_line,
    wrapped,
    write_heading,
)
from heatproof.pictures.colors import NEGATIVE, PERCENTILE, POSITIVE, diverging, full_color, overlay, shares_of
from heatproof.pictures.sheet import Panel, Sheet

MOST_LINES = 4
_WIDTH, _LEFT = 7.6, 0.62
_LINE, _AREA, _STRIP = 0.75, 0.55, 0.16


def draw_signals(sheet: Sheet) -> Canvas:
    """Draw the maps of a sheet of signals; each panel holds the values `[c, t]` of one signal."""
    channels = len(sheet.panels[0].values)
    with_signal = sheet.panels[0].image is not None
    lines = heading(sheet.title, sheet.subtitle, _WIDTH - 2 * MARGIN)
    one = (_LINE if with_signal else 0) + _AREA + 0.14
    body = channels * one if channels <= MOST_LINES else min(max(channels * _STRIP, 0.6), 3.0) * (2 if with_signal else 1) + 0.14
    notes = [wrapped(panel.remark, _WIDTH - 2 * MARGIN, 7, 3) for panel in sheet.panels]
    height = heading_height(lines) + sum(0.22 + body + 0.32 + 0.14 * len(note) for note in notes) + 0.3
    canvas = Canvas(_WIDTH, height)
    y = write_heading(canvas, lines)
    for panel, note in zip(sheet.panels, notes, strict=True):
        canvas.text(MARGIN, y, one_line(panel.heading, _WIDTH - 2 * MARGIN, 9), 9, INK)
        y += 0.22
        values = np.asarray(panel.values, dtype=np.float64)
        full = full_color(values)
        if channels <= MOST_LINES:
            for channel in range(channels):
                _draw_channel(canvas, panel, values, full, channel, y + channel * one, last=channel == channels - 1)
        else:
            _draw_strip(canvas, panel, values, full, y, body)
        y += body + 0.32
        canvas.text(MARGIN, y - 0.06, "\n".join(note), 7)
        y += 0.14 * len(note)
    omitted = f" {sheet.omitted} more not shown." if sheet.omitted else ""
    legend = f"Red is positive and blue negative; full colour is the {PERCENTILE:g}th percentile of the map's size.{omitted}"
    canvas.text(MARGIN, y, "\n".join(wrapped(legend, _WIDTH - 2 * MARGIN, 7, 2)), 7)
    return canvas


def _draw_channel(canvas: Canvas, panel: Panel, values: Any, full: float, channel: int, y: float, *, last: bool) -> None:
    """One channel: its signal over faint bands of colour, and its map beneath."""
    width, at = canvas.width - _LEFT - MARGIN, np.arange(values.shape[1])
    shares = shares_of(values[channel], full)
    name = f"channel {channel}" if len(values) > 1 else ""
    if panel.image is not None:
        axes = canvas.axes(_LEFT, y, width, _LINE)
        signal = np.asarray(panel.image[channel], dtype=np.float64)
        low, high = float(np.nanmin(signal)), float(np.nanmax(signal))
        pad = 0.08 * (high - low) or 0.5
        light = overlay(np.full((1, len(at)), 255, dtype=np.uint8), 0.75 * shares[None])
        extent = (-0.5, len(at) - 0.5, low - pad, high + pad)
        axes.imshow(light, aspect="auto", extent=extent, interpolation="nearest")
        axes.plot(at, signal, color=INK, linewidth=0.9)
        axes.set_xticks([])
        axes.set_ylim(low - pad, high + pad)
        axes.set_xlim(-0.5, len(at) - 0.5)
        axes.set_yticks([low, high] if high > low else [low], [significant(v) for v in ([low, high] if high > low else [low])])
        label(axes, name or "signal", "y")
        y += _LINE
    axes = canvas.axes(_LEFT, y + 0.1, width, _AREA - 0.1)
    drawn = np.where(np.isfinite(values[channel]), values[channel], np.nan)
    edge = full or 1.0
    axes.axhline(0, color=RULE, linewidth=0.8)
    axes.fill_between(at, np.clip(drawn, 0, edge), 0, color=POSITIVE, step="mid", linewidth=0)
    axes.fill_between(at, np.clip(drawn, -edge, 0), 0, color=NEGATIVE, step="mid", linewidth=0)
    axes.set_xlim(-0.5, len(at) - 0.5)
    axes.set_ylim(-1.05 * edge, 1.05 * edge)
    axes.set_yticks([-edge, edge] if full else [0], [f"−{significant(edge)}", significant(edge)] if full else ["0"])
    label(axes, "map" if panel.image is not None else name or "map", "y")
    if not last:
        axes.set_xticks([])


def _draw_strip(canvas: Canvas, panel: Panel, values: Any, full: float, y: float, body: float) -> None:
    """Many channels: one row of colours for each, under the signals in grey."""
    width = canvas.width - _LEFT - MARGIN
    pictures = [(diverging(shares_of(values, full)), "map")]
    if panel.image is not None:
        signal = np.asarray(panel.image, dtype=np.float64)
        low, high = float(np.nanmin(signal)), float(np.nanmax(signal))
        pictures.insert(0, (np.round(255 * (signal - low) / ((high - low) or 1.0)).astype(np.uint8), "signal"))
    each = (body - 0.14) / len(pictures)
    for number, (pixels, name) in enumerate(pictures):
        axes = canvas.axes(_LEFT, y + number * each, width, each - 0.06)
        colors = {"cmap": "gray", "vmin": 0, "vmax": 255} if pixels.ndim == 2 else {}
        axes.imshow(pixels, aspect="auto", interpolation="nearest", **colors)
        axes.set_yticks([0, len(values) - 1])
        label(axes, name, "y")
        if number < len(pictures) - 1:
            axes.set_xticks([])
    remark = f"rows: channels 0 to {len(values) - 1}" + (f", full colour ±{significant(full)}" if full else "")
    canvas.text(canvas.width - MARGIN, y - 0.06, remark, 7, FAINT, ha="right", va="bottom")
