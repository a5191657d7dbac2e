"""One call from a model and images to the method that should be used there."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from heatproof.core.errors import UsageError
from heatproof.core.formatting import comma_list, count, sentence_case
from heatproof.core.objects import holding
from heatproof.evaluation.executors import Executor
from heatproof.evaluation.networks import image_shape
from heatproof.evaluation.preprocess import preprocessing_of
from heatproof.evaluation.run import Progress
from heatproof.methods.activation.base import ActivationMethod
from heatproof.methods.base import Method
from heatproof.metrics import Metric
from heatproof.models.model import Model
from heatproof.models.preprocessing import Preprocessing
from heatproof.numerics.bounds import Bounds
from heatproof.pipeline import Assembly, assemble
from heatproof.stats import ALPHA, fewest_images
from heatproof.verdict.advice import PAGE, Advice, MetricUse
from heatproof.verdict.advice_rule import MethodFacts, contenders
from heatproof.verdict.advice_scores import AdviceScores, QuestionScores, evidence_of
from heatproof.verdict.advised_methods import advised_methods
from heatproof.verdict.answers import WORTH, plan_counts
from heatproof.verdict.asked_questions import asked_questions
from heatproof.verdict.judge import judge
from heatproof.verdict.judgement import Judgement
from heatproof.verdict.question import RIVALS, STAGES, Question, Stage
from heatproof.verdict.rule import NOT_HERE, Standing
from heatproof.verdict.stage_runs import StageRuns, images_for, rows
from heatproof.verdict.verdict_file import VerdictFile

COUNTS = (6, 12, 24, 40, 80, 160)
"""The numbers of images after which comparisons are tested, as far as there are images."""
JUDGED = 6
"""The images on which metrics are judged."""
BATCH = 6
"""The images of a unit, of which each look has a whole number."""
DECIDED_HERE = ("stop", "name", "kept_maps")
"""Settings of an experiment that advice decides."""


def advise(
    *,
    model: Any,
    data: Any,
    methods: Any = None,
    metrics: Any = None,
    judgement: Judgement | VerdictFile | None = None,
    passes: int | None = None,
    minutes: float | None = None,
    counts: Sequence[int] = COUNTS,
    worth: float | None = WORTH,
    bounds: Bounds | tuple[float, float] | None = None,
    preprocessing: Preprocessing | Mapping[str, Any] | None = None,
    class_names: Sequence[str] = (),
    labels: Any = None,
    regions: Tensor | None = None,
    count: int | None = None,
    out: Path | str | None = None,
    executor: str | Executor = "serial",
    workers: int | None = None,
    report: bool = True,
    progress: bool | Callable[[Progress], None] = True,
    **settings: Any,
) -> Advice:
    """Say which method to use on this network and these images, which to avoid, and on what evidence.

    The questions of `verdict/question.py` are asked in order of cost. First, metrics of faithfulness are judged on a few images, as
    `heatproof.judge` does, and those that cannot be believed here are not used. Then comparisons are tested after looks at growing
    numbers of images, with errors spent over the looks; methods that fail get no more images, nor do those that are behind, and
    the run stops when the answer is decided, or when the images or the budget are used up. `verdict/advice_rule.py` states the rule
    that makes the sentence.

    What the folder holds already is not computed again: a call that was stopped continues, and gives the same advice. This does not
    hold for a budget of minutes, since it stops by the clock.

    Args:
        model: the network, as `heatproof.run` takes it; one only.
        data: the images, as `heatproof.run` takes them. Twelve or more are advisable.
        methods: the methods that are compared, as `heatproof.run` takes them. None: eleven of every family, where the network
            allows them. Controls among them are left out, as advice has its own.
        metrics: metrics of faithfulness, as `heatproof.run` takes them, in place of the symmetric relevance gain by pixels and by
            regions.
        judgement: what the metrics are worth here, from `heatproof.judge` or an earlier verdict about the same network and images.
            None judges them first.
        passes: the most forward passes that the looks may take; a backward pass counts as two. A look that would take more is not
            begun. The judgement is not included.
        minutes: the most minutes that the looks may take, likewise.
        counts: the numbers of images after which comparisons are tested. They are fixed before the first of them.
        worth: the least effect size per image that is worth telling. A method whose gain over the edges is shown to be smaller has
            no gain, and the answer is decided once no other is shown to be possibly better by as much. The larger it is, the fewer
            images a tie or noise takes; None tells any difference, so that both take all images.
        bounds: as in `heatproof.run`, like all up to `count`.
        preprocessing: how photographs become inputs.
        class_names: the names of the outputs.
        labels: a class for each image.
        regions: where the object of each image lies: maps are then compared with a Gaussian in the centre, too.
        count: the number of images, taken from the start; None for all.
        out: the folder of the runs; None for `runs/advise-NAME`, the name of the network.
        executor: as in `heatproof.run`, like `workers` and `progress`.
        workers: the number of processes of `"local"`.
        report: whether to write the page of the answers, and the report of the maps and scores of the first look.
        progress: whether to show the progress on standard error, or a function that is called with it.
        settings: further settings of the experiment, such as `seeds`, `target`, `batch` or `precision`.

    Raises:
        UsageError: An argument is of the wrong kind, there are several networks, or no method explains anything.
        SettingsError: A setting is unknown, impossible, or does not fit the images or the network.
        DataError: The images cannot be used.
        ModelError: The network cannot be loaded.
        RunError: Maps or scores could not be computed.

    >>> import torch
    >>> import heatproof as hp
    >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 2))
    >>> images = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> advice = hp.advise(
    ...     model=network, bounds=(0, 1), data=images, methods=["gradient", "input_x_gradient"], out="runs/advised", progress=False
    ... )
    >>> advice.use is None, advice.sentence
    (True, 'No method can be recommended. 1 image decides nothing: give at least 7.')
    """
    _check(settings, counts, worth, passes, minutes)
    given: dict[str, Any] = {"model": model, "bounds": bounds, "preprocessing": preprocessing, "class_names": class_names}
    settings = {"batch": BATCH, **settings}
    start: dict[str, Any] = {"methods": ["gradient"] if methods is None else methods}
    start["metrics"] = ["sparseness"] if metrics is None else metrics
    assembly = assemble(**given, **start, data=data, labels=labels, regions=regions, count=count, **settings)
    experiment = assembly.experiment
    if len(experiment.models) > 1:
        raise UsageError(f"model: expected one network, got {len(experiment.models)}; ask for advice about each by itself")
    with holding(assembly.objects):
        network, grey = _network(assembly)
        _check_judgement(judgement, network)
        chosen = _methods(assembly, network, grey) if methods is None else _given_methods(assembly)
        located = any(item.region != "none" for item in experiment.data().items())
        own = None if metrics is None else {each.label: each.metric for each in experiment.metric_entries()}
        asked, missing = asked_questions(network, grey, own, regions=located)
        folder = Path("runs") / f"advise-{experiment.name}" if out is None else Path(out)
        runs = StageRuns(assembly, folder, tuple(grey.shape[1:]), executor, workers, progress)
        available = min(len(runs.distinct(len(experiment.data().items()))), max(counts))
        looks = plan_counts(available, counts, len(chosen))
        believed: tuple[MetricUse, ...] = ()
        fewest = fewest_images(ALPHA / max(len(chosen), 1))
        if available < fewest:
            missing.append(_too_few(available, min(len(experiment.data().items()), max(counts)), fewest))
            asked = [question for question in asked if not question.faithfulness]
        elif any(question.faithfulness for question in asked):
            if judgement is None:
                judged = partial(judge, **given, out=folder / "judgement", executor=executor, workers=workers, progress=progress)
                panel = {key: value for key, value in settings.items() if key != "seeds"}
                judgement = judged(
                    **images_for(assembly, min(JUDGED, available)),
                    methods=_panel(chosen, grey),
                    metrics=_judged_metrics(asked),
                    **panel,
                )
            believed = tuple(_uses(judgement, asked, looks[-1]))
            asked, dropped = _believed(asked, believed)
            missing += dropped
        advice = _play(runs, network, chosen, asked, looks, missing, believed, worth, passes, minutes)
        if report:
            runs.report("faithfulness", advice.sentence, advice.images)
            advice.save_page(advice.path / PAGE)
        return advice


def _play(
    runs: StageRuns,
    network: Model,
    methods: Mapping[str, Method],
    asked: Sequence[Question],
    looks: tuple[int, ...],
    missing: Sequence[str],
    believed: tuple[MetricUse, ...],
    worth: float | None,
    passes: int | None,
    minutes: float | None,
) -> Advice:
    """Take one look after the other until nothing is wanted or a budget is used up."""
    names, before, stopped = list(methods), 0, ""
    wanted: Mapping[Stage, Sequence[int]] = {"dependence": range(len(names)), "faithfulness": range(len(names))}
    taken = 0

    def scores_at(n: int) -> AdviceScores:
        facts = [
            MethodFacts(m, runs.passes.get(m, math.nan), runs.seconds.get(m, math.nan), isinstance(methods[m], ActivationMethod))
            for m in names
        ]
        answered = tuple(_question_scores(question, names, runs, n) for question in asked)
        return AdviceScores(tuple(facts), answered, looks, tuple(missing), worth)

    for n in looks:
        for stage in STAGES:
            metrics = {label: each for q in asked if q.stage == stage for label, each in q.built().items()}
            if stage == "faithfulness":  # those that failed on the images of this look do not enter, nor is anyone behind them
                wanted = {**wanted, stage: _entering(scores_at(n), first=not before)}
            scored = {names[m]: methods[names[m]] for m in wanted[stage]}
            if not scored or not metrics:
                continue
            if stage == "faithfulness":
                scored |= {rival.label: rival.method for q in asked if (rival := RIVALS.get(q.against))}
            cost = runs.cost(scored, metrics, n, before)
            if passes is not None and runs.spent + cost > passes:
                left = max(passes - runs.spent, 0)
                stopped = f"the look at {count(n, 'image')} would take {count(cost, 'more pass')}, of which {left:,} are left"
            elif minutes is not None and runs.minutes > minutes:
                stopped = f"the {minutes:g} minutes are used up"
            if stopped:
                missing = missing if taken else (*missing, f"{sentence_case(stopped)}.")
                break
            runs.look(stage, scored, metrics, n, before)
        if stopped and taken:
            break
        taken = n
        evidence = evidence_of(scores_at(n), sizes=False)
        wanted, before = evidence.wanted, n
        if stopped or not any(wanted.values()):
            break
    return Advice.of(
        model=network.name,
        digest=network.digest,
        scores=scores_at(taken),
        methods={label: method.to_dict() for label, method in methods.items()},
        metrics=believed,
        path=runs.folder,
        passes=runs.spent,
        stopped=stopped,
    )


def _entering(scores: AdviceScores, first: bool) -> tuple[int, ...]:
    """The methods that a look at faithfulness takes, once that at dependence is known."""
    found = evidence_of(scores, sizes=False)
    if not first:
        return found.wanted["faithfulness"]
    return tuple(m for m in range(len(scores.methods)) if contenders(found.questions, found.answers, m))


def _question_scores(question: Question, names: Sequence[str], runs: StageRuns, n: int) -> QuestionScores:
    """The scores of a question, as gains over what they are compared with."""
    gains, values, controls = [], [], []
    for metric in question.built().values():
        scores = rows(names, runs, metric, n)
        if question.against == "limit":
            limit = (
                (1 + rows(names, runs, metric, n, question.floor)) / 2 if question.floor else np.full_like(scores, question.limit)
            )
        else:
            control = runs.of(RIVALS[question.against].label, metric, n)
            limit = np.broadcast_to(control, scores.shape).copy()
        gains.append((limit - scores) if question.lower else (scores - limit))
        values.append(scores)
        controls.append(limit)
    return QuestionScores(question, tuple(question.metrics), tuple(gains), np.mean(values, axis=0), np.mean(controls, axis=0))


def _check(
    settings: Mapping[str, Any], counts: Sequence[int], worth: float | None, passes: int | None, minutes: float | None
) -> None:
    unwanted = [key for key in settings if key in DECIDED_HERE]
    if unwanted:
        raise UsageError(f"{comma_list(unwanted)}: expected settings that advice leaves open; leave it out")
    if not counts or any(not isinstance(n, int) or n < 1 for n in counts):
        raise UsageError(f"counts: expected numbers of images, at least one, got {list(counts)}")
    for budget, most in {"passes": passes, "minutes": minutes}.items():
        if most is not None and not most > 0:
            raise UsageError(f"{budget}: expected more than 0, or None for as many as it takes, got {most}")
    if worth is not None and not worth > 0:
        raise UsageError(f"worth: expected an effect size above 0, or None to tell any difference, got {worth}")


def _check_judgement(judgement: Judgement | VerdictFile | None, network: Model) -> None:
    if isinstance(judgement, VerdictFile) and judgement.digest != network.digest:
        raise UsageError(
            f"judgement: expected a verdict about the weights of {network.name}, got one about {judgement.model} with "
            "other weights; leave it out, so that metrics are judged here"
        )


def _network(assembly: Assembly) -> tuple[Model, Tensor]:
    """The network, and a grey image for it."""
    entry, dataset = next(assembly.experiment.model_entries()), assembly.experiment.data()
    model = entry.loader.load()
    model = model if entry.output is None else model.with_(output=entry.output)
    preprocessing_of(model, dataset)
    shape = image_shape(model, dataset)
    lower, upper = model.bounds.like(torch.zeros(1, *shape))
    return model, model.placed(((lower + upper) / 2).expand(1, *shape).clone())


def _methods(assembly: Assembly, network: Model, grey: Tensor) -> dict[str, Method]:
    return {label: Method.from_dict(settings) for label, settings in advised_methods(network, grey)}


def _given_methods(assembly: Assembly) -> dict[str, Method]:
    chosen = {each.label: each.method for each in assembly.experiment.method_entries() if not each.method.control}
    if not chosen:
        raise UsageError("methods: expected at least one that explains, got controls only; add gradient, or leave methods out")
    return chosen


def _judged_metrics(asked: Sequence[Question]) -> dict[str, Metric]:
    return {label: each for q in asked if q.faithfulness for label, each in q.built().items()}


def _panel(methods: Mapping[str, Method], grey: Tensor) -> dict[str, Method]:
    """The cheapest methods of different kinds, by which metrics are judged: LRP and Grad-CAM first, three at most."""
    shape = tuple(grey.shape[1:])

    def order(label: str) -> tuple[bool, int]:
        cost = methods[label].cost(shape)
        return methods[label].name not in ("lrp", "grad_cam", "integrated_gradients"), cost.forward + 2 * cost.backward

    return {label: methods[label] for label in sorted(methods, key=order)[:3]}


def _uses(judgement: Judgement | VerdictFile, asked: Sequence[Question], most: int) -> Iterator[MetricUse]:
    """Whether each metric is used: if it can be believed with the images that there will be."""
    for label in (label for question in asked if question.faithfulness for label in question.metrics):
        images, sentence = _found(judgement, label)
        yield MetricUse(label, images <= most, images, sentence)


def _found(judgement: Judgement | VerdictFile, label: str) -> tuple[float, str]:
    """The images that a metric needs, infinite if it cannot be believed here, and the sentence that says so."""
    if isinstance(judgement, VerdictFile):
        known = {each.metric: each for each in judgement.metrics}
        if label in known:
            images = known[label].images
            return math.inf if images is None else images, known[label].sentence
    else:
        with suppress(UsageError):
            finding = judgement[label]
            return math.inf if finding.standing == Standing.NOT else finding.images, finding.sentence
    return math.inf, "It was not judged."


def _believed(asked: Sequence[Question], uses: Sequence[MetricUse]) -> tuple[list[Question], list[str]]:
    """The questions with the metrics that can be believed; those without any are not asked, which is missing."""
    used = {use.metric for use in uses if use.used}
    left, missing = [], []
    for question in asked:
        metrics = {label: each for label, each in question.metrics.items() if not question.faithfulness or label in used}
        if metrics:
            left.append(replace(question, metrics=metrics))
        else:
            nearest = min((use for use in uses if use.metric in question.metrics), key=lambda use: use.images)
            needs = (
                f"{nearest.metric} would need {nearest.images:,.0f} images"
                if nearest.images < math.inf
                else nearest.sentence.removeprefix(NOT_HERE)
            )
            missing.append(f"No metric of {question.name} can be believed here: {needs.rstrip('.')}.")
    return left, missing


def _too_few(distinct: int, images: int, fewest: int) -> str:
    if distinct < images:
        return f"The {count(images, 'image')} are alike: {count(distinct, 'image')} of different content; give at least {fewest}."
    return f"{count(images, 'image')} decide{'s' if images == 1 else ''} nothing: give at least {fewest}."
