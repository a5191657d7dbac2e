import torch

from heatproof.data.legal_masks import MOST_MASKS, legal_masks


def test_every_union_of_matches_is_legal_once():
    assert legal_masks([[{0}, {3}]], 4).int().tolist() == [[1, 0, 0, 0], [0, 0, 0, 1], [1, 0, 0, 1]]
    assert len(legal_masks([[{0, 1}, {1, 2}, {0, 1}]], 3)) == 3


def test_of_clauses_that_must_all_hold_each_gives_a_part():
    masks = legal_masks([[{0}, {1}], [{2}, {3}]], 5)
    assert len(masks) == 9
    assert (masks[:, :2].any(1) & masks[:, 2:4].any(1)).all()
    assert not masks[:, 4].any()


def test_a_clause_without_a_match_leaves_nothing_legal():
    assert len(legal_masks([[{0}], []], 2)) == 0


def test_too_many_unions_are_none():
    assert len(legal_masks([[{i} for i in range(6)]], 8)) == MOST_MASKS - 1
    assert len(legal_masks([[{i} for i in range(7)]], 8)) == 0
    assert len(legal_masks([[{i} for i in range(3)], [{i} for i in range(3, 6)], [{6}, {7}]], 8)) == 0
    assert legal_masks([[{0}]], 8).dtype == torch.bool
