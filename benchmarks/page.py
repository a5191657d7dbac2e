"""What docs/project/measurements/speed.md shows of results.json: tables by group, and one picture of the ratios against peers."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.harness import Row
from heatproof.report.figures.style import HUES

TITLES = {
    "memory": "Peak memory against captum's default",
    "integrated_gradients": "Integrated gradients against captum",
    "smooth_grad": "SmoothGrad against captum and zennit",
    "region_perturbation": "Region perturbation against quantus",
    "pixel_flipping": "Pixel flipping against quantus",
    "incremental": "Passes with one changed region against full forward passes, and against quantus",
    "layer_passes": "Passes that begin where something changes inside the network, against full passes, and against grad-cam",
    "backward_rules": "Layer-wise relevance propagation against zennit",
    "backward_rules_memory": "Peak memory of layer-wise relevance propagation against zennit",
    "activation_maps": "Grad-CAM against grad-cam",
    "occlusion": "Occlusion against captum",
    "masks": "RISE against the bare forward rate",
    "shapley": "KernelSHAP and Shapley sampling against captum",
    "forward_rate": "Perturbation curve against the bare forward rate",
    "overhead": "Gradient methods against bare gradients",
    "growth": "Growth with images, samples and side",
    "tolerance": "Nodes on request against a fixed rule",
}
DRAWN = ("integrated_gradients", "smooth_grad", "region_perturbation", "pixel_flipping", "backward_rules", "activation_maps")
COLOURS = dict(zip(("plain", "exact", "fast"), HUES, strict=False))


def text(rows: Sequence[Row], picture: str) -> str:
    """The generated part of the page; `picture` is the link to what `draw` writes."""
    if not rows:
        return "No results yet: `make benchmarks` writes `benchmarks/results.json`.\n"
    parts = [f"![Times faster than each peer, by network and plan]({picture})\n"] if drawn(rows) else []
    for group, title in TITLES.items():
        own = [row for row in rows if row.group == group]
        if own:
            parts += [f"## {title}\n", _table(own), *(f"Run on {machine}.\n" for machine in _machines(own))]
    return "\n".join([*parts, _not_run(rows)])


def drawn(rows: Sequence[Row]) -> list[Row]:
    """The rows that the picture shows."""
    return [row for row in rows if row.group in DRAWN and row.ratio is not None]


def digest(rows: Sequence[Row]) -> str:
    """Names what the picture shows; it stands in the file."""
    return hashlib.sha256(json.dumps([asdict(row) for row in drawn(rows)], sort_keys=True).encode()).hexdigest()


def draw(rows: Sequence[Row], path: Path) -> None:
    """Ratios of the groups with a peer, on a log axis: a dot with its extremes for each plan, and a stroke at each goal."""
    shown = drawn(rows)
    places = list(dict.fromkeys(_place(row) for row in shown))
    with matplotlib.rc_context({"svg.hashsalt": "heatproof", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(7.5, 0.9 + 0.3 * len(places)), layout="constrained")
        axes = figure.add_subplot()
        axes.axvline(1, color="#868686", linewidth=0.8)
        for row in shown:
            y, colour = places.index(_place(row)), COLOURS[row.case]
            axes.plot([row.low or 1, row.high or 1], [y, y], color=colour, linewidth=1.2)
            axes.plot([row.ratio or 1], [y], "o", color=colour, markersize=5)
            if row.target is not None:
                axes.plot([row.target], [y], "|", color=colour, markersize=14, markeredgewidth=1.8)
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlabel("times faster than the peer (log scale); a stroke is the goal")
        axes.set_yticks(range(len(places)), places)
        axes.invert_yaxis()
        keys = [Line2D([], [], color=colour, marker="o", linewidth=1.2, label=plan) for plan, colour in COLOURS.items()]
        figure.legend(handles=keys, loc="outside upper right", ncols=len(keys), frameon=False)
        figure.savefig(path, format="svg", metadata={"Date": None, "Description": digest(rows)})


def _place(row: Row) -> str:
    return f"{row.work.split(',')[0]} · {row.network} · {row.peer.split()[0]}"


def _table(rows: Sequence[Row]) -> str:
    lines = [("work", "network", "case", "peer", "ratio", "extremes", "goal", "met", "note"), ("---",) * 9]
    for row in rows:
        goal = "—" if row.target is None else f"{'≥' if row.larger_is_better else '≤'} {row.target:g}"
        ratio, extremes = ("—", "—") if row.ratio is None else (f"{row.ratio:.2f}", f"{row.low:.2f} to {row.high:.2f}")
        met = {True: "yes", False: "no", None: "—"}[row.met]
        lines.append((row.work, row.network, row.case, row.peer, ratio, extremes, goal, met, row.note))
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _machines(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(_machine(row) for row in rows))


def _machine(row: Row) -> str:
    facts = row.machine
    half = "bfloat16 instructions" if facts["bf16"] else "no bfloat16 instructions"
    return (
        f"{facts['cpu']}, {facts['cores']} cores, {half}, {'AMX' if facts['amx'] else 'no AMX'}, "
        f"{facts['threads']} threads, torch {facts['torch']}"
    )


def _not_run(rows: Sequence[Row]) -> str:
    seen = {(row.machine["bf16"], row.machine["amx"]) for row in rows}
    kinds = {
        "a CPU without bfloat16 instructions": any(not bf16 for bf16, _ in seen),
        "a CPU with AMX": any(amx for _, amx in seen),
        "CUDA": False,
    }
    missing = [TITLES[group].lower() for group in TITLES if not any(row.group == group for row in rows)]
    return f"Not run: {', '.join([*(kind for kind, ran in kinds.items() if not ran), *missing])}.\n"
