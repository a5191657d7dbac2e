"""What the zoo expects and the library does not do yet; a row that is mended fails the law until it is taken out."""

from collections.abc import Mapping, Sequence

from tests.zoo.network import ALL, BACKWARD, DIFFERENTIATING, MAPS, RELEVANCE

CONTROLS = ("random_map", "constant_map", "edge_map", "input_map")

WRONG: Sequence[tuple[str, tuple[str, ...], str]] = (
    ("gru of pictures", MAPS, "four steps in time are read as 2 x 2 places"),
    ("sequence pooling", ("grad_cam",), "the layer chosen differs between a batch and a lone row"),
    ("branch by row", MAPS, "a layer that runs for each row keeps its last row only"),
    ("kept hidden", ("gradients", *RELEVANCE), "a state that ends with the batch size passes the check"),
    ("bfloat16", ("adaptive_noise",), "quantile takes no half precision"),
    ("float16", ("adaptive_noise",), "quantile takes no half precision"),
    ("autocast inside", RELEVANCE, "rules mix the types of autocast"),
    ("inference mode", ("gradients", *BACKWARD, *CONTROLS[:2], "input_map"), "errors of torch, and requires_grad stays off"),
    ("dynamic int8", ("random_map",), "the digest takes the state of a quantised layer for tensors"),
    ("spectrum", ("DeepLIFT",), "the magnitude of complex numbers passes as its gradient, and no note says so"),
    ("detached branch", ("DeepLIFT",), "what is cut from the graph is missing from the sum, and no note says so"),
    ("scripted", MAPS, "an error of torch: no hooks on scripted modules"),
    ("traced", MAPS, "refused as if there were no layers"),
    ("exported", (*ALL, *CONTROLS), "an error of torch: no eval()"),
    ("exported for two", (*ALL, *CONTROLS), "an error of torch: no eval()"),
    ("compiled", BACKWARD, "compiled while it is traced: refused by words that mislead, and tensors of torch.compile stay"),
    ("checkpointed", BACKWARD, "errors of torch: tensors differ when computed again"),
    ("checkpointed by reentry", DIFFERENTIATING, "an error of torch: no grad() with reentrant checkpoints"),
)
AWAITED: Mapping[tuple[str, str], str] = {(network, group): why for network, groups, why in WRONG for group in groups}
"""(network, a method or a group of methods) -> what is wrong today."""
