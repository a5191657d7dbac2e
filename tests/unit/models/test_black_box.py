"""A function in place of a network: what it is given, what it may return, and what is said of one that is wrong."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import heatproof as hp
from heatproof.core.errors import HeatproofError, ModelError, SettingsError, UsageError
from heatproof.methods import FeatureAblation, GradCam, KernelShap, Occlusion, Rise
from heatproof.models import Bounds, Model, Probability
from heatproof.passes.acceleration import accelerate
from heatproof.passes.network_checks import check_network
from tests.support.checking import shapes_checked

BOUNDS = Bounds.of(0, 1, channels=3)
ROWS = torch.rand(4, 3, generator=torch.Generator().manual_seed(0))
WEIGHTS = np.array([[1.0, -1.0], [2.0, 0.5], [0.0, 3.0]])


def logits(rows: Any) -> Any:
    """A linear function of a table; float64 for rows of float32, as of other libraries."""
    return np.asarray(rows, dtype=np.float64).reshape(len(rows), 3, -1).mean(2) @ WEIGHTS


def boxed(function: Callable[[Any], Any], **settings: Any) -> Model:
    return Model.of_function(function, BOUNDS, **{"version": "1", **settings})


def test_a_function_is_given_arrays_or_tensors_and_may_return_either() -> None:
    expected = torch.from_numpy(logits(ROWS.numpy())).float()
    weights = torch.from_numpy(WEIGHTS).float()
    for model, kind in (
        (boxed(logits), np.ndarray),
        (boxed(lambda rows: rows @ weights, arrays="tensor"), Tensor),
        (boxed(lambda rows: torch.from_numpy(rows) @ weights), Tensor),
    ):
        found = model.outputs(ROWS)
        assert found.dtype == torch.float32, kind
        assert torch.allclose(found, expected, atol=1e-6), kind


def test_a_single_output_may_be_a_vector_and_half_precision_is_widened() -> None:
    seen: list[np.dtype] = []

    def one(rows: Any) -> Any:
        seen.append(rows.dtype)
        return logits(rows)[:, 0].astype(rows.dtype)

    assert boxed(one).outputs(ROWS).shape == (4, 1)
    assert boxed(one).outputs(ROWS.bfloat16()).dtype == torch.bfloat16
    assert seen == [np.float32, np.float32]


def test_a_function_may_overwrite_and_keep_what_it_is_given() -> None:
    kept: list[Any] = []

    def overwriting(rows: Any) -> Any:
        found = logits(rows)
        rows[:] = 7
        kept.append(rows)
        return found

    rows = ROWS.clone()
    found = FeatureAblation(groups="pixels").attribute(boxed(overwriting), rows, 0)
    assert torch.equal(rows, ROWS)
    assert torch.equal(found.values, FeatureAblation(groups="pixels").attribute(boxed(logits), ROWS, 0).values)
    assert all((each == 7).all() for each in kept)


def test_it_is_named_and_told_apart_by_its_version() -> None:
    model = boxed(logits, version="forest 3")
    assert repr(model) == "Model(logits: a function, version 'forest 3', 3 input channels, explains logit)"
    assert model.digest == boxed(logits, version="forest 3").digest != boxed(logits, version="forest 4").digest
    assert (model.black_box, model.incremental, model.chunk) == (True, False, 64)
    assert not Model(torch.nn.Linear(3, 2), BOUNDS).black_box
    assert pickle.loads(pickle.dumps(model)).digest == model.digest


def test_calls_are_no_larger_than_a_chunk() -> None:
    sizes: list[int] = []

    def counting(rows: Any) -> Any:
        sizes.append(len(rows))
        return logits(rows)

    Rise(samples=40).attribute(boxed(counting, chunk=7), ROWS, 0)
    assert max(sizes) == 7


def test_probabilities_are_recognised() -> None:
    def probabilities(rows: Any) -> Any:
        powers = np.exp(logits(rows))
        return powers / powers.sum(1, keepdims=True)

    model = boxed(probabilities, output=Probability())
    found = FeatureAblation(groups="pixels").attribute(model, ROWS, 0)
    assert torch.allclose(found.expected_sum + model.outputs(torch.zeros(1, 3))[0, 0], model.outputs(ROWS)[:, 0], atol=1e-6)


def test_kernel_shap_of_a_linear_function_is_its_terms() -> None:
    found = KernelShap(groups="pixels", fill="black").attribute(boxed(logits), ROWS, [0, 1, 0, 1]).values
    assert torch.allclose(found, ROWS * torch.from_numpy(WEIGHTS).float().T[[0, 1, 0, 1]], atol=1e-5)


# --- what is wrong is said -------------------------------------------------------------------------------------------------


def with_nan(rows: Any) -> Any:
    found = logits(rows)
    found[rows[:, 0] > 0.99] = np.nan
    return found


def raising(rows: Any) -> Any:
    if (rows[:, 0] > 0.99).any():
        raise ValueError("no such\ncustomer")
    return logits(rows)


def raising_together(rows: Any) -> Any:
    if len(rows) > 1:
        raise TypeError("one at a time, please")
    return logits(rows)


WRONG: dict[str, tuple[Callable[[Any], Any], str]] = {
    "NaN": (with_nan, r"with_nan: expected an array .* \[64, k\], one row for each input, got NaN in row 37; mend"),
    "raises on row 37": (
        raising,
        r"raising: expected outputs for row 37 of a call with 64 inputs \[3\], got ValueError: no such customer; mend",
    ),
    "raises for several": (raising_together, r"got TypeError: one at a time, please, and no row fails alone; .* chunk=1"),
    "a wrong shape": (lambda rows: np.float64(3), r"\[64, k\], one row for each input, got \[\]; return one row"),
    "another number of rows": (lambda rows: logits(rows)[:-1], r"got \[63, 2\]; return one row for each input"),
    "another type": (lambda rows: "ill", r"got str; return the array itself"),
    "a list": (lambda rows: [logits(rows)], r"got list; return the array itself"),
    "nothing": (lambda rows: None, r"got NoneType"),
    "objects": (lambda rows: np.array([object()] * len(rows)), r"got ndarray"),
    "classes": (lambda rows: logits(rows).argmax(1), r"got torch.int64; return scores or probabilities, such as predict_proba"),
    "pixels": (lambda rows: logits(rows)[:, :, None], r"expected one row of outputs for each image, \[64, k\], got \[64, 2, 1\]"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_a_function_does_wrong_is_said_in_one_line(wrong: str) -> None:
    function, words = WRONG[wrong]
    rows = torch.full((64, 3), 0.5)
    rows[37, 0] = 1.0
    with pytest.raises(ModelError, match=words) as error:
        boxed(function).outputs(rows)
    assert "\n" not in str(error.value)


def test_another_number_of_outputs_than_before_is_refused() -> None:
    model = boxed(lambda rows: logits(rows)[:, : 1 + (len(rows) > 1)])
    model.outputs(ROWS)
    with pytest.raises(ModelError, match=r"with k = 2 as before, got \[1, 1\]"):
        model.outputs(ROWS[:1])


def test_a_function_that_depends_on_other_rows_or_calls_is_refused() -> None:
    calls: list[int] = []

    def counting(rows: Any) -> Any:
        calls.append(1)
        return logits(rows) + len(calls)

    for function, words in (
        (lambda rows: logits(rows) - logits(rows).mean(0), "do not depend on the other images of its batch"),
        (counting, "expected the same outputs whenever an image passes.*state from one call to the next"),
    ):
        with pytest.raises(ModelError, match=words):
            Occlusion(window=1, stride=1).attribute(boxed(function), ROWS, 0)


def test_settings_that_mean_nothing_are_refused() -> None:
    with pytest.raises(UsageError, match=r"version: expected words for what the function computes, got ''; .* write version="):
        boxed(logits, version="")
    with shapes_checked(False), pytest.raises(UsageError, match=r"function: expected a callable .*, got ndarray"):
        boxed(WEIGHTS)  # type: ignore[arg-type]
    with shapes_checked(False), pytest.raises(SettingsError, match="arrays: expected numpy or tensor, got 'jax'"):
        boxed(logits, arrays="jax")
    with pytest.raises(SettingsError, match="incremental: expected False, since logits is a function of whole inputs"):
        boxed(logits).with_(incremental=True)


def test_gradients_are_refused_where_no_method_asks_for_them() -> None:
    with pytest.raises(ModelError, match="logits: expected a network that gradients can pass, got a function"):
        check_network(boxed(logits), ROWS, gradients=True)
    with pytest.raises(ModelError, match="grad_cam: expected a network that gradients can pass, got logits, a function"):
        GradCam().on_grid(boxed(logits), torch.rand(2, 3, 4, 4))


def test_nothing_is_accelerated() -> None:
    model = boxed(logits)
    found, measured = accelerate(model, ROWS, "fast")
    assert found is model
    assert measured.plan.label == "plain"


# --- in a run --------------------------------------------------------------------------------------------------------------

IMAGES = torch.rand(3, 3, 6, 6, generator=torch.Generator().manual_seed(1))
METHODS = [Occlusion(window=3, stride=3), "random_map"]


def test_a_run_judges_methods_on_a_function(tmp_path: Path) -> None:
    run = hp.run(model=boxed(logits), data=IMAGES, methods=METHODS, metrics=["pixel_flipping,steps=3", "sparseness"], out=tmp_path)
    assert run.scores().num_rows == 2 * 2 * 3


def test_a_run_names_a_function_by_the_import_path_of_what_makes_its_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "service.py").write_text(
        "from heatproof.models import Bounds, Model\n\n\n"
        "def ask(images):\n    return images.mean((2, 3))\n\n\n"
        "def build():\n    return Model.of_function(ask, Bounds.of(0, 1, channels=3), version='1')\n"
    )
    monkeypatch.chdir(tmp_path)
    run = hp.run(model="service:build", data=IMAGES, methods=METHODS, metrics=["sparseness"], out=tmp_path / "run")
    assert run.scores().num_rows == 2 * 3


def test_a_function_that_other_processes_cannot_import_is_refused_before_they_start(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"methods": METHODS, "metrics": ["sparseness"], "executor": "local"}
    words = r'executor="local": expected objects .* <lambda> cannot be pickled .* use executor="serial", or name it by an import'
    with pytest.raises(UsageError, match=words) as error:
        hp.run(model=boxed(lambda rows: logits(rows)), data=IMAGES, out=tmp_path / "run", **settings)
    assert "\n" not in str(error.value)


def test_a_run_on_a_function_that_fails_says_so_and_writes_no_half_unit(tmp_path: Path) -> None:
    calls: list[int] = []

    def failing(rows: Any) -> Any:
        calls.append(len(rows))
        return logits(rows) * (np.nan if len(calls) > 12 else 1)

    settings: dict[str, Any] = {"methods": [Rise(samples=300)], "metrics": ["sparseness"], "precision": "plain"}
    with pytest.raises(HeatproofError):
        hp.run(model=boxed(failing), data=IMAGES, out=tmp_path / "run", **settings)
    assert not [*(tmp_path / "run").rglob("*.parquet")]


def test_the_default_methods_of_a_function_need_outputs_only() -> None:
    from heatproof.pipeline.defaults import default_methods

    found = [settings["name"] for settings in default_methods(boxed(logits), IMAGES[:1])]
    assert found == ["occlusion", "rise", "kernel_shap", "random_map", "edge_map"]
