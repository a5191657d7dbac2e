"""Recurrent layers and cells: LSTM, GRU and Elman networks, each step decomposed into sums, products and gates.

    LSTM    i, f, g, o = σ, σ, tanh, σ of W x + b + U h + d;    c ← f ⊙ c + i ⊙ g,  h ← o ⊙ tanh c  (projected where there is one)
    GRU     r, z = σ(W x + b + U h + d);  n = tanh(W x + b + r ⊙ (U h + d));    h ← (1 − z) ⊙ n + z ⊙ h
    Elman   h ← tanh or ReLU of W x + b + U h + d

x is the input of the step, h and c its state; W, U, b, d are weights and biases. σ, z and 1 − z are gates: where a rule gives all
relevance of a product to the signal, they get none.

Source: Arras et al., "Explaining recurrent neural network predictions in sentiment analysis", 2017.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from heatproof.core.errors import ModelError
from heatproof.relevance.handler_context import HandlerContext
from heatproof.relevance.handlers.decomposed import decomposed
from heatproof.tracing.catalogue import RECURRENT_CELLS, RECURRENT_LAYERS
from heatproof.tracing.signatures import operation_name

Args = Sequence[Any]
Kwargs = dict[str, Any]
States = tuple[Tensor, ...]
Step = Callable[[Tensor, Tensor, States], States]
"""(W x + b, U h + d, states) → states; the first state is h."""

_LAYER_ARGUMENTS = ("input", "hx", "params", "has_biases", "num_layers", "dropout", "train", "bidirectional", "batch_first")
_CELL_ARGUMENTS = ("input", "hx", "w_ih", "w_hh", "b_ih", "b_hh")


def _lstm(from_input: Tensor, from_state: Tensor, states: States) -> States:
    i, f, g, o = (from_input + from_state).chunk(4, -1)
    c = torch.sigmoid(f) * states[1] + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def _gru(from_input: Tensor, from_state: Tensor, states: States) -> States:
    (r, z, n), (u, v, m) = from_input.chunk(3, -1), from_state.chunk(3, -1)
    new, keep = torch.tanh(n + torch.sigmoid(r + u) * m), torch.sigmoid(z + v)
    return ((1 - keep) * new + keep * states[0],)


def _elman(activation: Callable[[Tensor], Tensor], from_input: Tensor, from_state: Tensor, states: States) -> States:
    return (activation(from_input + from_state),)


_STEPS: dict[Callable[..., Any], Step] = {
    torch.lstm: _lstm,
    torch.lstm_cell: _lstm,
    torch.gru: _gru,
    torch.gru_cell: _gru,
    torch.rnn_tanh: partial(_elman, torch.tanh),
    torch.rnn_tanh_cell: partial(_elman, torch.tanh),
    torch.rnn_relu: partial(_elman, torch.relu),
    torch.rnn_relu_cell: partial(_elman, torch.relu),
}


def recur(context: HandlerContext, func: Callable[..., Any], args: Args, kwargs: Kwargs) -> Any:
    """Layers over a sequence: any number of them, in one direction or both, with or without biases and projections."""
    given = {**dict(zip(_LAYER_ARGUMENTS, args, strict=False)), **kwargs}
    if isinstance(given["params"], Tensor) or "data" in kwargs or isinstance(given["has_biases"], list | tuple):
        raise ModelError(f"{func.__name__}: expected sequences of one length, got packed ones; pad them, or explain one at a time")
    if given["train"] and given["dropout"]:
        raise ModelError(f"{func.__name__}: expected no dropout, got {given['dropout']} in training mode; use eval()")
    layers, directions = given["num_layers"], 1 + given["bidirectional"]
    start = (given["hx"],) if isinstance(given["hx"], Tensor) else tuple(given["hx"])
    size = len(given["params"]) // (layers * directions)

    def parts(x: Tensor, *start: Tensor) -> tuple[Tensor, ...]:
        steps, ends = x.transpose(0, 1) if given["batch_first"] else x, []
        for layer in range(layers):
            outputs = []
            for k in range(layer * directions, (layer + 1) * directions):
                weights, states = given["params"][k * size : (k + 1) * size], tuple(state[k] for state in start)
                output, end = _run(_STEPS[func], steps, states, weights, given["has_biases"], backwards=k % directions == 1)
                outputs.append(output)
                ends.append(end)
            steps = torch.cat(outputs, -1)
        y = steps.transpose(0, 1) if given["batch_first"] else steps
        return y, *(torch.stack(states) for states in zip(*ends, strict=True))

    run, inputs = partial(func, *args, **kwargs), [given["input"], *start]
    return decomposed(context, operation_name(func), run, parts, inputs, activates=True)


def _run(step: Step, x: Tensor, states: States, weights: Sequence[Tensor], biased: bool, backwards: bool) -> tuple[Tensor, States]:
    """The outputs of one layer in one direction, in the order of the sequence, and its last states."""
    w, u, *more = weights
    (b, d), projection = (more[:2], more[2:]) if biased else ((None, None), more)
    order, outputs = (-1 if backwards else 1), []
    for from_input in F.linear(x, w, b).unbind(0)[::order]:
        h, *others = step(from_input, F.linear(states[0], u, d), states)
        states = (F.linear(h, projection[0]) if projection else h, *others)
        outputs.append(states[0])
    return torch.stack(outputs[::order]), states


def recur_once(context: HandlerContext, func: Callable[..., Any], args: Args, kwargs: Kwargs) -> Any:
    """Cells: one step."""
    given = {**dict(zip(_CELL_ARGUMENTS, args, strict=False)), **kwargs}
    start = (given["hx"],) if isinstance(given["hx"], Tensor) else tuple(given["hx"])

    def parts(x: Tensor, *states: Tensor) -> Any:
        from_input = F.linear(x, given["w_ih"], given.get("b_ih"))
        result = _STEPS[func](from_input, F.linear(states[0], given["w_hh"], given.get("b_hh")), states)
        return result if len(result) > 1 else result[0]

    run, inputs = partial(func, *args, **kwargs), [given["input"], *start]
    return decomposed(context, operation_name(func), run, parts, inputs, activates=True)


HANDLERS = {**dict.fromkeys(RECURRENT_LAYERS, recur), **dict.fromkeys(RECURRENT_CELLS, recur_once)}
