"""The signal-take-all rule (LRP-all) for products of a gate and a signal: the signal receives all relevance.

A gate is the output of a sigmoid, a softmax or the like, which lies between 0 and 1 and weighs the other factor, the signal.

Source: Arras et al., "Explaining recurrent neural network predictions in sentiment analysis", WASSA 2017; named in Arras et al.,
"Explaining and interpreting LSTMs", 2019.
"""

from heatproof.relevance.rules.base import ProductRule


class SignalTakeAll(ProductRule):
    """The factor that is not a gate receives all relevance.

    If neither factor is a gate, or both are, each receives half.
    """

    def share(self, gates: tuple[bool, bool]) -> tuple[float, float]:
        return (float(gates[1]), float(gates[0])) if gates[0] != gates[1] else (0.5, 0.5)
