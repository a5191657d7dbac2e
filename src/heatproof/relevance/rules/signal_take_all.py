"""Products a b where one factor is a gate, made by a sigmoid or its like: all relevance to the other, the signal.

Source: Arras et al., "Explaining recurrent neural network predictions in sentiment analysis", 2017 ("signal takes it all").
"""

from heatproof.relevance.rules.base import ProductRule


class SignalTakeAll(ProductRule):
    """Gates only weigh what passes them; half each where neither factor, or both, is a gate."""

    def share(self, gates: tuple[bool, bool]) -> tuple[float, float]:
        return (float(gates[1]), float(gates[0])) if gates[0] != gates[1] else (0.5, 0.5)
