"""What anybody may give to this library, how it is damaged, and what reads it. Each target is tried with thousands of inputs.

A target is a function that takes a folder of its own and a source of random numbers, and returns a function without arguments that
makes one damaged input and reads it. Reading may refuse, by an error of this library.
"""

import io
import json
import logging
import os
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
import typer
from PIL import Image

from heatproof.core.errors import HeatproofError, UsageError
from heatproof.core.settings_text import parse_settings
from heatproof.data import Arrays, Folder, open_image
from heatproof.data.mask_files import open_mask
from heatproof.data.sources import dataset_of
from heatproof.evaluation.experiment import Experiment, toml_content
from heatproof.methods import Method
from heatproof.metrics import Metric
from heatproof.models.loaders import resolve
from heatproof.models.loaders.file import _read, _unwrapped
from heatproof.store import Run
from heatproof.store.decisions import Decisions
from heatproof.store.maps import fault
from heatproof.store.parts import fault_of, inspect
from heatproof.store.run_log import logged_units
from heatproof.store.status import status
from heatproof.verdict.verdict_file import VerdictFile
from tests.hostile.mutations import VALUES, changed_text, changed_value, damaged
from tests.unit.store.made import made

TARGETS = {}
"""The targets by their names, which are those of the table in docs/project/faults.md."""


def target(name):
    def kept(function):
        TARGETS[name] = function
        return function

    return kept


def pictures():
    """A small picture in every format that is read."""
    rng = np.random.default_rng(0)
    plain = Image.fromarray(rng.integers(0, 256, (12, 10, 3), dtype=np.uint8))
    made_files = []
    for image, kind, options in (
        (plain, "PNG", {}),
        (plain.quantize(8), "PNG", {"transparency": 0}),
        (plain.convert("L"), "PNG", {}),
        (plain, "JPEG", {"exif": _rotation()}),
        (plain.convert("CMYK"), "JPEG", {}),
        (plain, "WEBP", {}),
        (plain, "BMP", {}),
        (plain, "GIF", {}),
        (plain, "TIFF", {"compression": "tiff_lzw"}),
        (plain.convert("L"), "TIFF", {}),
    ):
        file = io.BytesIO()
        image.save(file, kind, **options)
        made_files.append(file.getvalue())
    return made_files


def _rotation():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


@target("image files")
def image_files(folder, rng):
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    files = pictures()
    return lambda: open_image(io.BytesIO(damaged(rng.choice(files), rng, files)), "x.png")


@target("mask files")
def mask_files(folder, rng):
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    files = pictures()
    return lambda: open_mask(io.BytesIO(damaged(rng.choice(files), rng, files)), "x.png")


TOML = """
name = "trial"
seeds = [0, 1]
batch = 2
dataset = "photos,count=4"
stop = { against = "chance", margin = 0.5 }
[[models]]
name = "toy"
architecture = "cnn"
[[methods]]
name = "smooth_grad"
noise = { name = "gaussian", sigma = 0.1 }
[[methods]]
name = "random_map"
[[metrics]]
name = "pixel_flipping"
steps = 4
"""
WORDS = ("[" * 3000, "{a=" * 500, '"""', "1e999", "9" * 400, "1979-05-27", "nan", "[[models]]\n", "../", "http://x.invalid/a")


@target("text of experiments")
def experiment_text(folder, rng):
    return lambda: Experiment.parse(toml_content(changed_text(TOML, rng, WORDS), Path("trial.toml")))


SETTINGS = (
    *("smooth_grad,samples=20,noise.sigma=0.2", "integrated_gradients,baseline=white,quadrature.steps=4", "occlusion,window=8"),
    *("grad_cam,layer=features.3", "lrp,composite=epsilon_plus", "pixel_flipping,steps=4", "sparseness", "random_logit"),
)


@target("settings in one line")
def settings_text(folder, rng):
    def try_one():
        given = parse_settings(changed_text(rng.choice(SETTINGS), rng, WORDS))
        (Method if rng.random() < 0.5 else Metric).from_dict(given)

    return try_one


@target("names of networks")
def model_text(folder, rng):
    given = (
        "toy,architecture=cnn",
        "torchvision:resnet18,weights=random",
        "file:w.pt,architecture=nets:build",
        "nets:build,width=8",
    )

    def try_one():
        fields = parse_settings(changed_text(rng.choice(given), rng, WORDS))
        resolve(fields.pop("name"), fields)

    return try_one


@target("names of data sets")
def data_text(folder, rng):
    Image.new("RGB", (16, 16)).save(folder / "a.png")
    given = ("photos", f"{folder}", f"{folder}/a.png", f"{folder}/b.npz", "http://x.invalid/a.png", "file:///etc/passwd")
    return lambda: dataset_of(changed_text(rng.choice(given), rng, (*WORDS, *filter(_is_text, VALUES))))


def _is_text(value):
    return isinstance(value, str)


def _file_of_a_run(folder, rng, name, wholes, read):
    """A file of a run that holds damaged JSON, or JSON of damaged values."""
    file = folder / name
    file.parent.mkdir(exist_ok=True, parents=True)

    def try_one():
        whole = rng.choice(wholes)
        if rng.random() < 0.3:
            content = damaged(json.dumps(whole).encode(), rng)
        else:
            content = json.dumps(changed_value(whole, rng)).encode("utf-8", "surrogatepass")
        file.write_bytes(content)
        read()

    return try_one


@target("manifests of runs")
def manifests(folder, rng):
    run = made(folder / "run", ("u1", "u2"))
    whole = json.loads((run.path / "run.json").read_text())
    whole |= {"claims": [{"says": "c", "metric": "curve", "falls": ["a", "b"]}], "class_names": {"0": "cat"}}
    older = {"schema": 4, "name": "old", "models": [{"name": "m", "digest": "w1", "label": "m"}], "versions": {"torch": "2"}}
    older |= {"methods": [{"method": "d1", "label": "G", "reference": True}], "claims": [{"says": "s", "pairs": [["a", "b"]]}]}
    return _file_of_a_run(run.path, rng, "run.json", (whole, older), run.manifest)


@target("notes of failures")
def failures(folder, rng):
    run, whole = Run.create(folder / "run"), [{"unit": "u1", "what": "w", "reason": "r", "traceback": "t"}]
    return _file_of_a_run(run.path, rng, "failed/u1.json", (whole,), run.failures)


@target("decisions of runs")
def decisions(folder, rng):
    first = Decisions(folder)
    first.decide("threads", 2)
    (file,) = (folder / "decided").iterdir()

    def read():
        value = Decisions(folder).get("threads")
        assert isinstance(value, int)
        assert value >= 1

    return _file_of_a_run(folder, rng, f"decided/{file.name}", ({"name": "threads", "value": 2},), read)


@target("logs of runs")
def logs(folder, rng):
    run = made(folder / "run", ("u1", "u2"), finished=("u1",))
    whole = [
        {"event": "process", "host": "h", "pid": 1, "began": "1 ticks"},
        {"event": "run", "at": "2026-01-01T00:00:00+00:00", "outcome": "started"},
        {"event": "start", "at": "2026-01-01T00:00:00+00:00", "unit": "u1", "method": "Gradient", "model": "m"},
        {"event": "end", "at": "2026-01-01T00:00:00+00:00", "unit": "u1", "outcome": "done", "seconds": 1.0, "peak_bytes": 5},
        {"event": "start", "at": "2026-01-01T00:00:00+00:00", "unit": "u2", "method": "Gradient", "model": "m"},
    ]
    (run.path / "log").mkdir()

    def try_one():
        lines = changed_value(whole, rng)
        text = "\n".join(map(json.dumps, lines)) if isinstance(lines, list) else json.dumps(lines)
        content = text.encode("utf-8", "surrogatepass")
        (run.path / "log" / "p.jsonl").write_bytes(damaged(content, rng) if rng.random() < 0.3 else content)
        list(logged_units(run.path))
        if rng.random() < 0.1:
            status(run)

    return try_one


@target("statements of reports")
def statements(folder, rng):
    run = made(folder / "run", ("u1",))
    whole = [{"model": "m", "output": "logit", "lead": "Gradient is best"}, {"model": "n", "output": "logit", "lead": "none"}]
    return _file_of_a_run(run.path, rng, "tables/verdict.json", (whole, whole[:1]), lambda: run.verdict)


@target("parts of runs")
def parts(folder, rng):
    import pyarrow.parquet as pq

    run = made(folder / "run", ("u1", "u2"))
    part = run.part_path("u1")
    with_checksum = part.read_bytes()
    pq.write_table(pq.read_table(part), part)
    without = part.read_bytes()

    def try_one():
        part.write_bytes(damaged(with_checksum if rng.random() < 0.97 else without, rng, (with_checksum, without)))
        if not fault_of(inspect(part)) and not run.faults() and rng.random() < 0.3:
            run.records()  # what is not found faulty is read

    return try_one


@target("maps of runs")
def maps(folder, rng):
    run, values = Run.create(folder / "run"), np.random.default_rng(0).normal(size=(2, 3, 4))
    run.write_part("u1", [], {"i1": values, "i2": (values > 0).astype(np.float32), "i1/saliency": values})
    file = run.maps_path("u1")
    content = file.read_bytes()

    def try_one():
        file.write_bytes(damaged(content, rng))
        fault(file)
        for key in run.mapped("u1"):
            found = run.map("u1", key)
            assert found.dtype == np.float32
            assert found.ndim == 3
        run.further("u1", "i1")

    return try_one


@target("verdict files")
def verdicts(folder, rng):
    whole = {
        "model": "toy",
        "images": 4,
        "sentence": "s",
        "use": "Gradient",
        "questions": {"q": "a"},
        "methods": [{"label": "Gradient", "settings": {"name": "gradient"}}],
        "metrics": [],
        "looks": [1, 2],
        "version": 1,
    }
    packaged = json.loads(next(Path(__import__("heatproof").__file__).parent.glob("verdict/packaged/*.json")).read_text())
    return _file_of_a_run(
        folder, rng, "verdict.json", (whole, _shortened(packaged)), lambda: VerdictFile.read(folder / "verdict.json").explaining
    )


def _shortened(nested):
    """The nested value with at most two items in each of its lists."""
    if isinstance(nested, dict):
        return {key: _shortened(value) for key, value in nested.items()}
    return [_shortened(value) for value in nested[:2]] if isinstance(nested, list) else nested


STATE = {"conv.weight": torch.ones(2, 3, 3, 3), "conv.bias": torch.zeros(2), "n": torch.tensor(3), "half": torch.ones(4).half()}


@target("weights, safetensors")
def safetensors_weights(folder, rng):
    from safetensors.torch import save

    content, file = save(STATE), folder / "w.safetensors"

    def try_one():
        file.write_bytes(damaged(content, rng))
        _unwrapped(_read(file), file)

    return try_one


@target("weights, torch")
def torch_weights(folder, rng):
    contents, file = [], folder / "w.pt"
    for state, zipped in ((STATE, True), ({"state_dict": STATE}, True), (STATE, False)):
        buffer = io.BytesIO()
        torch.save(state, buffer, _use_new_zipfile_serialization=zipped)
        contents.append(buffer.getvalue())

    def try_one():
        file.write_bytes(damaged(rng.choice(contents), rng, contents))
        _unwrapped(_read(file), file)

    return try_one


@target("files of labels")
def labels(folder, rng):
    for name in ("a", "b", "c"):
        Image.new("L", (8, 8)).save(folder / f"{name}.png")
    text = "# labels\na.png,0\nb.png\tn01440764\nc.png dog\n"

    def try_one():
        changed = changed_text(text, rng, (*filter(_is_text, VALUES), "dog", "cat", "²", "٣", "a.png,1\n")).encode(
            "utf-8", "replace"
        )
        (folder / "labels.txt").write_bytes(damaged(changed, rng) if rng.random() < 0.3 else changed)
        classes = ("cat", "dog") if rng.random() < 0.5 else ()
        Folder(path=folder, labels=folder / "labels.txt", classes=classes).items()

    return try_one


@target("arrays, npz")
def arrays(folder, rng):
    buffers = []
    for save in (np.savez, np.savez_compressed):
        buffer = io.BytesIO()
        save(buffer, images=np.zeros((2, 8, 9), np.uint8), labels=np.array([0, 1]), classes=np.array(["cat", "dog"]))
        buffers.append(buffer.getvalue())
    file = folder / "a.npz"

    def try_one():
        file.write_bytes(damaged(rng.choice(buffers), rng, buffers))
        data = Arrays(path=file, images="images", labels="labels", classes="classes")
        for item in data.items():
            data.open(item)

    return try_one


CALLS = (
    *("explain nosuch.png -m toy -x gradient,samples=3 --target 3", "evaluate nosuch.toml --executor serial --workers 2"),
    *("evaluate -m toy -d nosuch -x gradient --metric sparseness --images 3 -o out", "report nosuch", "methods gradient"),
    *(
        "metrics pixel_flipping",
        "models toy",
        "data photos",
        "judge -m toy -d nosuch --metric sparseness",
        "advise -m toy -d nosuch",
    ),
    *("runs list nosuch", "runs status nosuch", "runs verify nosuch --set-aside", "runs compact nosuch", "runs merge a b --out c"),
    *("runs export nosuch a.csv", "reproduce nosuch --budget smoke --table 1", "--version", "--debug methods", "runs", ""),
)
ARGUMENTS = (
    "-h",
    "--",
    "-",
    "--out",
    "-x",
    "--no-such",
    "=",
    "é",
    "../..",
    "a" * 5000,
    "[/red]",
    "\x1b[2J",
    "-1",
    "nan",
    "''",
    "*",
)


@target("command lines")
def command_lines(folder, rng):
    import sys
    from contextlib import chdir, redirect_stderr, redirect_stdout

    import pytest

    from heatproof import pipeline
    from heatproof.cli import help, main
    from heatproof.evaluation import run as runs
    from heatproof.models import loaders

    parser = typer.main.get_command(main.app)  # made anew by each call otherwise, which takes ten times as long as a call
    show_help, shown = help.show_help, set()

    def stopped(*_, **__):
        raise UsageError("a run would start here")

    def not_loaded(name, fields):
        resolve(name, fields)
        raise UsageError("a network would be loaded here")

    def shown_once(command, context):
        if context.command_path not in shown:
            show_help(command, context)
        shown.add(context.command_path)

    replaced = (
        *((typer.main, "get_command", lambda _: parser), (help, "show_help", shown_once), (main, "show_log", lambda: None)),
        *((loaders, "resolve", not_loaded), (runs, "run_experiment", stopped), (pipeline, "assemble", stopped)),
    )

    def try_one():
        words = rng.choice(CALLS).split()
        for _ in range(rng.choice((1, 1, 2))):
            at = rng.randrange(len(words) + 1)
            changed = rng.choice((*ARGUMENTS, rng.choice(" ".join(CALLS).split())))
            if at < len(words) and rng.random() < 0.5:
                changed = changed_text(words[at], rng, ARGUMENTS)
            words[at : at + rng.choice((0, 1, 1))] = [changed.replace("\0", "")]
        printed = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, chdir(folder), redirect_stdout(printed), redirect_stderr(printed):
            patch.setattr(sys, "argv", ["heatproof", *words])
            for module, name, instead in replaced:
                patch.setattr(module, name, instead)
            patch.setenv("HEATPROOF_DEBUG", "")  # a call with --debug sets it, which is undone here
            try:
                main.run()
            except SystemExit as ended:
                code = ended.code
        assert code in (0, 1, 2), words
        assert "Traceback" not in printed.getvalue(), words
        assert not list(folder.iterdir()), words
        if code:
            raise UsageError("refused")

    return try_one


@contextmanager
def in_memory():
    """A folder in memory where the machine has one, since a disk takes twenty times as long to write a small file anew."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


def tried(name, folder, rng, n):
    """How many of n inputs were read and how many refused; any other error is shown with what was tried."""
    try_one, read = TARGETS[name](folder, rng), 0
    for number in range(n):
        try:
            try_one()
            read += 1
        except HeatproofError as error:
            message = str(error)
            assert len(message.splitlines()) == 1, message
            assert len(message) <= 900, message
        except Exception as error:
            raise AssertionError(f"{name}, input {number}: {type(error).__name__}: {error}") from error
    return read, n - read
