"""`heatproof.advise` on a network with known truth: the method nearest the oracle, what is eliminated, and what is missing."""

import json
import re
from dataclasses import replace
from html import escape, unescape
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import heatproof as hp
from heatproof.cli import console
from heatproof.cli.main import app
from heatproof.cli.recommended import recommended_methods
from heatproof.core.errors import UsageError
from heatproof.methods import EdgeMap, Gradient, GuidedBackprop, InputXGradient, SmoothGrad
from heatproof.store import Run
from heatproof.verdict import Finding, Standing, VerdictFile
from heatproof.verdict.advice_page import advice_page
from heatproof.verdict.resampled_choices import ResampledChoices
from heatproof.verdict.verdict_file import VERDICT_VERSION
from tests.support import zoo

pytestmark = pytest.mark.one_process  # one process makes the advice that most tests read
SIDE = 14
METRICS = {
    label: {"name": "symmetric_relevance_gain", "fill": {"name": fill}, "groups": {"name": "regular_grid", "cells_per_axis": 7}}
    | {"steps": 6}
    for label, fill in (("SRG, black", "black"), ("SRG, mean", "channel_mean"))
}


class Planted(nn.Module):
    """The classes read one square each; the first is always the brightest. Pixels of a square have weights of both signs."""

    def __init__(self) -> None:
        super().__init__()
        weights = torch.zeros(3, 3, SIDE, SIDE)
        for k, (top, left) in enumerate(((2, 2), (2, 8), (8, 4))):
            weights[k, :, top : top + 4, left : left + 4] = zoo.normal(3, 4, 4, seed=900 + k).sign() / 24
        self.head = nn.Linear(3 * SIDE**2, 3)
        self.head.weight.data, self.head.bias.data = weights.flatten(1), torch.tensor([2.0, 0.0, 0.0])

    def forward(self, x):
        return self.head(x.flatten(1))


NETWORK = Planted()


def images(n):
    """Noise, in which the pixels of the first square speak for the first class, some more than others."""
    truth = NETWORK.head.weight[0].detach().view(3, SIDE, SIDE).sign()
    noise = torch.stack([zoo.normal(3, SIDE, SIDE, seed=7000 + i) for i in range(n)])
    return torch.where(truth != 0, truth * noise.abs(), noise).clamp(-3, 3)


def believing(**images_needed):
    """A judgement that believes every metric, or with the images that are given."""

    class Judged:
        def __getitem__(self, metric):
            needed = images_needed.get(metric.rpartition(" ")[2], 6)
            standing = Standing.BELIEVE if needed < float("inf") else Standing.NOT
            return Finding(standing, needed, f"About {metric}.")

    return Judged()


def advise(folder, n=16, **changes):
    given = {
        "model": NETWORK,
        "bounds": (-3, 3),
        "data": images(n),
        "methods": {"Contributions": InputXGradient(), "Gradient": Gradient(), "Noisy": SmoothGrad(samples=2)},
        "metrics": METRICS,
        "judgement": believing(),
        "precision": "plain",
        "batch": 8,
        "counts": (8, 16),
        "report": False,
    }
    return hp.advise(**(given | {"out": folder, "progress": False} | changes))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("advised")


@pytest.fixture(scope="module")
def advice(folder):
    return advise(folder)


def test_the_method_nearest_the_oracle_is_named_and_tells_itself_from_edges(advice):
    assert advice.use == "Contributions"
    assert advice.sentence.startswith("Use Contributions.")
    answer = advice.answer("Contributions", "faithfulness")
    assert str(answer.outcome) == "pass"
    assert answer.d > 1
    assert answer.p < 0.05
    assert advice.stability > 0.9


def test_what_is_decided_gets_no_more_images(advice):
    assert {advice.answer(method, "weights").n for method in advice.methods} == {8}
    assert advice.passes < advice.images * 3 * 100


def test_the_same_call_computes_nothing_again_and_says_the_same(advice, folder):
    computed = []
    again = advise(folder, progress=lambda progress: computed.append(progress.last))
    assert computed
    assert not any(computed)
    assert again.to_file() == advice.to_file()
    assert VerdictFile.read(again.file) == advice.to_file()


@pytest.mark.parametrize("units", [1, 7])
def test_stopped_anywhere_and_started_again_it_says_the_same(advice, tmp_path, units):
    class Stop(Exception):
        pass

    computed = []

    def stop(progress):
        computed.extend([progress.last] if progress.last else [])
        if len(computed) == units:
            raise Stop

    with pytest.raises(Stop):
        advise(tmp_path, progress=stop)
    assert advise(tmp_path).to_file() == advice.to_file()


def test_the_table_holds_every_answer(advice):
    table = advice.to_arrow()
    assert table.num_rows == len(advice.methods) * len(advice.evidence.questions)
    assert {"outcome", "d", "low", "high", "n", "p", "images", "passes"} <= {*table.column_names}


@pytest.mark.parametrize("width", [60, 100])
def test_its_text_fits_the_terminal_and_begins_with_the_sentence(advice, width):
    page = advice.text(width)
    assert max(map(len, page.splitlines())) <= width
    assert " ".join(page.split()).startswith(advice.sentence)
    assert repr(advice).startswith("Advice about Planted on ")


def test_a_method_that_ignores_the_class_is_eliminated_and_avoided(tmp_path):
    class Ignorant(InputXGradient):
        """The map of class 0, whatever is explained."""

    found = advise(tmp_path, methods={"Contributions": InputXGradient(), "Edges": EdgeMap(), "Guided": GuidedBackprop()})
    assert "Edges" not in found.methods
    assert found.use == "Contributions"


def test_scores_of_several_seeds_are_averaged(tmp_path):
    found = advise(tmp_path, n=8, counts=(8,), seeds=[0, 1], methods={"Noisy": SmoothGrad(samples=2)})
    rows = Run(tmp_path / "faithfulness").query(
        "SELECT avg(value) AS mean, count(*) AS n FROM records WHERE method_label = 'Noisy' AND component = ''"
    )
    mean, n = (rows.column(name)[0].as_py() for name in ("mean", "n"))
    assert n == 2 * 8 * len(METRICS)
    assert found.answer("Noisy", "faithfulness").value == pytest.approx(mean)


def test_a_budget_of_passes_stops_before_a_look_that_exceeds_it(advice, tmp_path):
    found = advise(tmp_path, passes=400)
    assert found.passes <= 400
    assert found.use is None
    assert "of which" in found.stopped
    assert found.stopped in " ".join(found.text().split())
    none = advise(tmp_path / "none", passes=10)
    assert none.sentence.startswith("No method can be recommended. The look at 8 images would take ")
    assert none.sentence.endswith(" more passes, of which 10 are left.")


def test_metrics_that_cannot_be_believed_are_not_used(tmp_path):
    few = advise(tmp_path / "few", judgement=believing(mean=float("inf")))
    assert [use.metric for use in few.metrics if use.used] == ["SRG, black"]
    assert "Not used: SRG, mean" in few.text()
    none = advise(tmp_path / "none", judgement=believing(mean=float("inf"), black=500))
    assert none.use is None
    assert "No metric of faithfulness can be believed here: SRG, black would need 500 images." in none.sentence


def test_a_broken_metric_is_dropped_by_the_judgement_of_advice_itself(tmp_path):
    from benchmarks.toys import ShuffledFlipping

    found = advise(
        tmp_path, judgement=None, metrics={"Broken": ShuffledFlipping()}, methods={"Contributions": InputXGradient()}, n=8
    )
    assert found.use is None
    assert "No metric of faithfulness can be believed here: " in found.sentence
    assert "Not here" not in found.sentence


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"n": 1}, "1 image decides nothing: give at least"),
        ({"data": images(1).expand(8, -1, -1, -1)}, "The 8 images are alike: 1 image of different content; give at least"),
        ({"n": 8, "counts": (3,)}, "3 images decide nothing: give at least"),
        ({"methods": {"Contributions": InputXGradient()}}, "give other methods to compare it with."),
        (
            {"model": nn.Sequential(NETWORK, nn.Linear(3, 1)), "judgement": believing(mean=99, black=99)},
            "No metric of faithfulness",
        ),
    ],
    ids=["one image", "alike", "few counts", "one method", "regression"],
)
def test_what_is_missing_is_a_sentence(tmp_path, changes, says):
    found = advise(tmp_path, **changes)
    assert says in found.sentence


def test_of_a_regression_the_class_is_not_asked(tmp_path):
    head = nn.Linear(3, 1)
    head.weight.data, head.bias.data = torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([1.0])
    found = advise(tmp_path, model=nn.Sequential(NETWORK, head))
    assert found.use == "Contributions"
    assert str(found.answer("Contributions", "class").outcome) == "—"


def test_a_network_without_weights_is_not_asked_about_them(tmp_path):
    class Sums(nn.Module):
        def forward(self, x):
            return torch.stack([x.mean((1, 2, 3)), x.square().mean((1, 2, 3)), x.amax((1, 2, 3))], 1)

    found = advise(tmp_path, n=8, model=Sums(), methods=["gradient"], metrics=["pixel_flipping"])
    assert [question.name for question in found.evidence.questions] == ["class", "repeat", "noise", "faithfulness"]
    assert [use.metric for use in found.metrics] == ["pixel flipping"]


def test_what_cannot_be_advised_is_refused(tmp_path):
    for changes, words in (
        ({"methods": [EdgeMap()]}, "at least one that explains"),
        ({"name": "mine"}, "name: expected settings that advice leaves open"),
        ({"model": {"a": NETWORK, "b": NETWORK}}, "one network, got 2"),
        ({"counts": ()}, "counts: expected numbers of images"),
        ({"counts": "12"}, "counts: expected numbers of images"),
        ({"passes": 0}, "passes: expected more than 0"),
        ({"minutes": -1}, "minutes: expected more than 0"),
        ({"metrics": {}}, "metrics: expected at least one, got none"),
    ):
        with pytest.raises(UsageError, match=words):
            advise(tmp_path, **changes)


def test_an_answer_is_asked_for_by_its_names(advice):
    for call in (("Nothing", "weights"), ("Gradient", "nothing")):
        with pytest.raises(UsageError, match=r"[Nn]othing"):
            advice.answer(*call)


def test_the_command_prints_it_and_explain_takes_its_file(tmp_path, monkeypatch):
    monkeypatch.setattr(console.out, "width", 60)
    call = ["advise", "toy,architecture=mlp,width=0.02", "digits", "--images", "4", "-x", "gradient", "--executor", "serial"]
    result = CliRunner().invoke(app, [*call, "--out", str(tmp_path / "r")])
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stdout.splitlines() if not line.startswith(("verdict", "page", "report"))]
    assert max(map(len, lines)) <= 60
    assert "4 images decide nothing" in " ".join(result.stdout.split())
    assert str(tmp_path / "r" / "verdict.html") in result.stdout
    assert "4 images decide nothing" in (tmp_path / "r" / "verdict.html").read_text("utf-8")
    photograph = Path(hp.data.__file__).parent / "photographs" / "panda.jpg"
    told = CliRunner().invoke(app, ["explain", str(photograph), "--verdict", str(tmp_path / "r" / "verdict.json")])
    assert told.exit_code != 0
    assert "expected a verdict that recommends a method" in str(told.exception)


def test_its_page_has_the_sentence_every_answer_and_what_is_open(advice, tmp_path):
    page = advice.save_page(tmp_path / "verdict.html").read_text("utf-8")
    assert f"<h1>{escape(advice.sentence)}</h1>" in page
    for method, question, answer in advice:
        assert f'<th scope="row">{escape(method.label)}</th>' in page
        assert f"<dd>{escape(question.asks)}</dd>" in page
        assert f"{answer.outcome} " in page
    told = " ".join(advice.text(10_000).split())
    assert all(" ".join(unescape(each).split()) in told for each in re.findall("<li>(.*?)</li>", page))
    assert "faithfulness/report.html" not in page  # there is none


def test_names_are_text_on_its_page_and_never_markup():
    heads, rows = ["method", "weights\nscore"], [["<b>Mine", "pass 0.33"], ["Other", "no gain −0.1 [−0.2, 0.1]"]]
    page = advice_page("Use <b>Mine.", "a & b", ["<i>"], heads, rows, {"<q>": "<a>?"}, ["<r>"], "a/<s>.html")
    assert not re.findall("<[biqras]>", page)
    assert '<a href="a/&lt;s&gt;.html">' in page
    assert '<td class="good">pass 0.33</td>' in page
    assert '<td class="bad">no gain −0.1<br>' in page


def test_explain_draws_what_a_verdict_recommends_for_a_network(advice, capsys):
    network = SimpleNamespace(name="Planted", digest=advice.digest)
    assert list(recommended_methods(network, advice.file)) == [label for label in ("Contributions", advice.next) if label]
    assert "with other weights" not in capsys.readouterr().err
    recommended_methods(SimpleNamespace(name="Planted", digest="other"), advice.file)
    assert "this verdict is about Planted with other weights" in " ".join(capsys.readouterr().err.split())
    assert recommended_methods(network, None) == {}


def test_a_file_that_is_no_verdict_is_refused(tmp_path, advice):
    from heatproof.core.errors import DataError

    newer = advice.to_file().model_dump() | {"version": VERDICT_VERSION + 1, "more": True}
    (tmp_path / "newer.json").write_text(json.dumps(newer))
    with pytest.raises(DataError, match=f"got file: version {VERDICT_VERSION + 1}, where this version of heatproof writes"):
        VerdictFile.read(tmp_path / "newer.json")
    (tmp_path / "v.json").write_text("{}")
    for path in (tmp_path / "v.json", tmp_path / "nosuch.json"):
        with pytest.raises(DataError, match="expected a verdict, as heatproof advise writes it"):
            VerdictFile.read(path)
    assert set(advice.to_file().explaining) == {"Contributions", advice.next} - {None}
    assert replace(advice, choices=ResampledChoices(())).to_file().stability is None
