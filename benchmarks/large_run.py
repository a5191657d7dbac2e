"""What a run of 50,000 images × 30 methods × 4 networks on 64 GPUs takes, computed from what was measured on a small machine.

    python -m benchmarks.large_run            the tables, as they stand in docs/project/measurements/scale.md
    python -m benchmarks.large_run --write    puts them there

`benchmarks/scale.json` holds the measurements: lines of `python -m benchmarks.units`, and the planned passes of
`experiments/latec.toml`, whose mean for a map and its scores is taken for that of the large run.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
MEASURED, PAGE = HERE / "scale.json", HERE.parent / "docs" / "project" / "measurements" / "scale.md"
START, END = "<!-- computed by benchmarks/large_run.py -->\n", "<!-- end -->\n"

IMAGES, METHODS, NETWORKS, METRICS, GPUS, BATCH = 50_000, 30, 4, 20, 64, 50
RATES = (500, 2_000, 8_000)
"""Forward passes a second of one GPU: assumptions, since no GPU was at hand."""
HOURS_BETWEEN_FAILURES = 2_000
"""GPU hours between two losses of a process or a machine: an assumption."""
RETRIES = 3


def measured() -> dict[str, Any]:
    """The measurements."""
    content: dict[str, Any] = json.loads(MEASURED.read_text())
    return content


def tables(facts: Mapping[str, Any]) -> str:
    """The tables of the page."""
    return "\n".join([*_units(facts), "", *_report(facts), "", *_plan(facts), "", *_breaks(facts), ""])


def _units(facts: Mapping[str, Any]) -> Iterator[str]:
    yield "| executor | null units | ms per unit | units a second | driver, CPU ms per unit | driver's peak, MiB | load |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for each in facts["runs"]:
        yield (
            f"| {each['executor']} | {each['units']:,} | {1000 * each['per_unit']:.1f} | {1 / each['per_unit']:,.0f} | "
            f"{1000 * each['driver_cpu']:.2f} | {each['peak']:.0f} | {each['load']:.0f} |"
        )


def _report(facts: Mapping[str, Any]) -> Iterator[str]:
    yield "| records | parts | units listed, s | state, s | parts verified, s | report, CPU s | report, s | peak, MiB | load |"
    yield "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for each in facts["reports"]:
        cells = [f"{each['rows']:,}", f"{each['parts']:,}", *(f"{each[name]:.2f}" for name in ("listed", "state", "verified"))]
        cells += [f"{each[name]:.0f}" for name in ("report_cpu", "report", "peak", "load")]
        yield f"| {' | '.join(cells)} |"


def _plan(facts: Mapping[str, Any]) -> Iterator[str]:
    units, maps = _size()
    work = _work(facts)
    yield f"{IMAGES:,} images × {METHODS} methods × {NETWORKS} networks are {maps:,} maps in {units:,} units of {BATCH} images,"
    yield f"and with {METRICS} metrics {maps * METRICS:,} records. A map and its scores take {work:,.0f} forward passes,"
    yield f"the mean of the grid of LATEC's size, so that all of it takes {maps * work:.2g}."
    yield ""
    yield f"| passes a second of a GPU | hours on {GPUS} GPUs | minutes per unit | units a second | processes lost | done again |"
    yield "| ---: | ---: | ---: | ---: | ---: | ---: |"
    for rate in RATES:
        seconds = BATCH * work / rate
        hours = units * seconds / GPUS / 3600
        lost = hours * GPUS / HOURS_BETWEEN_FAILURES
        again = lost / units
        yield f"| {rate:,} | {hours:,.0f} | {seconds / 60:.1f} | {GPUS / seconds:.3f} | {lost:.1f} | {100 * again:.2g} % |"
    yield ""
    bytes_a_record = facts["bytes"] / facts["reports"][-1]["rows"]
    yield f"That a process is lost every {HOURS_BETWEEN_FAILURES:,} GPU hours is an assumption, as are the rates; each costs the"
    yield f"unit that it computed, and a unit fails only if it loses {RETRIES + 1} processes. The records take"
    yield f"{maps * METRICS * bytes_a_record / 1e9:.1f} GB ({bytes_a_record:.0f} bytes each), in {units:,} files, or in"
    yield f"{-(-units // 4000)} after `heatproof runs compact`. Maps are stored of a few images only."


def _breaks(facts: Mapping[str, Any]) -> Iterator[str]:
    units, maps = _size()
    fastest = max(RATES)
    needed = GPUS * fastest / (BATCH * _work(facts))
    driver = max(each["driver_cpu"] for each in facts["runs"] if each["executor"] == "ray" and each["units"] >= 1000)
    last = facts["reports"][-1]
    times = maps * METRICS / last["rows"]
    memory = _bytes_a_unit(facts) * units / 2**20
    yield "| what | has | needs | reached at |"
    yield "| --- | --- | --- | --- |"
    most = GPUS / driver / needed
    yield f"| the driver hands out units | {1 / driver:,.0f} a second | {needed:.2f} a second | {most:,.0f} GPUs |"
    yield f"| the driver's memory | | {memory:,.0f} MiB for {units:,} units | |"
    verified = last["verified"] / last["parts"] * units / 60
    yield f"| a start of a run that was stopped verifies all parts | | {verified:,.1f} minutes for {units:,} parts | |"
    yield (
        f"| the report | {last['rows']:,} records in {last['report_cpu']:.0f} CPU seconds and {last['peak']:.0f} MiB | "
        f"{times:,.0f} times as many | |"
    )


def _size() -> tuple[int, int]:
    maps = IMAGES * METHODS * NETWORKS
    return maps // BATCH, maps


def _work(facts: Mapping[str, Any]) -> float:
    latec = facts["latec"]
    return float(latec["passes"] / (latec["images"] * latec["methods"] * latec["networks"]))


def _bytes_a_unit(facts: Mapping[str, Any]) -> float:
    """The growth of the driver's peak from the smallest to the largest run of one executor."""
    own = [each for each in facts["runs"] if each["executor"] == "serial"]
    few, many = min(own, key=lambda each: each["units"]), max(own, key=lambda each: each["units"])
    return float((many["peak"] - few["peak"]) * 2**20 / (many["units"] - few["units"]))


def page() -> str:
    """The page with the tables of these measurements."""
    text = PAGE.read_text()
    before, after = text.split(START)[0], text.split(END)[1]
    return f"{before}{START}{tables(measured())}{END}{after}"


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        PAGE.write_text(page())
    else:
        sys.stdout.write(tables(measured()))
