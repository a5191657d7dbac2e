import pytest

from heatproof.core.errors import DataError
from heatproof.data import Item
from heatproof.data.labels import check_classes, class_indices, match_classes, relabelled


def test_names_match_whatever_their_case_and_spaces():
    assert match_classes(["Polar_Bear", "RED-PANDA", "tench"], ["tench", "red panda", "polar bear"]) == [2, 1, 0]


def test_wordnet_ids_in_names_do_not_count():
    assert match_classes(["n02123045_tabby", "n01440764"], ["tench", "tabby"]) == [1, -1]


def test_a_name_with_commas_goes_by_each_of_its_synonyms():
    assert match_classes(["Tinca tinca", "chain saw, chainsaw"], ["chainsaw", "tench, Tinca tinca"]) == [1, 0]


def test_a_name_that_is_not_there_matches_nothing_and_is_no_part_of_another():
    assert match_classes(["cat", "dog"], ["tiger cat", "dog"]) == [-1, 1]


def test_case_tells_two_classes_apart_where_nothing_else_does():
    assert match_classes(["cardigan", "Cardigan", "CARDIGAN"], ["Cardigan", "cardigan"]) == [1, 0, -1]


def test_a_name_that_fits_two_classes_matches_neither_unless_the_lists_are_the_same():
    assert match_classes(["crane"], ["crane", "crane"]) == [-1]
    assert match_classes(["crane", "crane"], ["crane", "crane"]) == [0, 1]


@pytest.mark.parametrize(("names", "classes"), [((), ("a", "b")), (("a", "b"), ()), ((), ())])
def test_where_one_side_has_no_names_labels_are_indices_already(names, classes):
    assert class_indices(names, classes) == ()
    check_classes(names, classes, "here")
    assert relabelled([Item("x", "", 7)], ()) == [Item("x", "", 7)]


def test_labels_become_indices_of_the_networks_classes_and_unknown_ones_stay_unknown():
    indices = class_indices(["cat", "dog"], ["bird", "dog", "cat"])
    items = [Item("a", "", 0), Item("b", "", 1), Item("c", "", -1)]
    assert [item.label for item in relabelled(items, indices)] == [2, 1, -1]
    assert [item.name for item in relabelled(items, indices)] == ["a", "b", "c"]


def test_one_class_that_the_network_does_not_have_makes_every_label_unknown():
    assert class_indices(["cat", "cow"], ["bird", "dog", "cat"]) == (-1, -1)


def test_classes_that_the_network_does_not_have_are_refused_with_the_remedy():
    check_classes(["Dog"], ["cat", "dog"], "here")
    with pytest.raises(
        DataError,
        match=r"here: expected labels among the network's 3 classes \('tench', 'goldfish', 'dog'\), got 'cat'; "
        r"rename the folders .* or use target = 'predicted'",
    ):
        check_classes(["cat", "dog"], ["tench", "goldfish", "dog"], "here")
