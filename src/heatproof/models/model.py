"""A network, together with what is needed to explain it."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from heatproof.core.errors import ModelError, SettingsError, TensorError, UsageError
from heatproof.core.formatting import count
from heatproof.models.black_box import Arrays, BlackBox
from heatproof.models.checkpointing import input_gradients
from heatproof.models.output_matrix import output_matrix
from heatproof.models.outputs import Logit, Output, Regression
from heatproof.models.preprocessing import Preprocessing
from heatproof.models.scale import SCALES, Scale, scale_of
from heatproof.models.watching import seen
from heatproof.numerics.attention_path import differentiable_attention
from heatproof.numerics.autocast import no_autocast
from heatproof.numerics.bounds import Bounds
from heatproof.numerics.default_device import callers_default, cpu_by_default
from heatproof.numerics.dense import check_dense

_one_thread = threading.RLock()
"""Held while a network runs, since that changes its modes, its parameters and its hooks, which threads share."""

OutputFunction = Callable[[Tensor, Tensor], Tensor]
"""A function (outputs `[b, k]`, target `[b]`) → `[b]`."""


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A `torch.nn.Module` with the bounds of its input and the scalar output that is explained.

    The module is used in eval mode with frozen parameters, and is left exactly as it was: parameters, buffers, hooks, gradients and
    train flags. It may return a tensor `[b, k]` or `[b]`, or a structure that holds one: a tuple, a mapping, an object with
    `.logits` (see `models/output_matrix.py`).

    It computes in its own types: `torch.autocast` blocks of the caller are left, those in its forward are kept. So a map does not
    depend on where it is requested; to compute in bfloat16, see `heatproof.passes.acceleration`, or open the block in the forward.

    >>> import torch
    >>> from heatproof.models import Bounds, Model
    >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 2))
    >>> model = Model(network, Bounds.of(0, 1, channels=1), class_names=("cat", "dog"))
    >>> model.outputs(torch.rand(5, 1, 28, 28)).shape, model.class_name(1)
    (torch.Size([5, 2]), 'dog')
    >>> model
    Model(model: Sequential with 1,570 parameters, 1 input channel, explains logit)
    """

    module: nn.Module
    bounds: Bounds
    """The legal values of an input, in model space."""
    output: Output | OutputFunction = Logit()  # noqa: RUF009 - settings are frozen
    """The scalar output that is explained: an `Output`, or any callable `(outputs [b, k], target [b]) → [b]`."""
    class_names: tuple[str, ...] = ()
    """The names of the outputs, in their order; empty if they have none. Two names for one output say that it is the log-odds of
    the second class: `class_names=("healthy", "ill")`.
    """
    scale: Scale | None = None
    """What the outputs are: `logits`, `probabilities` or `log_probabilities`; None = seen from the outputs. A single probability,
    the result of a sigmoid, cannot be told from a score, so that its model has to say `probabilities`.
    """
    output_path: str = ""
    """Which tensor of a structure is explained, such as `logits` or `0.1`; empty if only one can be."""
    preprocessing: Preprocessing | None = None
    """How a photograph becomes an input; None for networks whose inputs are not photographs."""
    name: str = "model"
    chunk: int | None = None
    """The largest number of images in one call of the network; None = as many as fit in memory. Results do not depend on it."""
    memory: int | None = None
    """The number of bytes that a chunk of images may take; None = a share of the free memory (see `passes/memory.py`)."""
    incremental: bool = True
    """Whether a forward pass may be computed only where it differs from another: in the region that a changed rectangle affects, or
    from a changed activation or weight on. Outputs are the same up to rounding.
    """
    engine: nn.Module | None = None
    """A faster copy of the module that computes the passes in its place; frozen, in eval mode."""
    original: nn.Module | None = None
    """The network that the module is an edited copy of, with other weights or another input; None where it is none."""
    plan: str = "plain"
    """A description of how the engine differs from the module."""
    code: str = ""
    """The content hash of the source code that built the module, a part of `digest`; empty where it is not known."""
    memorised: Callable[[], "Model"] | None = None
    """Loads the same architecture, trained on permuted labels until it memorised them; None if the loader cannot."""

    def __post_init__(self) -> None:
        if not isinstance(self.module, nn.Module):
            remedy = "use load_model for a name" if isinstance(self.module, str) else "wrap it in an nn.Module"
            raise UsageError(f"module: expected a torch.nn.Module, got {type(self.module).__name__}; {remedy}")
        if not isinstance(self.bounds, Bounds):
            raise UsageError(
                f"bounds: expected Bounds, got {type(self.bounds).__name__}; use Bounds.of(0, 1, channels=3) with the least and "
                "the largest value of the input"
            )
        if self.chunk is not None and self.chunk < 1:
            raise TensorError(f"chunk: expected at least 1 image, or None, got {self.chunk}")
        if self.memory is not None and self.memory < 1:
            raise TensorError(f"memory: expected at least 1 byte, or None, got {self.memory}")
        if self.scale is not None and self.scale not in SCALES:
            raise SettingsError(f"scale: expected {', '.join(SCALES)} or None, got {self.scale!r}")
        if self.black_box and self.incremental:
            raise SettingsError(f"incremental: expected False, since {self.name} is a function of whole inputs, got True")

    @classmethod
    def of_function(
        cls,
        function: Callable[[Any], Any],
        bounds: Bounds,
        *,
        version: str,
        arrays: Arrays = "numpy",
        output: Output | OutputFunction = Logit(),  # noqa: B008 - settings are frozen
        class_names: tuple[str, ...] = (),
        scale: Scale | None = None,
        preprocessing: Preprocessing | None = None,
        name: str = "",
        chunk: int | None = 64,
    ) -> Self:
        """A black box: a function that gives outputs for inputs, and of which nothing else is known.

        Methods and metrics that need outputs only work on it, such as `occlusion`, `rise` or `kernel_shap`. Those that need
        gradients, layers or weights refuse it by name. Nothing is recomputed in part.

        Args:
            function: `inputs [b, …] → outputs [b, k]` or `[b]`, for example `pipeline.predict_proba` or a call of a remote service.
            bounds: the legal values of an input.
            version: what the function computes, in words that change when it does. A function has no weights by which a run could
                tell that its results are out of date; `heatproof.run` looks at the function's source code as well.
            arrays: whether the function is given arrays of NumPy or tensors; it may return either.
            output: the scalar that is explained.
            class_names: the names of the outputs.
            scale: what the outputs are; None = seen from the outputs.
            preprocessing: how a photograph becomes an input; None if inputs are no photographs.
            name: the name of the model, by default that of the function.
            chunk: the largest number of inputs in one call. Memory that a function takes cannot be measured, so it is given.

        Raises:
            UsageError: The function is not callable, or has no version.

        >>> import torch
        >>> from heatproof.methods import FeatureAblation
        >>> from heatproof.models import Bounds, Model
        >>> def score(table):
        ...     return table @ [[1.0], [2.0], [0.0]]
        >>> model = Model.of_function(score, Bounds.of(0, 1, channels=3), version="1")
        >>> FeatureAblation(groups="pixels").attribute(model, torch.ones(1, 3)).values
        tensor([[1., 2., 0.]])
        """
        box = BlackBox(function, version, arrays)
        return cls(
            box,
            bounds,
            output=output,
            class_names=class_names,
            scale=scale,
            preprocessing=preprocessing,
            name=name or box.label,
            chunk=chunk,
            incremental=False,
        )

    @property
    def black_box(self) -> bool:
        """Whether the model is a function, which has no gradients, layers or weights."""
        return isinstance(self.original or self.module, BlackBox)

    def __repr__(self) -> str:
        """One line: the name, the class of the module, its parameters, the channels of its input, and what is explained."""
        parameters, channels = sum(p.numel() for p in self.module.parameters()), len(self.bounds.lower)
        what = f"{type(self.module).__name__} with {parameters:,} parameters"
        what = f"a function, version {self.module.version!r}" if isinstance(self.module, BlackBox) else what
        return f"Model({self.name}: {what}, {count(channels, 'input channel')}, explains {self.output_label})"

    def with_(self, **changes: Any) -> Self:
        """A copy with some fields replaced; it shares the module."""
        return replace(self, **changes)

    @property
    def device(self) -> torch.device:
        """The device of the parameters (the CPU for a module without any)."""
        return next((p.device for p in self._tensors()), torch.device("cpu"))

    @property
    def dtype(self) -> torch.dtype:
        """The floating-point type of the parameters (float32 for a module without any, which takes images of every type)."""
        return self._own_dtype or torch.float32

    @property
    def _own_dtype(self) -> torch.dtype | None:
        return next((p.dtype for p in self._tensors() if p.is_floating_point()), None)

    def placed(self, tensor: Tensor) -> Tensor:
        """The tensor on the device and in the type of the parameters; a module without any takes a floating-point tensor as it is.

        >>> import torch
        >>> from heatproof.models import Bounds, Model
        >>> image = torch.zeros(1, 1, 2, 2, dtype=torch.float64)
        >>> networks = torch.nn.Flatten(), torch.nn.Conv2d(1, 1, 1)
        >>> [Model(network, Bounds.of(0, 1, channels=1)).placed(image).dtype for network in networks]
        [torch.float64, torch.float32]
        """
        device = next((p.device for p in self._tensors()), tensor.device)
        dtype = self._own_dtype or (tensor.dtype if tensor.is_floating_point() else torch.float32)
        return tensor.to(device, dtype)

    def _tensors(self) -> Iterator[Tensor]:
        yield from self.module.parameters()
        yield from self.module.buffers()

    @cached_property
    def digest(self) -> str:
        """The content hash of the weights, of the printed structure and, where it is known, of the source code."""
        state = hashlib.sha256(repr(self.module).encode() + self.code.encode())
        for key, value in sorted(self.module.state_dict().items()):
            state.update(key.encode())
            state.update(content_bytes(value))
        return state.hexdigest()[:32]

    @property
    def output_label(self) -> str:
        """The settings of the output, or the name of the caller's function."""
        return str(self.output) if isinstance(self.output, Output) else getattr(self.output, "__qualname__", repr(self.output))

    @contextmanager
    def running(self) -> Iterator[None]:
        """Inside, the module is in eval mode with frozen parameters and no autocast block of the caller counts; outside, all is as
        before, also after an exception. Other threads wait for the end of the block; processes run side by side.
        """
        with (
            _one_thread,
            cpu_by_default(),
            no_autocast(),
            differentiable_attention(),
            input_gradients(),
            nullcontext() if self.engine is not None else self._frozen(),
        ):
            yield

    @contextmanager
    def _frozen(self) -> Iterator[None]:
        modes = [(m, m.training) for m in self.module.modules()]
        made = [p for p in self.module.parameters() if not nn.parameter.is_lazy(p)]
        wanted = [p for p in made if p.requires_grad and not p.is_inference()]
        try:
            for m, mode in modes:
                if mode:
                    m.training = False  # not by eval(), which exported modules lack and which may do more, such as merge weights
            for p in wanted:
                p.requires_grad_(False)
            yield
        finally:
            for m, mode in modes:
                if m.training != mode:
                    m.training = mode
            for p in wanted:
                p.requires_grad_(True)

    def outputs(self, images: Float[Tensor, "b *shape"]) -> Float[Tensor, "b k"]:
        """The output matrix of the network, computed in the gradient mode that the caller set.

        Raises:
            ModelError: The output is not a matrix with one row for each image, several tensors could be it, or the network cannot
                compute it here.
        """
        try:
            with callers_default():
                found = (self.engine or self.module)(images)
            # an engine has chosen the tensor already
            out = found if self.engine else output_matrix(found, len(images), self.output_path)
        except (RuntimeError, AssertionError, ModelError) as error:
            if remedy := self._remedy(images, error):
                raise ModelError(f"{self.name}: {remedy}") from error
            raise
        self._check_numbers(out)
        if isinstance(self.output, Output) and (out.ndim > 2 or self.output.of_pixels):
            out = self.output.per_image(out)
        if len(images) == 1 and out.ndim < 2:
            out = out.reshape(1, -1)  # a forward that squeezes its outputs drops the axis of a lone image
        elif out.ndim == 1 and len(out) == len(images):
            out = out[:, None]
        if out.ndim != 2 or len(out) != len(images):
            segmentation = "explain output=SegmentedClass() if these are scores for each pixel, or " if out.ndim > 2 else ""
            raise ModelError(
                f"{self.name}: expected one row of outputs for each image, [{len(images)}, k], got {list(out.shape)}; "
                f"{segmentation}wrap the module so that its forward returns that"
            )
        return seen(self, images, out)

    def _check_numbers(self, out: Tensor) -> None:
        with torch._C.DisableTorchFunction():  # a tracer that is active would intercept the questions
            check_dense(out, f"{self.name}: outputs")
            if not out.is_floating_point():
                raise ModelError(
                    f"{self.name}: expected outputs in floating-point numbers, got {out.dtype}; return the scores before argmax, a "
                    "comparison or rounding, of a complex number its real part or its magnitude"
                )

    def _remedy(self, images: Tensor, error: Exception) -> str:
        """What explains that a forward pass failed, and the remedy; empty if nothing does."""
        with torch._C.DisableTorchFunction():  # a tracer that is active would intercept the questions
            frozen = any(tensor.is_inference() for tensor in self._tensors())
        if frozen and torch.is_grad_enabled():
            return (
                "expected weights that gradients can pass, got weights made inside torch.inference_mode; outside of it, use "
                "copy.deepcopy(network)"
            )
        if isinstance(error, AssertionError) and "_guards_fn" in dict(self.module.named_children()):  # made by torch.export
            return (
                f"expected a network for any number of images, got an exported program that refuses {list(images.shape)}; "
                "export it with dynamic_shapes=({0: torch.export.Dim.DYNAMIC},), or use the module that was exported"
            )
        return ""

    def explained(self, outputs: Float[Tensor, "b k"], target: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
        """The scalar that is explained, for each image.

        Raises:
            ModelError: The output function does not return one number for each image.
        """
        if isinstance(self.output, Output):
            scores = self.output(outputs, target, self.scale or scale_of(outputs))
        else:
            scores = self.output(outputs, target.clamp_min(0))  # a function of no class gets a legal one all the same
        if scores.shape != target.shape:
            raise ModelError(
                f"output {self.output_label}: expected one number for each image, {list(target.shape)}, got {list(scores.shape)}"
            )
        return scores

    def class_name(self, index: int) -> str:
        """The name of a class, or `class 7` if it has none; for −1, where there are no classes, that of the explained output."""
        regression = isinstance(self.output, Regression)
        if index < 0 and not regression:
            return self.class_names[0] if len(self.class_names) == 1 else "the output"
        index = self.output.index if index < 0 and isinstance(self.output, Regression) else index
        return self.class_names[index] if index < len(self.class_names) else f"{'output' if regression else 'class'} {index}"


def content_bytes(value: Any) -> bytes:
    """The bytes of an entry of a state: a tensor, or what quantised layers keep beside and around tensors."""
    if isinstance(value, tuple | list):
        return b"".join(map(content_bytes, value))
    if not isinstance(value, Tensor):
        return repr(value).encode()
    plain = value.dequantize() if value.is_quantized else value
    return plain.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
