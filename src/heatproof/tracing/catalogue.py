"""The catalogue of torch operations: every torch function that heatproof treats, sorted by what it computes.

A torch function is classified here and nowhere else. The rooms that intercept operations (`relevance/`, `partial/`, `edits/`)
build their tables of handlers from these categories, and name a single function only where they treat it individually. torch
offers most operations under several names (`torch.relu`, `Tensor.relu`, `F.relu`), and a tracer sees the name that the network
used, so every name has its own entry.

A category lists functions that work out of place. `OUT_OF_PLACE` pairs each in-place function with the function that computes the
same values in a new tensor, and `with_in_place` adds the in-place functions to a category.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

T = Tensor
Function = Callable[..., Any]
Category = Sequence[Function]

# --- functions of one tensor, applied to each value ------------------------------------------------------------------------

RELUS: Category = (torch.relu, T.relu, F.relu)
CLAMPS_FROM_BELOW: Category = (torch.clamp, T.clamp, torch.clip, T.clip, torch.clamp_min, T.clamp_min)
"""Clamps that may have a lower limit; `clamp` may have an upper one as well."""
PRELUS: Category = (torch.prelu,)
"""`F.prelu` is the same function."""
GATES: Category = (torch.sigmoid, T.sigmoid, F.sigmoid, F.hardsigmoid)
"""Activations with values between 0 and 1, which weigh another signal."""
ACTIVATIONS: Category = (
    *RELUS,
    *CLAMPS_FROM_BELOW,
    *PRELUS,
    *GATES,
    *(torch.clamp_max, T.clamp_max, torch.tanh, T.tanh, F.tanh, F.relu6, F.hardtanh, F.leaky_relu, F.elu, F.selu, torch.selu),
    *(F.celu, torch.celu, F.gelu, F.silu, F.mish, F.hardswish, F.softplus, F.softsign, F.logsigmoid, F.rrelu, F.tanhshrink),
    *(F.hardshrink, F.softshrink, F.threshold),
)
NEGATIONS: Category = (torch.neg, T.neg)
"""`-x` calls `Tensor.neg`."""
ELEMENTARY_FUNCTIONS: Category = (
    *NEGATIONS,
    *(torch.square, T.square, torch.pow, T.pow, T.__pow__, torch.exp, T.exp, torch.log, T.log, torch.sqrt, T.sqrt, torch.rsqrt),
    *(T.rsqrt, torch.abs, T.abs, torch.sin, T.sin, torch.cos, T.cos, torch.erf, T.erf, torch.log1p, torch.reciprocal),
    *(T.reciprocal,),
)
"""Differentiable functions of one value that networks do not use as activations."""
STEP_FUNCTIONS: Category = (torch.sign, T.sign, torch.floor, T.floor, torch.round, T.round)
"""Functions of one value whose derivative is zero almost everywhere."""
EXPONENTIALS: Category = (torch.exp, T.exp)
BENDS: Category = (torch.abs, T.abs, torch.sin, T.sin, torch.cos, T.cos, torch.erf, T.erf)
"""Elementary functions that activations are written with, as |x| in (x + |x|) / 2; alone they would act as one."""
COMPARISONS: Category = (
    *(torch.gt, T.gt, T.__gt__, torch.ge, T.ge, T.__ge__, torch.lt, T.lt, T.__lt__, torch.le, T.le, T.__le__),
    *(torch.eq, T.eq, T.__eq__, torch.ne, T.ne, T.__ne__),
)
"""Functions that give a boolean mask."""
LOGICAL: Category = (
    *(T.__invert__, T.__and__, T.__or__, T.__xor__, torch.logical_not, T.logical_not, torch.logical_and, T.logical_and),
    *(torch.logical_or, T.logical_or, torch.bitwise_not, T.bitwise_not),
)
"""Functions of boolean masks that give another one, value by value."""

# --- arithmetic of several tensors -----------------------------------------------------------------------------------------

SUMS: Category = (torch.add, T.add, T.__add__, T.__radd__, torch.sub, T.sub, T.__sub__, T.__rsub__, torch.rsub)
"""Sums and differences of two terms."""
PRODUCTS: Category = (torch.mul, T.mul, T.__mul__, T.__rmul__, torch.multiply, T.multiply)
QUOTIENTS: Category = (torch.div, T.div, T.__truediv__, torch.true_divide)
"""The numerator is the first argument."""
REVERSED_QUOTIENTS: Category = (T.__rtruediv__,)
"""The numerator is the second argument."""
SUMS_WITH_PRODUCT: Category = (torch.addcmul, T.addcmul)
"""a + v b c, v a number."""
PAIRWISE_MAXIMA: Category = (torch.maximum, T.maximum, torch.fmax, T.fmax)
PAIRWISE_MINIMA: Category = (torch.minimum, T.minimum, torch.fmin, T.fmin)
PAIRWISE_EXTREMA: Category = (*PAIRWISE_MAXIMA, *PAIRWISE_MINIMA)
SELECTIONS: Category = (torch.where,)
"""Each value is taken from one tensor or from another."""
MASKED_FILLS: Category = (torch.masked_fill, T.masked_fill)
"""A constant is written where a mask is true."""

# --- linear layers and matrix products -------------------------------------------------------------------------------------

CONVOLUTIONS: Category = (torch.conv1d, torch.conv2d, torch.conv3d)
TRANSPOSED_CONVOLUTIONS: Category = (torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d)
CONVOLUTION_ARGUMENTS = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
TRANSPOSED_CONVOLUTION_ARGUMENTS = ("input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation")
DENSE: Category = (F.linear,)
MATRIX_PRODUCTS: Category = (torch.matmul, T.matmul, T.__matmul__, torch.mm, T.mm)
"""(A, B) → A B."""
OTHER_MATRIX_PRODUCTS: Category = (T.__rmatmul__, torch.bmm, T.bmm, torch.einsum)
"""Products with another order of the arguments, of batches only, or along axes that a formula names."""
SUMS_WITH_MATRIX_PRODUCT: Category = (torch.addmm, T.addmm, torch.baddbmm, T.baddbmm)
"""β C + α A B, α and β numbers; the arguments are (C, A, B)."""

# --- pooling, resampling and reductions ------------------------------------------------------------------------------------

AVERAGE_POOLING: Category = (
    *(F.avg_pool1d, F.avg_pool2d, F.avg_pool3d, F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d),
)
INTERPOLATIONS: Category = (F.interpolate, F.upsample)
SUMS_OVER_AXES: Category = (torch.mean, T.mean, torch.sum, T.sum)
"""Sums and means over axes of one tensor."""
GRID_SAMPLES: Category = (F.grid_sample, torch.grid_sampler_2d, torch.grid_sampler_3d)
"""Interpolation of the first argument at the places that the second one holds."""
SCATTERED_SUMS: Category = (torch.index_add, T.index_add, torch.scatter_add, T.scatter_add)
"""The values of one tensor are added to another at places that an index names; several may be added to one."""
SCATTERED_REDUCTIONS: Category = (torch.scatter_reduce, T.scatter_reduce)
"""Sums, means, extrema or products of one tensor's values, gathered in another at places that an index names."""
AVERAGES: Category = (*AVERAGE_POOLING, *SUMS_OVER_AXES, *INTERPOLATIONS)
"""Every value of the result is a weighted sum of values of one tensor, with weights that do not depend on it."""
MAX_POOLING: Category = (
    *(F.max_pool1d, F.max_pool2d, F.max_pool3d, F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d),
    *(torch.max_pool1d, torch.max_pool2d, torch.max_pool3d),
)
MAXIMA_OVER_AXES: Category = (torch.amax, T.amax)
MINIMA_OVER_AXES: Category = (torch.amin, T.amin)
NORMS: Category = (T.norm, torch.norm, torch.linalg.norm, torch.linalg.vector_norm, T.std, torch.std)
"""Norms and standard deviations: homogeneous of degree 1."""
VARIANCES: Category = (T.var, torch.var)
"""Homogeneous of degree 2."""
MAXIMA_WITH_PLACES: Category = (torch.max, T.max)
"""The largest of all values, of two tensors, or along an axis, then with their places."""
MINIMA_WITH_PLACES: Category = (torch.min, T.min)
SORTS: Category = (torch.sort, T.sort, torch.topk, T.topk)
"""All values, or some of the largest or smallest, in order along an axis."""
OVERLAPPING_SUMS: Category = (F.fold,)
"""Sums of patches that overlap."""

MIXTURES: Category = (
    *(torch.cumsum, T.cumsum, torch.cumprod, T.cumprod, torch.prod, T.prod, torch.logsumexp, T.logsumexp, torch.cdist, torch.outer),
    *(F.cosine_similarity, F.pairwise_distance, torch.tril, T.tril, torch.triu, T.triu, torch.diagonal, T.diagonal, torch.trace),
    *(torch.fft.fft, torch.fft.ifft, torch.fft.rfft, torch.fft.irfft, torch.fft.fft2, torch.fft.ifft2, torch.fft.rfft2),
    *(torch.fft.irfft2, torch.view_as_real, torch.view_as_complex, T.real.__get__, T.imag.__get__),  # type: ignore[attr-defined]
)
"""Differentiable operations that mix values without choosing among them, so that none is an activation; they have no rules."""

# --- normalisation ---------------------------------------------------------------------------------------------------------

BATCH_NORMALISATIONS: Category = (F.batch_norm, torch.batch_norm)
NATIVE_BATCH_NORM = ("input", "weight", "bias", "running_mean", "running_var", "training", "momentum", "eps", "cudnn_enabled")
"""The arguments of `torch.batch_norm`, in their order, which is not that of `F.batch_norm`."""
INSTANCE_NORMALISATIONS: Category = (F.instance_norm,)
CENTRED_NORMALISATIONS: Category = (F.layer_norm, F.group_norm, *INSTANCE_NORMALISATIONS)
"""(x − mean) / spread, both of the sample's own values."""
SCALED_NORMALISATIONS: Category = (F.rms_norm, F.normalize, F.local_response_norm)
"""x / size, the size of the sample's own values."""
LAST_AXES_NORMALISATIONS: Category = (F.layer_norm, F.rms_norm)
"""Those over the last axes."""
SOFTMAXES: Category = (F.softmax, torch.softmax, T.softmax)
LOG_SOFTMAXES: Category = (torch.log_softmax, F.log_softmax, T.log_softmax)
GATED_LINEAR_UNITS: Category = (F.glu,)

# --- layers that come as one operation -------------------------------------------------------------------------------------

ATTENTIONS: Category = (F.scaled_dot_product_attention,)
MULTI_HEAD_ATTENTIONS: Category = (F.multi_head_attention_forward,)
RECURRENT_RELUS: Category = (torch.rnn_relu, torch.rnn_relu_cell)
RECURRENT_LAYERS: Category = (torch.lstm, torch.gru, torch.rnn_tanh, torch.rnn_relu)
RECURRENT_CELLS: Category = (torch.lstm_cell, torch.gru_cell, torch.rnn_tanh_cell, torch.rnn_relu_cell)

# --- shape operations: every value of the result is a copy of a value of an argument, or a constant ------------------------

CASTS: Category = (T.to, T.float, T.double, T.half, T.bfloat16, T.type_as, torch.as_tensor, torch.asarray)
CLONES: Category = (T.clone, torch.clone)
CONTIGUOUS: Category = (T.contiguous,)
DETACHED: Category = (T.detach,)
DROPOUTS: Category = (F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout)
"""In evaluation mode they give the tensor itself."""
PERMUTATIONS: Category = (torch.permute, T.permute)
SWAPS: Category = (torch.transpose, T.transpose, torch.swapaxes, T.swapaxes)
"""Two axes are swapped."""
RESHAPES: Category = (torch.reshape, T.reshape, T.view)
SPLITS: Category = (torch.split, T.split, torch.chunk, T.chunk, torch.unbind, T.unbind, torch.tensor_split, T.tensor_split)
NEW_AXES: Category = (torch.unsqueeze, T.unsqueeze)
INDEXING: Category = (T.__getitem__,)
INDEXED_WRITES: Category = (T.__setitem__,)
PADDING: Category = (F.pad,)
JOINS: Category = (torch.cat, torch.concat)
STACKS: Category = (torch.stack,)
VIEWS: Category = (
    *(*PERMUTATIONS, *SWAPS, *RESHAPES, *SPLITS, *NEW_AXES, *INDEXING),
    *(T.T.__get__, T.mT.__get__, T.t, torch.t, T.swapdims, torch.swapdims, T.movedim, torch.movedim),  # type: ignore[attr-defined]
    *(T.flatten, torch.flatten, T.ravel, torch.ravel, T.unflatten, torch.unflatten, T.view_as, T.reshape_as, T.squeeze),
    *(torch.squeeze, T.expand, T.expand_as, T.select, torch.select, T.narrow, torch.narrow, T.unfold),
)
"""Other shapes and strides for values in the same memory, or in a copy of it."""
EXACT_COPIES: Category = (
    *(*CASTS, *CLONES, *CONTIGUOUS, *DROPOUTS, *VIEWS, *PADDING, *JOINS, *STACKS, *SELECTIONS, *MASKED_FILLS),
    *(T.repeat, T.repeat_interleave, T.tile, torch.tile, T.flip, torch.flip, T.roll),
    *(torch.roll, torch.rot90, T.index_select, torch.index_select, T.gather),
    *(torch.gather, torch.hstack, torch.vstack, F.unfold, F.pixel_shuffle),
    *(F.pixel_unshuffle, F.channel_shuffle, T.requires_grad_),
)
"""The gradient of a copy is exact for relevance: it goes to the values that were copied. Views of the same memory, joins, and
selections by an index or a condition are copies in this sense, since they do no arithmetic."""
COPIES_BESIDE_CONSTANTS: Category = (
    *(*JOINS, *STACKS, *SELECTIONS, *MASKED_FILLS, *PADDING, *INDEXED_WRITES),
    *(torch.hstack, torch.vstack, F.unfold),
)
"""Copies whose result may also hold constants, such as class tokens, filled values and padding."""

# --- queries of a tensor that read no values -------------------------------------------------------------------------------

METADATA: frozenset[Function] = frozenset(
    (
        *(T.shape.__get__, T.ndim.__get__, T.dtype.__get__, T.device.__get__, T.layout.__get__, T.requires_grad.__get__),  # type: ignore[attr-defined]
        *(T.is_cuda.__get__, T.is_sparse.__get__, T.is_quantized.__get__, T.size, T.dim, T.numel, T.nelement, T.__len__),  # type: ignore[attr-defined]
        *(T.is_floating_point, torch.is_floating_point, T.is_complex, torch.is_complex, torch.numel, T.element_size),
        T.is_nested.__get__,  # type: ignore[attr-defined]
    )
)
"""Queries of shape, type and device, which read no values."""
MEMORY_LAYOUT: frozenset[Function] = frozenset((T.is_contiguous, T.stride))
"""Queries of how the values lie in memory."""
CONSTANTS_LIKE: Category = (
    *(torch.zeros_like, torch.ones_like, torch.empty_like, torch.full_like, torch.rand_like, torch.randn_like),
    *(T.new_zeros, T.new_ones, T.new_empty, T.new_full, T.new_tensor),
)
"""New tensors of the shape, type or device of another, of which they read no values."""

# --- in-place functions ----------------------------------------------------------------------------------------------------

OUT_OF_PLACE: Mapping[Function, Function] = {
    T.add_: T.add,
    T.__iadd__: T.add,
    T.sub_: T.sub,
    T.__isub__: T.sub,
    T.mul_: T.mul,
    T.__imul__: T.mul,
    T.div_: T.div,
    T.__itruediv__: T.div,
    T.relu_: T.relu,
    torch.relu_: torch.relu,
    T.sigmoid_: T.sigmoid,
    torch.sigmoid_: torch.sigmoid,
    T.tanh_: T.tanh,
    torch.tanh_: torch.tanh,
    T.clamp_: T.clamp,
    torch.clamp_: torch.clamp,
    T.clip_: T.clip,
    torch.clip_: torch.clip,
    torch.clamp_min_: torch.clamp_min,
    torch.clamp_max_: torch.clamp_max,
    T.clamp_min_: T.clamp_min,
    T.clamp_max_: T.clamp_max,
    F.leaky_relu_: F.leaky_relu,
    F.elu_: F.elu,
    F.selu_: F.selu,
    F.celu_: F.celu,
    F.hardtanh_: F.hardtanh,
}
"""In-place function → the function that computes the same values in a new tensor."""
SCATTERED_IN_PLACE: Mapping[Function, Function] = {
    T.index_add_: T.index_add,
    T.scatter_add_: T.scatter_add,
    T.scatter_reduce_: T.scatter_reduce,
    T.masked_fill_: T.masked_fill,
}
"""The same for functions that write at places which an index or a mask names."""


def with_in_place(category: Category) -> Category:
    """The functions of a category, followed by the in-place functions that compute the same values."""
    twins = (*OUT_OF_PLACE.items(), *SCATTERED_IN_PLACE.items())
    return (*category, *(in_place for in_place, twin in twins if twin in category))


def writes_in_place(func: Function) -> bool:
    """Whether a function changes its first argument in place, by torch's naming convention."""
    name = getattr(func, "__name__", "")
    return name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))


def overwrites(func: Function, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tensor | None:
    """The tensor that a call changes in place: its first argument, by its name or by `inplace=True`; None if it changes none."""
    writes = bool(args) and (writes_in_place(func) or kwargs.get("inplace") is True) and func is not T.requires_grad_
    return args[0] if writes and isinstance(args[0], Tensor) else None
