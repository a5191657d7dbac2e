"""Numbers of a run do not depend on what a process computed before, nor on which process computes them."""

import torch

from heatproof.evaluation.same_bits import forget_decisions, same_bits
from heatproof.methods import SmoothGrad
from heatproof.passes.counting import count_passes
from heatproof.passes.memory import in_chunks
from tests.support import zoo


def chunks(n, seen=None, memory=None):
    def compute(rows):
        if seen is not None:
            seen.append(len(rows))
        return torch.zeros(len(rows))

    model = zoo.model(zoo.residual(), chunk=None, memory=memory)
    return [len(rows) for rows, _ in in_chunks(model, zoo.images(1), n, compute, "forward")]


def test_the_pass_that_is_measured_answers_nothing_and_is_computed_again_with_its_chunk(tmp_path):
    seen = []
    with same_bits(tmp_path):
        first, second = chunks(20, seen), chunks(20)
    assert seen[0] == 1
    assert first == second == seen[1:]
    assert first[0] > 1


def test_another_process_computes_as_many_passes_at_once_whatever_it_would_have_measured(tmp_path):
    with same_bits(tmp_path):
        first = chunks(2000)
    forget_decisions()
    with same_bits(tmp_path):
        assert chunks(2000, memory=1) == first


def test_the_first_process_decides_how_many_threads_compute_and_the_caller_gets_its_own_back(tmp_path):
    own = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        with same_bits(tmp_path):
            pass
        forget_decisions()
        torch.set_num_threads(2)
        with same_bits(tmp_path):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(own)


def test_a_map_is_the_same_to_the_last_bit_whatever_was_computed_before_and_no_pass_is_counted_twice(tmp_path):
    method, images = SmoothGrad(samples=7), zoo.images(3)

    def attributed(network):
        forget_decisions()
        with same_bits(tmp_path), count_passes() as passes:
            return method.attribute(zoo.model(network, chunk=None), images, 1).values, passes

    network = zoo.residual()
    first, passes = attributed(network)
    again, passes_again = attributed(network)
    fresh, passes_fresh = attributed(zoo.residual())
    assert torch.equal(first, again)
    assert torch.equal(first, fresh)
    assert passes == passes_again == passes_fresh
