"""Writes everything in the documentation that comes from the code or from measurements: tables and the pages of docs/reference/.

python docs/generate.py            write what has changed, and say what
python docs/generate.py --check    write nothing; exit with 1 and a list if anything is stale

Nothing here is a second list: methods, metrics, fills, models and data sets are the exports of their packages, and every fact
comes from the class that declares it. The exports of the families of methods and metrics are written too (`exports.py`).
"""

import importlib
import inspect
import re
import sys
from abc import ABC
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from heatproof.attacks import Attack, GradientAttack
from heatproof.core.formatting import comma_list, interval, number, percent
from heatproof.core.setting_docs import NONE, REQUIRED, first_sentence, paragraphs, setting_docs, split_docstring
from heatproof.core.settings import Settings, exports
from heatproof.data import Dataset
from heatproof.methods import Method
from heatproof.metrics import ExplainerMetric, MapMetric, Metric, ModelMetric, ReferenceMetric, RegionMetric, TruthMetric
from heatproof.models import Output
from heatproof.models.loaders import Loader
from heatproof.numerics.quadrature import Quadrature
from heatproof.passes.counting import TYPICAL_SHAPE, PassCount
from heatproof.passes.patterns import Patterns
from heatproof.perturb.changes import Change
from heatproof.perturb.fills import Fill
from heatproof.perturb.groups import Groups
from heatproof.perturb.noises import Noise
from heatproof.relevance.composites import Composite
from heatproof.relevance.rules import ActivationRule, LinearRule, ProductRule, SoftmaxRule, SumRule
from heatproof.verdict import packaged_verdict
from heatproof.verdict.question import QUESTIONS
from heatproof.verdict.verdict_file import AnswerEntry

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
MEASUREMENTS = ROOT / "docs" / "project" / "measurements"
SPEED = MEASUREMENTS / "speed.md"
TASKS = MEASUREMENTS / "tasks.md"
SPEED_PICTURE = ROOT / "docs" / "pictures" / "speed.svg"
ADVISED = ("efficientnet_lite0", "squeezenet1_1")
"""The networks about which a verdict comes with the package."""
COMMAND = "python docs/generate.py"
REMEDY = f"run: .venv/bin/{COMMAND}"

Member = TypeVar("Member", bound=Settings)

API = (
    "heatproof.pipeline",
    "heatproof.models",
    "heatproof.models.loaders",
    "heatproof.training",
    "heatproof.methods",
    "heatproof.metrics",
    "heatproof.attacks",
    "heatproof.concepts",
    "heatproof.data",
    "heatproof.interop",
    "heatproof.perturb.fills",
    "heatproof.perturb.groups",
    "heatproof.perturb.noises",
    "heatproof.perturb.changes",
    "heatproof.perturb.draws",
    "heatproof.perturb.masks.regions",
    "heatproof.perturb.masks.ranks",
    "heatproof.perturb.masks.removal_order",
    "heatproof.perturb.masks.windows",
    "heatproof.perturb.masks.soft_grid",
    "heatproof.passes.probes",
    "heatproof.passes.forward",
    "heatproof.passes.gradient",
    "heatproof.passes.variants",
    "heatproof.passes.masked_scores",
    "heatproof.passes.box_scores",
    "heatproof.passes.removal_curves",
    "heatproof.numerics.mask_moments",
    "heatproof.passes.sampling_rounds",
    "heatproof.passes.inputs",
    "heatproof.passes.activation",
    "heatproof.passes.patterns",
    "heatproof.tracing.capture",
    "heatproof.passes.counting",
    "heatproof.numerics.quadrature",
    "heatproof.numerics.bounds",
    "heatproof.numerics.reduce",
    "heatproof.numerics.normalise",
    "heatproof.stats",
    "heatproof.store",
    "heatproof.evaluation.experiment",
    "heatproof.evaluation.stopping",
    "heatproof.evaluation.plan",
    "heatproof.evaluation.run",
    "heatproof.evaluation.executors",
    "heatproof.report",
    "heatproof.core.errors",
    "heatproof.core.records",
    "heatproof.core.seeds",
    "heatproof.core.settings",
)
"""Modules whose docstrings make the page of the Python interface, most used first."""


def pages() -> dict[Path, str]:
    """Every generated file and the text it should have."""
    readme, sampling, support = ROOT / "README.md", MEASUREMENTS / "sampling.md", MEASUREMENTS / "support.md"
    judged, advice = MEASUREMENTS / "metrics-judged.md", MEASUREMENTS / "advice.md"
    truths, front = MEASUREMENTS / "truth-agreement.md", ROOT / "docs" / "index.md"
    debugging, retraining = MEASUREMENTS / "debugging.md", MEASUREMENTS / "retraining.md"
    return {
        front: with_blocks(front, demo=_demo()),
        readme: with_blocks(readme, demo=_demo(), methods=_method_table(), metrics=_metric_table(), limits=_limits()),
        SPEED: with_blocks(SPEED, speed=_benchmarks("page").text(_speed_rows(), f"../../pictures/{SPEED_PICTURE.name}")),
        TASKS: with_blocks(TASKS, **_tasks()),
        sampling: with_blocks(sampling, **_tables_of("sampling_tables")),
        judged: with_blocks(
            judged,
            calibration=_calibration(),
            **{"calibration-optional": _calibration(optional=True)},
            **_tables_of("judged_tables"),
        ),
        truths: with_blocks(truths, **_tables_of("truth_tables")),
        debugging: with_blocks(debugging, **_tables_of("debugging"), **_tables_of("concepts")),
        retraining: with_blocks(retraining, **_tables_of("retraining")),
        advice: with_blocks(advice, **{f"verdict-{network}": _verdict(network) for network in ADVISED}),
        support: with_blocks(support, torchvision=_support_table("torchvision"), timm=_support_table("timm")),
        REFERENCE / "methods.md": _methods_page(),
        REFERENCE / "metrics.md": _metrics_page(),
        REFERENCE / "fills.md": _fills_page(),
        REFERENCE / "changes.md": _changes_page(),
        REFERENCE / "rules.md": _rules_page(),
        REFERENCE / "models.md": _models_page(),
        REFERENCE / "networks.md": _networks_page(),
        REFERENCE / "data-sets.md": _plain_page("Data sets", "Where images come from.", Dataset),
        REFERENCE / "command-line.md": _command_line_page(),
        REFERENCE / "python.md": _python_page(),
    }


def stale() -> list[Path]:
    """Generated files that are missing or say something else than the code."""
    texts = [
        path
        for path, text in {**_here("docs.exports").package_texts(), **pages()}.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    return texts if _picture_is_fresh() else [*texts, SPEED_PICTURE]


def main(arguments: Sequence[str]) -> int:
    """Write, or with `--check` compare."""
    if "--check" in arguments:
        found = stale()
        for path in found:
            print(f"{path.relative_to(ROOT)} is stale; {REMEDY}")
        return 1 if found else 0
    for path in _here("docs.exports").write_packages():
        print(f"wrote {path.relative_to(ROOT)}")
    found = stale()
    REFERENCE.mkdir(exist_ok=True)
    for path in found:
        if path == SPEED_PICTURE:
            _benchmarks("page").draw(_speed_rows(), path)
        else:
            path.write_text(pages()[path], encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


# Blocks of hand-written pages ─────────────────────────────────────────────────────────────────────


def with_blocks(path: Path, **blocks: str) -> str:
    """The page with its blocks made anew between `<!-- begin NAME … -->` and `<!-- end NAME -->`."""
    text = path.read_text(encoding="utf-8")
    for name, made in blocks.items():
        block = re.compile(rf"(<!-- begin {name}\b[^>]*-->\n).*?(<!-- end {name} -->)", re.DOTALL)
        if not block.search(text):
            raise SystemExit(f"{path.name}: expected the markers <!-- begin {name} --> and <!-- end {name} -->, found none")
        text = block.sub(lambda match, made=made: f"{match[1]}{made}{match[2]}", text)
    return text


def _here(name: str) -> ModuleType:
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))  # benchmarks/ and docs/ are no part of the package
    return importlib.import_module(name)


def _benchmarks(name: str) -> ModuleType:
    return _here(f"benchmarks.{name}")


def _speed_rows() -> Any:
    return _benchmarks("results").read()


def _picture_is_fresh() -> bool:
    """By the digest of what it shows: the strokes of a picture differ from one matplotlib to the next."""
    rows, page = _speed_rows(), _benchmarks("page")
    if not page.drawn(rows):
        return True
    return SPEED_PICTURE.exists() and page.digest(rows) in SPEED_PICTURE.read_text(encoding="utf-8")


def _tasks() -> dict[str, str]:
    """The table of tasks, and both ways of each; from what was run, not run here."""
    page = _benchmarks("tasks.page")
    rows = page.read()
    return {"tasks": page.table(rows), "snippets": page.snippets(rows)}


def _tables_of(study: str) -> dict[str, str]:
    """The tables of a study, by their names."""
    return {name: table(head, rows) for name, (head, rows) in _benchmarks(study).tables().items()}


def _calibration(optional: bool = False) -> str:
    """How often each metric of `judge` calls two random maps different, on the first photographs of each number; of the optional
    ones, which have different numbers, on all.
    """
    rows, counts = [], []
    for network, metric, found in _benchmarks("calibration").calibrations(optional):
        counts, last = list(found), found[max(found)]
        rates = [f"{each.rate:.3f} [{each.low:.3f}, {each.high:.3f}]" for each in ((last,) if optional else found.values())]
        number_of = (str(max(found)),) if optional else ()
        rows.append((network, metric, *number_of, *rates, f"{last.attained:.3f}", f"{last.seeds_alike:.3f}"))
    heads = ("photographs", "rate") if optional else tuple(f"{n} photographs" for n in counts)
    return table(("network", "metric", *heads, "attained", "seeds alike, p"), rows)


def _verdict(network: str) -> str:
    """A packaged verdict: its sentence, the metrics it rests on, and a table of its answers."""
    found = packaged_verdict(network)
    assert found is not None, "no verdict is packaged"  # noqa: S101 — a tool of this repository
    used = comma_list([metric.metric for metric in found.metrics if metric.used])
    not_used = [f"Not used: {metric.metric}. {metric.sentence}" for metric in found.metrics if not metric.used]
    lead = (
        f"Looks at {comma_list([str(n) for n in found.looks])} photographs took {found.passes:,} passes, without those of the "
        f"judgement of the metrics. {percent(found.stability or 0)} of resamples of the photographs say the same. "
        f"Metrics used: {used}. {' '.join(not_used)}"
    ).rstrip()
    limits = {question.name for question in QUESTIONS if question.against == "limit"}
    rows = [
        (method.label, *(_answer(method.answers[name], name in limits) for name in found.questions), number(method.passes or 0, 0))
        for method in found.methods
    ]
    if not found.decided:
        lead += " Not decided: more photographs could change which method is used."
    said = "\n>\n> ".join((found.sentence, *found.open))
    return f"> {said}\n\n{lead}\n\n{table(('method', *found.questions, 'passes'), rows)}"


def _demo() -> str:
    """What `heatproof demo` answers: the packaged sentence, and how each method does by each question, in words."""
    found = packaged_verdict(ADVISED[0])
    assert found is not None, "no verdict is packaged"  # noqa: S101 — a tool of this repository
    rows = [(method.label, *(method.answers[name].outcome for name in found.questions)) for method in found.methods]
    return f"> {found.sentence}\n\n{table(('method', *found.questions), rows)}"


def _answer(entry: AnswerEntry, limit: bool) -> str:
    """An answer with the number of its images, and with its mean score or, where it is compared with a control, the effect size."""
    if not entry.n or entry.value is None:
        return "—"
    if limit or entry.d is None:
        return f"{entry.outcome}, {number(round(entry.value, 2) + 0.0, 2)}, {entry.n} images"
    if entry.low is None or entry.high is None:
        return f"{entry.outcome}, d {number(round(entry.d, 2) + 0.0, 2)}, {entry.n} images"
    d, low, high = (round(value, 2) + 0.0 for value in (entry.d, entry.low, entry.high))  # no powers of ten, no −0
    return f"{entry.outcome}, d {number(d, 2)} {interval(low, high, 2)}, {entry.n} images"


def _support_table(library: str) -> str:
    """Which networks of a library run, and a line of how many."""
    found = [row for row in _benchmarks("support").read() if row.library == library]
    run = [row for row in found if not row.refusal]
    rows = [
        (row.network, f"{row.parameters / 1e6:.1f} M", f"{row.side}", *_shares(row.shares), row.refusal.partition(";")[0] or "—")
        for row in found
    ]
    head = ("network", "parameters", "pixels", "`epsilon_plus`", "`z_plus_everywhere`", "refused because")
    return f"{len(run)} of {len(found)} run.\n\n{table(head, rows)}"


def _shares(found: dict[str, float | None]) -> list[str]:
    """Shares of the score as printed; what is 1 to five places is 1."""
    shares = [found.get(name) for name in ("epsilon_plus", "z_plus_everywhere")]
    return ["—" if share is None else "1" if abs(share - 1) <= 1e-5 else f"{share:.3g}" for share in shares]


def _method_table() -> str:
    found = [_built(Method, cls) for cls in _leaves(Method)]
    rows = [
        (f"`{m.name}`", first_sentence(type(m)), _passes(m.cost(TYPICAL_SHAPE)), m.cite or "—")
        for m in sorted(found, key=lambda m: (m.control, m.name))
    ]
    return table(("method", "what it is", "passes per image", "source"), rows)


def _metric_table() -> str:
    rows = []
    for cls in _leaves(Metric):
        metric = _built(Metric, cls)
        rows.append(
            (f"`{metric.name}`", metric.meaning, f"{metric.direction} is better", metric.price(TYPICAL_SHAPE), metric.cite or "—")
        )
    return table(("metric", "what it says", "direction", "cost per map of 224 × 224 pixels", "source"), rows)


# Reference pages ──────────────────────────────────────────────────────────────────────────────────


def _methods_page() -> str:
    found = sorted((_built(Method, cls) for cls in _leaves(Method)), key=lambda m: (m.control, m.name))
    parts = [
        _head("Methods", "One attribution method a section; controls stand last."),
        "Every method is called alike: `method.attribute(model, images, target=None, *, seed=0)` returns an `Attribution` with\n"
        "raw, signed maps. Cost is counted in passes, at the default settings; one pass is one image through the network.\n",
    ]
    for method in found:
        axioms = sorted(f"{axiom.name.lower()} ({axiom.value})" for axiom in method.axioms)
        facts = {
            "cost": f"{_passes(method.cost(TYPICAL_SHAPE))} per image",
            "promises": "; ".join(axioms) or "nothing",
            "random": "yes" if method.stochastic else "no",
            "data": _data(method.needs_images, method.needs_places),
            "control": "yes: a yardstick, not an explanation" if method.control else "no",
            "source": method.cite or "—",
        }
        parts.append(_section(type(method), facts))
    return "\n".join(parts)


def _data(needs_images: bool, needs_places: bool) -> str:
    if needs_images:
        return "images"
    return "images, signals and volumes" if needs_places else "images, tables, signals and volumes"


def _limits() -> str:
    """What takes images alone, by its own declaration; of the methods and of the metrics, the shorter list of the two kinds."""
    lines = []
    members: list[tuple[str, type[Method | Metric]]] = [("methods", Method), ("metrics", Metric)]
    for words, base in members:
        kinds: dict[bool, list[str]] = {True: [], False: []}
        for cls in _leaves(base):
            kinds[bool(getattr(base.from_dict(cls.name), "needs_images", False))].append(f"`{cls.name}`")
        images, anything = kinds[True], kinds[False]
        said = "need images" if len(images) <= len(anything) else "take other inputs than images"
        names = images if len(images) <= len(anything) else anything
        lines.append(f"  - Of the {words}, these alone {said}: {', '.join(names)}.\n")
    return "".join(lines)


def _metrics_page() -> str:
    needs = {
        MapMetric: "the map",
        ReferenceMetric: "the map, and that of another method",
        RegionMetric: "the map, and where the object lies",
        ModelMetric: "the map and the model",
        TruthMetric: "the method, for further maps, and where the object lies",
        ExplainerMetric: "the method, for further maps",
    }
    parts = [
        _head("Metrics", "One metric a section. A metric gives a value per image and never an average."),
    ]
    for cls in _leaves(Metric):
        metric = _built(Metric, cls)
        facts = {
            "meaning": metric.meaning,
            "needs": next(text for base, text in needs.items() if isinstance(metric, base)),
            "direction": f"{metric.direction} is better",
            "bounds": f"{metric.bounds[0]:g} to {metric.bounds[1]:g}".replace("inf", "∞"),
            "channels": str(metric.reduction),
            "data": _data(metric.needs_images, metric.needs_places),
            "scale of the map": "does not matter" if metric.scale_invariant else "may matter",
            "cost": metric.price(TYPICAL_SHAPE),
            "source": metric.cite or "—",
        }
        parts.append(_section(cls, facts))
    return "\n".join(parts)


def _fills_page() -> str:
    intro = (
        "What replaces pixels, which values are present or absent together, what is added to them, how a path is cut into steps,\n"
        "and what data say of a network's weights: parts that methods and metrics share."
    )
    families = (
        ("Fills", "A fill is a baseline of a method and a replacement of a metric.", Fill),
        ("Feature groups", "A division into groups says which values a perturbation method removes together.", Groups),
        ("Noises", "A noise is added to images.", Noise),
        ("Quadratures", "A quadrature gives nodes and weights on [0, 1].", Quadrature),
        ("Patterns", "Patterns stand for the weights of a network in `pattern_net` and `pattern_attribution`.", Patterns),
    )
    return _families_page("Fills, feature groups, noises, quadratures and patterns", intro, families)


def _changes_page() -> str:
    intro = (
        "What is done to an image, more or less of it, before it is explained again. A change takes a `ChangeContext` and\n"
        "levels, and gives the images at each. Attacks look at the network."
    )
    shared = [text_of(_module_doc(base)) for base in (Attack, GradientAttack)]
    attacks = ["## Attacks\n", *shared, _meanings(GradientAttack), *(_section(cls, {}, level=3) for cls in _leaves(Attack))]
    others = [_section(cls, {}, level=3) for cls in _leaves(Change) if not issubclass(cls, Attack)]
    changes = ["## Changes that do not look at the network\n", *others] if others else []
    return "\n".join([_head("Changes and attacks", intro), *changes, *attacks])


def _rules_page() -> str:
    intro = (
        "How relevance passes each kind of operation, and which rule a composite has where; see\n"
        "[backward rules](../how-to/backward-rules.md). "
        'In a composite each of its settings takes a rule by name (`first = "z_box"`) or as a table.'
    )
    families = (
        (
            "Rules for layers",
            "Convolutions, dense layers, means; batch normalisations together with the layer they follow.",
            LinearRule,
        ),
        ("Rules for nonlinearities", "Functions of one value.", ActivationRule),
        ("Rules for sums", "Of two terms that both depend on the input, as in a residual connection.", SumRule),
        ("Rules for products", "Of two factors that both depend on the input.", ProductRule),
        ("Rules for softmax", "In attention, or wherever it stands.", SoftmaxRule),
        (
            "Composites",
            text_of(split_docstring(inspect.getdoc(Composite) or "", list(Composite.model_fields))[0]) + _meanings(Composite),
            Composite,
        ),
    )
    return _families_page("Rules and composites", intro, families)


def _meanings(cls: type[Settings]) -> str:
    """A table of what each setting does."""
    meanings = split_docstring(inspect.getdoc(cls) or "", list(cls.model_fields))[1]
    return "\n" + table(("setting", "what it does"), [(f"`{key}`", text) for key, text in meanings.items()])


def _families_page(title: str, intro: str, families: Sequence[tuple[str, str, type[Settings]]]) -> str:
    parts = [_head(title, intro)]
    for name, text, base in families:
        shared = "" if all(map(_alone, _leaves(base))) else text_of(_module_doc(base))
        parts += [f"## {name}\n\n{text}\n", shared, *(_section(cls, {}, level=3) for cls in _leaves(base))]
    return "\n".join(parts)


def _models_page() -> str:
    intro = "Where networks come from, and which scalar of them is explained."
    loaders = [_section(cls, {"on the command line": _reference(cls)}, level=3) for cls in _leaves(Loader)]
    parts = [_head("Models and outputs", intro), "## Models\n", *loaders]
    parts += ["## Outputs\n", text_of(_module_doc(Output)), *(_section(cls, {}, level=3) for cls in _leaves(Output))]
    return "\n".join(parts)


def _networks_page() -> str:
    """From what the laws prove of the zoo (`tests/laws/test_zoo.py`); no network is run here."""
    zoo = _here("tests.zoo")
    intro = (
        "What becomes of networks that other tools trip over: small ones, one for each trouble, which every method meets in the\n"
        "tests. *Right*: the map is that of the network's function, the same in every batch, and the network is left as it was.\n"
        "*Zero*: the map is zero everywhere, and a note says so. Anything else is words of the error that refuses the network.\n"
        "A method that holds another (`smooth_grad`, `competition`, `product`) meets the trouble of the one that it holds."
    )
    head = ("network", "trouble", *zoo.COLUMNS)
    parts = [_head("Networks that give trouble", intro)]
    for kind in zoo.KINDS:
        found = [network for network in zoo.ZOO.values() if network.kind == kind.__name__.rpartition(".")[2]]
        rows = [
            (network.name, network.trouble, *(_answers(network, *names) for names in zoo.COLUMNS.values())) for network in found
        ]
        title, _, about = (inspect.getdoc(kind) or "").partition(": ")
        parts.append(f"## {title}\n\n{about[:1].upper()}{about[1:]}\n\n{table(head, rows)}")
    return "\n".join(parts)


def _answers(network: Any, *names: str) -> str:
    """What becomes of the methods of a column: one answer, or each with the methods that it belongs to."""
    methods: dict[str, list[str]] = {}
    for name in names:
        methods.setdefault(network.answer(name), []).append(f"`{name}`")
    return "; ".join(answer + ("" if len(methods) == 1 else f" ({', '.join(each)})") for answer, each in methods.items())


def _reference(loader: type[Settings]) -> str:
    """What stands after `--model`, with the settings that are required."""
    shorthand = str(getattr(loader, "shorthand", ""))
    needed = [f",{key}=…" for key, field in loader.model_fields.items() if field.is_required() and key != shorthand]
    return f"`{loader.name}{f':{shorthand.upper()}' if shorthand else ''}{''.join(needed)}`"


def _plain_page(title: str, intro: str, base: type[Settings]) -> str:
    return "\n".join([_head(title, intro), *(_section(cls, {}) for cls in _leaves(base))])


def _command_line_page() -> str:
    from typer.main import get_command

    from heatproof.cli import main as module

    group: Any = get_command(module.app)
    parts = [
        _head("Command line", "`heatproof COMMAND`; `heatproof COMMAND --help` says the same."),
        text_of(inspect.getdoc(module) or ""),
        "Options that stand before the command:\n",
        _options(group.params),
    ]
    for name, command in group.commands.items():
        parts += [f"## heatproof {name}\n", text_of(command.help or ""), _options(command.params)]
        for inner, subcommand in getattr(command, "commands", {}).items():
            parts += [f"### heatproof {name} {inner}\n", text_of(subcommand.help or ""), _options(subcommand.params)]
    return "\n".join(parts)


def _python_page() -> str:
    parts = [_head("Python interface", "The docstrings of the public modules.")]
    for name in API:
        module = importlib.import_module(name)
        options = ["   :members:", "   :exclude-members: model_config"]
        if hasattr(module, "__all__") and hasattr(module, "__path__"):
            options.append("   :imported-members:")
        parts.append("\n".join([f"## {name}\n", "```{eval-rst}", f".. automodule:: {name}", *options, "```\n"]))
    return "\n".join(parts)


# Pieces ───────────────────────────────────────────────────────────────────────────────────────────


def _head(title: str, intro: str) -> str:
    return f"<!-- generated from the code by `{COMMAND}`; do not edit -->\n\n# {title}\n\n{intro}\n"


def _section(cls: type[Settings], facts: dict[str, str], level: int = 2) -> str:
    prose, own = split_docstring(inspect.getdoc(cls) or "", list(cls.model_fields))
    parts = [f"{'#' * level} {cls.name}\n"]
    if _alone(cls):
        parts.append(text_of(_module_doc(cls)))
    parts.append(text_of(prose))
    if facts:
        parts.append(table(("fact", ""), list(facts.items())))
    if cls.model_fields:
        rows = [(f"`{item.name}`", _default(item.default), item.type, item.meaning) for item in setting_docs(cls)]
        head = ("setting", "default", "type", "what it does")
        width = 4 if own or not issubclass(cls, Composite) else 3  # what composites share stands above all of them
        parts.append(table(head[:width], [row[:width] for row in rows]))
    return "\n".join(part for part in parts if part.strip())


def _alone(cls: type[Settings]) -> bool:
    """Whether the class has its module, and so the module's docstring, to itself but for private classes."""
    members = [c for c in vars(sys.modules[cls.__module__]).values() if inspect.isclass(c) and issubclass(c, Settings)]
    return [c for c in members if c.__module__ == cls.__module__ and not c.__name__.startswith("_")] == [cls]


def _module_doc(cls: type) -> str:
    return inspect.getdoc(sys.modules[cls.__module__]) or ""


def _options(parameters: Sequence[Any]) -> str:
    rows = []
    for p in parameters:
        names = ", ".join(f"`{name}`" for name in p.opts) if p.param_type_name == "option" else f"`{p.name.upper()}`"
        default = "required" if p.required else "—" if p.default is None or p.default is False else f"`{p.default}`"
        rows.append((names, default, p.help or ""))
    return table(("argument", "default", "what it does"), rows) if rows else "No options.\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |\n" for line in lines)


def text_of(doc: str) -> str:
    """A plain docstring as Markdown: formulas, tables and examples stay as they are typed, everything else flows."""
    parts = []
    for literal, block in paragraphs(inspect.cleandoc(doc)):
        if literal:
            parts.append(f"```{'pycon' if block.startswith('>>> ') else 'text'}\n{inspect.cleandoc(block)}\n```\n")
            continue
        lines = re.split(r"\n(?=(?:Cost|Source|Differs from[^:\n]*|Complete[^:\n]*|NaN policy)\b)", block)
        parts += [" ".join(line.split()) + "\n" for line in lines]
    return "\n".join(parts)


def _built(base: type[Member], cls: type[Settings]) -> Member:
    item = cls()
    if not isinstance(item, base):
        raise TypeError(f"{cls.__name__}: expected a {base.__name__}")
    return item


def _leaves(base: type[Settings]) -> list[type[Settings]]:
    """The members of a family, by name; its bases are exported too and are no members."""
    found = exports(base).values() if base.home else []
    return sorted((cls for cls in found if ABC not in cls.__bases__), key=lambda cls: cls.name)


def _default(text: str) -> str:
    return {REQUIRED: REQUIRED, NONE: "—"}.get(text, f"`{text}`")


def _passes(cost: PassCount) -> str:
    return f"{cost.forward} forward, {cost.backward} backward" if cost.forward or cost.backward else "none"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
