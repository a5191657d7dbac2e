import pytest
import torch

from heatproof.core.errors import DataError, ImageRefused, SettingsError
from heatproof.data import Molecules, load, load_regions, molecule_tensor
from heatproof.data.legal_masks import MOST_MASKS
from heatproof.data.molecules import RULES
from heatproof.methods import Gradient
from heatproof.metrics import RegionAuc
from heatproof.models import Bounds, Model, Regression
from heatproof.numerics.graphs import unpack_graphs
from heatproof.training import accuracy

pytest.importorskip("rdkit")
from heatproof.data.molecular_graphs import ELEMENTS, crippen_contributions, matches


def test_a_molecule_becomes_its_atoms_and_bonds():
    atoms, bonds = unpack_graphs(molecule_tensor("C=C(C#N)O", nodes=6)[None], len(ELEMENTS))
    assert atoms[0].argmax(0).tolist() == [0, 0, 0, 1, 2, 0]
    assert atoms.sum(1).tolist() == [[1, 1, 1, 1, 1, 0]]
    assert torch.equal(bonds, bonds.transpose(2, 3))
    assert bonds[0, 1].nonzero().tolist() == [[0, 1], [1, 0]]
    assert bonds[0, 2].nonzero().tolist() == [[2, 3], [3, 2]]
    assert bonds.sum() == 8


@pytest.mark.parametrize(
    ("smiles", "reason"),
    [
        ("c1ccc", "no SMILES that RDKit can read"),
        ("", "no SMILES that RDKit can read"),
        ("C[Xe]", "Xe is none of the elements"),
        ("CCCCC", "5 atoms, of at most 4; raise `nodes`"),
    ],
)
def test_what_is_no_molecule_here_is_refused_in_one_line(smiles, reason):
    with pytest.raises(ImageRefused, match=reason) as refusal:
        molecule_tensor(smiles, nodes=4)
    assert "\n" not in str(refusal.value)


def test_contributions_with_hydrogens_sum_to_log_p():
    from rdkit.Chem import Crippen, MolFromSmiles

    smiles = "CCOc1ccccc1N"
    assert float(crippen_contributions(smiles).sum()) == pytest.approx(Crippen.MolLogP(MolFromSmiles(smiles)), abs=1e-5)


@pytest.mark.parametrize("task", ["benzene", "logic7", "logic8"])
def test_labels_are_the_rule_and_combinations_alternate(task):
    data = Molecules(task=task, part="train", count=16)
    found = [tuple(map(bool, matches(item.name, RULES[task]))) for item in data.items()]
    assert [item.label for item in data.items()] == [int(all(each)) for each in found]
    assert {found.count(each) for each in found} == {16 // 2 ** len(RULES[task])}


def test_parts_are_disjoint_and_do_not_depend_on_the_count():
    train, test = (Molecules(part=part, count=40).items() for part in ("train", "test"))
    assert not {item.name for item in train} & {item.name for item in test}
    assert Molecules(part="train", count=7).items() == train[:7]


def test_legal_masks_reach_the_metric_and_the_right_map_scores_one():
    data = Molecules(task="benzene", count=4, positives=True)
    regions = load_regions(data, None)
    assert regions.shape == (4, MOST_MASKS, 32)
    right = regions.nan_to_num(0)[:, -1]  # every benzene ring
    assert RegionAuc().score(right[:, None], regions).values.tolist() == [1] * 4
    assert (RegionAuc().score(-right[:, None], regions).values < 0.7).all()


def test_a_molecule_without_the_fragment_has_no_score_and_says_so():
    data = Molecules(task="benzene", count=2)
    regions = load_regions(data, None)
    scores = RegionAuc().score(torch.rand(2, 1, 32), regions)
    assert [item.region for item in data.items()] == ["none", "mask"]
    assert scores.values.isnan().tolist() == [True, False]
    assert scores.notes == ("the image comes without a region", "")


def test_the_correlate_goes_with_the_rule_as_often_as_wished():
    always = Molecules(task="ester", correlate="benzene", count=12)
    found = [tuple(map(bool, matches(item.name, ("[CX3](=O)[OX2H0][#6]", "c1ccccc1")))) for item in always.items()]
    assert found == [(False, False), (True, True)] * 6
    half = Molecules(task="ester", correlate="benzene", share=0.5, count=20).items()
    assert sum(bool(matches(item.name, ("c1ccccc1",))[0]) for item in half if item.label) == 5
    shown = Molecules(task="ester", correlate="benzene", region_of="correlate", count=2)
    rings = load_regions(shown, None)[1].nansum(-1)
    assert (rings % 6 == 0).all()
    assert always.items()[1].region_digest != shown.items()[1].region_digest


def test_a_file_of_molecules_lists_all_and_refuses_the_bad_ones_by_name(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("smiles,value\nCCO,1.5\nnonsense,2\nc1ccccc1C,-3\n")
    data = Molecules(task="quantity", source=str(path))
    assert [(item.name, item.value) for item in data.items()] == [("CCO", 1.5), ("nonsense", 2.0), ("c1ccccc1C", -3.0)]
    loaded = load(data, data.items(), None)
    assert [item.name for item in loaded.items] == ["CCO", "c1ccccc1C"]
    assert [refusal.image for refusal in loaded.refused] == ["nonsense"] if hasattr(loaded.refused[0], "image") else loaded.refused
    assert [item.label for item in Molecules(source=str(path)).items()] == [0, -1, 1]


@pytest.mark.parametrize(
    ("content", "reason"), [("name\nx\n", "expected the column smiles"), ("smiles,value\nC,much\n", "expected numbers")]
)
def test_a_file_that_is_none_of_molecules_is_refused(tmp_path, content, reason):
    path = tmp_path / "mine.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=reason):
        Molecules(task="quantity", source=str(path)).items()
    with pytest.raises(DataError, match="found none; check `source`"):
        Molecules(source=str(tmp_path / "absent.csv")).items()


@pytest.mark.parametrize(
    "settings",
    [
        {"correlate": "gold"},
        {"region_of": "correlate"},
        {"task": "quantity"},
        {"share": 2.0},
        {"task": "crippen", "correlate": "benzene"},
    ],
)
def test_settings_that_make_no_set_are_refused(settings):
    with pytest.raises(SettingsError):
        Molecules(**settings)


def test_the_contributions_are_the_gradient_of_their_sum():
    data = Molecules(task="crippen", count=2)
    truth = load_regions(data, None)
    assert [item.value for item in data.items()] == pytest.approx(truth.nansum(1).tolist(), abs=1e-5)
    images = load(data, data.items(), None).images
    model = Model(torch.nn.Flatten(), Bounds.of(0, 1, channels=images.shape[1]))
    assert Gradient().attribute(model, images, 0).values.shape == images.shape
    assert data.open(data.items()[0]).mode == "RGB"


def test_a_drawing_has_a_place_for_each_atom_in_the_order_of_the_tensor():
    data = Molecules(task="benzene", count=2)
    for item in data.items():
        drawing = data.drawing(item)
        atoms = int(molecule_tensor(item.name)[: len(ELEMENTS)].sum())
        assert len(drawing.places) == atoms
        assert all(0 <= x <= drawing.width and 0 <= y <= drawing.height for x, y in drawing.places)
        assert "<path" in drawing.lines
        assert "<svg" not in drawing.lines


def test_molecules_with_all_three_fragments_of_logic10_are_drawn_and_labelled():
    data = Molecules(task="logic10", part="train", count=16)
    assert [item.label for item in data.items()] == [0, 0, 0, 0, 0, 0, 0, 1] * 2
    positive = [item.name for item in data.items() if item.label]
    assert all(all(each) for name in positive for each in [matches(name, RULES["logic10"])])


def test_what_is_learnt_of_a_quantity_is_measured_by_the_variance_that_is_explained():
    data = Molecules(task="crippen", count=30)
    mean = sum(item.value for item in data.items()) / 30
    model = Model(Always(mean), Bounds.of(0, 1, channels=data.image_shape[0]), output=Regression())
    assert accuracy(model, data) == pytest.approx(0, abs=1e-5)


class Always(torch.nn.Module):
    """One number for every molecule."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def forward(self, x):
        return x.flatten(1).sum(1, keepdim=True) * 0 + self.number
