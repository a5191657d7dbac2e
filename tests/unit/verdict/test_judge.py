"""`heatproof.judge` on a network with known truth: a valid metric against one that scores shuffled maps, and what is refused."""

import html
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import heatproof as hp
from benchmarks.toys import FLIPPING, ShuffledFlipping
from heatproof.cli import console
from heatproof.cli.main import app
from heatproof.core.errors import UsageError
from heatproof.methods import EdgeMap, Gradient, InputXGradient
from heatproof.metrics import EnergyInMask, SingleDeletion, Sparseness
from heatproof.verdict import Standing
from heatproof.verdict.panel import MapPanel
from heatproof.verdict.text_table import text_table
from tests.support import zoo

pytestmark = pytest.mark.one_process  # one process judges once for all tests that read the judgement


def judge(folder, images=8, **changes):
    network = zoo.planted()
    given = {
        "model": network,
        "bounds": (-3, 4),
        "data": network.images(images, 16),
        "methods": [InputXGradient(), Gradient()],
        "metrics": {"Flipping": FLIPPING, "Broken": ShuffledFlipping(), "Sparse": Sparseness()},
        "precision": "plain",
        "batch": 8,
    }
    return hp.judge(**(given | {"out": folder, "progress": False} | changes))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("judged")


@pytest.fixture(scope="module")
def judgement(folder):
    return judge(folder)


def test_a_valid_metric_is_believed_and_a_broken_one_is_not(judgement):
    assert judgement.believed == ("Flipping",)
    assert judgement.metrics[0] == "Flipping"
    assert judgement["Broken"].standing == Standing.NOT
    assert judgement["Sparse"].sentence.startswith("Not here: it takes no notice of moving its cells")
    assert judgement["pixel_flipping"] == judgement["Flipping"]


class Additive(torch.nn.Module):
    """f_0 = 3 + Σ w x with weights of one sign in the middle and none at the border: input × gradient is the truth."""

    def __init__(self):
        super().__init__()
        at = torch.linspace(-2, 2, 16)
        self.register_buffer("w", torch.exp(-(at[:, None] ** 2) - at**2).expand(3, -1, -1) / 50)

    def forward(self, x):
        return torch.stack([3 + (x * self.w).sum((1, 2, 3)), 0 * x.sum((1, 2, 3))], dim=1)


def spurious():
    """A network that looks at a mark in the corner, images with the mark and a bright object elsewhere, and the object's place."""
    network = zoo.Planted(top=0, left=0, side=4)
    images = network.images(8, 16)
    images[:, :, 8:14, 8:14] += 2
    regions = torch.zeros(8, 16, 16)
    regions[:, 8:14, 8:14] = 1
    return network, images, regions


@pytest.mark.parametrize(
    ("toy", "valid", "broken"),
    [
        ("additive", {"Flipping", "Single deletion"}, {"Broken", "Sparse"}),
        ("spurious", {"Flipping"}, {"Broken", "On the object", "Sparse"}),
    ],
)
def test_on_networks_of_known_truth_the_valid_metrics_stand_before_the_broken_ones(toy, valid, broken, tmp_path):
    """The planted square is the network of the tests above."""
    metrics = {"Flipping": FLIPPING, "Broken": ShuffledFlipping(), "Sparse": Sparseness()}
    if toy == "additive":
        given = {"model": Additive(), "data": 1 + zoo.images(8, side=16) / 5}
        metrics["Single deletion"] = SingleDeletion()
    else:
        network, images, regions = spurious()
        given = {"model": network, "data": images, "regions": regions}
        metrics["On the object"] = EnergyInMask()
    found = judge(tmp_path, metrics=metrics, methods=[InputXGradient()], **given)
    assert set(found.metrics[: len(valid)]) == valid == set(found.believed)
    assert {metric for metric in found.metrics if found[metric].standing == Standing.NOT} == broken
    for row in found.to_arrow().to_pylist()[: len(valid)]:  # what serves all maps is shown, and counts once
        assert row["passes_shared"] == (16 if row["metric"] == "Single deletion" else 0)
        assert row["passes_to_decide"] == row["images_needed"] * (2 * row["passes"] + row["passes_shared"])
    assert (" + 16 shared " in found.text(200)) == ("Single deletion" in valid)


def test_every_metric_of_the_panel_is_calibrated(judgement):
    for evidence in judgement.evidence:
        assert evidence.calibration.pairs >= 2000
        assert evidence.calibration.rate == pytest.approx(0.05, abs=0.02)


def test_any_two_maps_can_be_compared(judgement):
    effect = judgement.power("Flipping", "Input × gradient", "Edge map")
    assert effect.d > 1
    assert effect.images < 20
    assert judgement.power("Flipping", "Edge map", "Input × gradient").d == -effect.d
    for call in (("Flipping", "Nothing", "Edge map"), ("Nothing", "Edge map", "Random map")):
        with pytest.raises(UsageError, match="Nothing"):
            judgement.power(*call)


def test_a_name_that_several_metrics_have_is_refused_with_their_titles(judgement):
    first, second, third = judgement.evidence
    both = replace(judgement, evidence=(first, replace(second, name=first.name), third))
    assert both["Broken"] == judgement["Broken"]
    with pytest.raises(UsageError, match="got 'pixel_flipping', which “Flipping” and “Broken” are; write one of these titles"):
        both["pixel_flipping"]


def test_the_table_holds_every_number_and_metrics_agree_with_themselves(judgement):
    table = judgement.to_arrow()
    assert table.column("metric").to_pylist() == list(judgement.metrics)
    assert {
        "calibration_low",
        "ladder_shift_high",
        "reliability",
        "d_best_over_edge_map",
        "images_constant_map_over_random_map",
    } <= {*table.column_names}
    assert judgement.agreement.tau.diagonal() == pytest.approx(np.ones(3))


@pytest.mark.parametrize("width", [60, 100])
def test_its_text_fits_the_terminal_and_holds_every_sentence(judgement, width):
    page = judgement.text(width)
    assert max(map(len, page.splitlines())) <= width
    assert "\n\n\n" not in page
    for finding in judgement.findings:
        assert finding.sentence in " ".join(page.split())
    assert repr(judgement).startswith("Judgement of Planted on 8 images\n\n1 Flipping. Believe it here")


def test_the_same_call_computes_nothing_again_and_says_the_same(judgement, folder):
    computed = []
    again = judge(folder, progress=lambda progress: computed.append(progress.last))
    assert computed
    assert not any(computed)
    assert again.text() == judgement.text()


def test_its_page_needs_no_other_file_and_holds_every_sentence(judgement, tmp_path):
    page = judgement.save(tmp_path / "new" / "page.html").read_text("utf-8")
    shown = html.unescape(re.sub("<[^>]*>", "", page))
    assert all(finding.sentence in shown for finding in judgement.findings)
    assert page.count('src="data:image/png;base64,') == page.count("<img") == 1
    assert "http" not in page
    with pytest.raises(UsageError, match=r"expected the suffix \.html, got '\.txt'"):
        judgement.save(tmp_path / "page.txt")


def test_its_picture_says_in_words_which_metrics_agree_most(judgement):
    assert judgement.picture().alt.endswith(" with Flipping. Smallest: 0.07, Sparse with Broken")
    one = replace(judgement, evidence=judgement.evidence[:1])
    with pytest.raises(UsageError, match="expected two metrics or more"):
        one.picture()


def test_a_zero_is_shown_as_zero_although_its_digits_are_rounding(judgement):
    sparse = judgement.evidence[2]
    tiny = replace(sparse, ladders={kind: replace(each, tau=1.9e-17) for kind, each in sparse.ladders.items()})
    shown = replace(judgement, evidence=(*judgement.evidence[:2], tiny)).text()
    assert "10⁻" not in shown
    assert "0.00 [" in shown


def test_stability_is_of_the_same_metric_with_other_settings(tmp_path):
    found = judge(tmp_path, metrics={"Flipping": FLIPPING, "Sparse": Sparseness()}, methods=[InputXGradient()], stability=True)
    flipping = found.evidence[found.metrics.index("Flipping")].stability
    assert list(flipping) == ["fill uniform", "fill blurred", "region size", "length", "ranking absolute", "output probability"]
    assert all(-1 <= each.low <= each.tau <= each.high <= 1 for each in flipping.values())
    assert flipping["length"].tau > 0.7
    assert found.evidence[found.metrics.index("Sparse")].stability == {}
    assert "least stable" in found.text()
    assert "stability_length_low" in found.to_arrow().column_names


def test_a_judgement_that_was_killed_is_the_same_after_a_new_start(judgement, tmp_path):
    class Killed(KeyboardInterrupt):
        """As a signal raises it."""

    seen = []

    def killed(progress):
        seen.append(progress.last)
        if len(seen) in (3, 9):  # in the first and in a later part
            raise Killed

    given = {"metrics": {"Flipping": FLIPPING}, "batch": 4, "progress": killed}
    for _ in range(2):
        with pytest.raises(Killed):
            judge(tmp_path, **given)
    found = judge(tmp_path, **given)
    assert found["Flipping"] == judgement["Flipping"]
    np.testing.assert_array_equal(found.scores[0].everything, judgement.scores[0].everything)


def test_a_network_without_classes_a_table_and_one_method_are_judged(tmp_path):
    images = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    regression = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 1))
    found = judge(
        tmp_path / "one", model=regression, bounds=(0, 1), data=images, methods="gradient", metrics="pixel_flipping,steps=4"
    )
    assert found.findings[0].sentence
    table = torch.nn.Linear(12, 3)
    rows = torch.rand(8, 12, generator=torch.Generator().manual_seed(0))
    found = judge(tmp_path / "table", model=table, bounds=(0, 1), data=rows, methods="input_x_gradient", metrics=None)
    assert {each.name for each in found.evidence} >= {"symmetric_relevance_gain", "pixel_flipping"}
    assert set(found.scores[0].controls) == {"Input map", "Constant map"}
    assert found.evidence[0].ladders == {}
    assert found.findings[0].sentence


def test_one_image_or_the_same_image_again_is_a_sentence(tmp_path):
    one = zoo.planted().images(1, 16)
    for name, images in (("one", one), ("alike", one.expand(2, -1, -1, -1))):
        found = judge(tmp_path / name, data=images, metrics=[FLIPPING], methods=[Gradient()])
        assert found.findings[0].sentence == "Only with 6 images or more: of 1 image with a score, no difference is significant."


def test_what_cannot_be_judged_is_refused(tmp_path):
    for changes, words in (
        ({"methods": [EdgeMap()]}, "at least one that explains"),
        ({"damaged": "lrp"}, "damaged: expected one of the methods, Input × gradient and Gradient"),
        ({"seeds": (0, 1)}, "seeds: expected settings that the panel leaves open"),
        ({"model": {"a": zoo.planted(), "b": zoo.planted()}}, "one network, got 2"),
    ):
        with pytest.raises(UsageError, match=words):
            judge(tmp_path, **changes)


def test_the_map_that_is_damaged_is_the_one_named_or_the_best_that_there_is():
    from heatproof.evaluation.experiment import MethodChoice

    choices = [MethodChoice(Gradient(), "G"), MethodChoice(InputXGradient(), "I"), MethodChoice(EdgeMap(), "E")]
    assert MapPanel.of(choices, None).damaged == "G"
    assert MapPanel.of(choices, "input_x_gradient").damaged == "I"
    assert list(MapPanel.of(choices, "G").methods) == ["G", "I"]


def test_the_command_prints_it(tmp_path, monkeypatch):
    monkeypatch.setattr(console.out, "width", 60)
    call = ["judge", "toy,architecture=mlp,width=0.02", "digits", "--images", "6", "--metric", "pixel_flipping,steps=4"]
    result = CliRunner().invoke(
        app, [*call, "-x", "gradient", "--metric", "sparseness", "--out", str(tmp_path / "r"), "--executor", "serial"]
    )
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stdout.splitlines() if not line.startswith(("runs  ", "page  ", "picture  "))]
    assert max(map(len, lines)) <= 60
    assert "Sparseness. Not here" in result.stdout
    assert "part 3 of 3: 8 maps of each image by 2 metrics" in result.stderr
    assert {"judgement.html", "agreement.png"} < {path.name for path in (tmp_path / "r").iterdir()}


def test_columns_that_do_not_fit_stand_below_under_the_same_first_column():
    table = text_table(["metric", "a\nb", "second"], [["A long name of it", "1", "2"]], 18)
    blocks = [[line.split() for line in block.splitlines()] for block in table.split("\n\n")]
    assert blocks == [
        [["a"], ["metric", "b"], ["A", "long", "name…", "1"]],
        [["metric", "second"], ["A", "long", "name…", "2"]],
    ]
    assert table.splitlines()[0] == " " * 14 + "a"
