from functools import partial

import pytest
import torch
from torch import nn

from heatproof.core.errors import ModelError, SettingsError, TensorError
from heatproof.core.seeds import derive, seed_of
from heatproof.core.settings import Settings
from heatproof.training import TrainingConfig, fit

QUICK = TrainingConfig(epochs=3, batch_size=8, learning_rate=0.01)


def examples(n=24):
    """Two classes that the sign of the first value tells apart."""
    images = torch.randn(n, 1, 2, 3, generator=torch.Generator().manual_seed(0))
    return images, (images[:, 0, 0, 0] > 0).long()


def network(*extra):
    module = nn.Sequential(nn.Flatten(), nn.Linear(6, 8), nn.ReLU(), *extra, nn.Linear(8, 2))
    chance = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=chance) / 3)
    return module


def trained(config=QUICK, *extra, seed=0):
    """All parameters after training, in one row."""
    module = network(*extra)
    fit(module, *examples(), config, seed=seed)
    return torch.cat([p.detach().flatten() for p in module.parameters()])


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_what_can_be_told_apart_is_learnt(optimiser):
    fitted = fit(network(), *examples(), TrainingConfig(epochs=60, batch_size=8, learning_rate=0.05, optimiser=optimiser), seed=0)
    assert fitted.accuracy == 1
    assert fitted.losses[-1] < fitted.losses[0] / 4
    assert len(fitted.losses) == len(fitted.accuracies) == 60


def test_one_step_of_sgd_follows_the_gradient_of_the_mean_cross_entropy():
    module, (images, labels), rate = network(), examples(), 0.5
    before = [p.detach().clone() for p in module.parameters()]
    logits = module(images)
    loss = (logits.logsumexp(1) - logits[torch.arange(len(labels)), labels]).mean()
    gradients = torch.autograd.grad(loss, list(module.parameters()))
    config = TrainingConfig(epochs=1, batch_size=len(images), learning_rate=rate, optimiser="sgd", weight_decay=0.1)
    fitted = fit(module, images, labels, config, seed=0)
    for parameter, old, gradient in zip(module.parameters(), before, gradients, strict=True):
        torch.testing.assert_close(parameter.detach(), old - rate * (gradient + 0.1 * old))
    assert fitted.losses == pytest.approx([loss.item()])


def test_the_rate_falls_linearly_or_stays():
    """Steps of gradient descent on one batch, by hand."""
    images, labels = examples()
    for schedule, rates in (("linear", (0.3, 0.2, 0.1)), ("constant", (0.3, 0.3, 0.3))):
        module, twin = (nn.Sequential(nn.Flatten(), nn.Linear(6, 2)) for _ in range(2))
        twin.load_state_dict(module.state_dict())
        config = TrainingConfig(epochs=3, batch_size=24, learning_rate=0.3, schedule=schedule, optimiser="sgd")
        fit(module, images, labels, config, seed=0)
        velocity = [torch.zeros_like(p) for p in twin.parameters()]
        for rate in rates:
            loss = nn.functional.cross_entropy(twin(images), labels)
            gradients = torch.autograd.grad(loss, list(twin.parameters()))
            velocity = [0.9 * v + g for v, g in zip(velocity, gradients, strict=True)]
            with torch.no_grad():
                for parameter, v in zip(twin.parameters(), velocity, strict=True):
                    parameter.sub_(rate * v)
        torch.testing.assert_close(module.state_dict(), twin.state_dict())


@pytest.mark.parametrize("extra", [(), (nn.Dropout(0.5),)], ids=["plain", "dropout"])
def test_equal_seeds_give_equal_weights_whatever_the_global_generator(extra):
    torch.manual_seed(1)
    first = trained(QUICK, *extra)
    torch.manual_seed(2)
    assert torch.equal(trained(QUICK, *extra), first)
    assert not torch.equal(trained(QUICK, *extra, seed=1), first)


def test_the_global_generator_is_left_as_it_was():
    module = network(nn.Dropout(0.5))
    before = torch.get_rng_state()
    fit(module, *examples(), TrainingConfig(epochs=1, batch_size=8, noise=0.1), seed=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_every_example_is_met_once_an_epoch_with_one_sided_noise():
    met = []
    module = network()
    module.register_forward_pre_hook(lambda part, inputs: met.append(inputs[0].detach().clone()) if part.training else None)
    images, labels = torch.arange(24.0).view(24, 1, 1, 1).expand(24, 1, 2, 3), examples()[1]
    fit(module, images, labels, TrainingConfig(epochs=2, batch_size=7, noise=0.5), seed=0)
    assert [len(batch) for batch in met] == [7, 7, 7, 3] * 2
    for epoch in (torch.cat(met[:4]), torch.cat(met[4:])):
        ordered = epoch[epoch[:, 0, 0, 0].argsort()]
        noise = ordered - images
        assert noise.min() >= 0
        assert 0.45 < noise.max() < 0.5
        assert not torch.equal(epoch, ordered)
    assert not torch.equal(met[0], met[4])


@pytest.mark.parametrize(
    "field",
    [
        {"epochs": 4},
        {"batch_size": 6},
        {"learning_rate": 0.02},
        {"schedule": "constant"},
        {"optimiser": "sgd"},
        {"weight_decay": 0.1},
        {"noise": 0.1},
    ],
)
def test_every_setting_matters(field):
    assert not torch.equal(trained(QUICK.model_copy(update=field)), trained())


def test_the_module_is_left_in_eval_mode_without_gradients():
    module = network(nn.Dropout(0.5)).train()
    with torch.no_grad():
        fit(module, *examples(), QUICK, seed=0)
    assert not any(part.training for part in module.modules())
    assert all(p.grad is None for p in module.parameters())


def test_a_loss_that_is_not_finite_is_refused_and_the_module_left_in_eval_mode():
    module = network().train()
    images, labels = examples()
    with pytest.raises(
        ModelError, match=r"epoch \d of 9: expected a finite loss, got .*; lower the learning rate, which is 1e\+30"
    ):
        fit(module, images, labels, TrainingConfig(epochs=9, batch_size=8, learning_rate=1e30, optimiser="sgd"), seed=0)
    assert not module.training


@pytest.mark.parametrize("wrong", [2, -1])
def test_a_label_that_is_no_output_is_refused(wrong):
    images, labels = examples()
    labels[5] = wrong
    with pytest.raises(TensorError, match="labels: expected 0 to k − 1"):
        fit(network(), images, labels, QUICK, seed=0)


def test_there_must_be_examples_and_something_to_train():
    images, labels = examples()
    with pytest.raises(TensorError, match="at least one example"):
        fit(network(), images[:0], labels[:0], QUICK, seed=0)
    with pytest.raises(ModelError, match="parameters that take a gradient"):
        fit(network().requires_grad_(False), images, labels, QUICK, seed=0)


@pytest.mark.parametrize(
    "field", [{"epochs": 0}, {"batch_size": 0}, {"learning_rate": 0}, {"optimiser": "lion"}, {"noise": -1}], ids=str
)
def test_impossible_settings_are_refused(field):
    with pytest.raises(SettingsError, match=next(iter(field))):
        TrainingConfig(**field)


def test_settings_survive_a_round_trip():
    config = TrainingConfig(epochs=3, noise=0.5)
    assert TrainingConfig.from_dict(config.to_dict()) == config
    assert isinstance(config, Settings)


def one_output():
    module = nn.Sequential(nn.Flatten(), nn.Linear(6, 1))
    nn.init.zeros_(module[1].weight)
    return module


def test_one_output_is_trained_as_the_log_odds_of_class_1():
    images, labels = examples()
    module = one_output()
    fitted = fit(module, images, labels, TrainingConfig(epochs=60, batch_size=8, learning_rate=0.1), seed=0)
    assert fitted.accuracy == fitted.accuracies[-1] == 1
    assert torch.equal(module(images)[:, 0] > 0, labels == 1)
    with pytest.raises(TensorError, match="got 0 to 2 for outputs"):
        fit(one_output(), images, labels + (labels == 1), QUICK, seed=0)


def test_floating_point_labels_are_a_quantity_that_is_learnt_by_squares():
    images, _ = examples()
    quantity = 3 * images[:, 0, 0, 0] - images[:, 0, 1, 2]
    module = one_output()
    fitted = fit(module, images, quantity, TrainingConfig(epochs=150, batch_size=8, learning_rate=0.1), seed=0)
    residual = (module(images)[:, 0] - quantity).detach().double()
    explained = 1 - float(residual.square().mean() / quantity.double().var(correction=0))
    assert fitted.accuracy == pytest.approx(explained)
    assert fitted.accuracy > 0.99 > fitted.accuracies[0]


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_quantity_needs_one_output_and_finite_numbers(outputs):
    images, _ = examples()
    quantity = torch.full((24,), torch.nan if outputs == 1 else 1.0)
    with pytest.raises(TensorError, match="expected a network with one output for a quantity, and finite numbers"):
        fit(nn.Sequential(nn.Flatten(), nn.Linear(6, outputs)), images, quantity, QUICK, seed=0)


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_a_step_is_one_of_torch_and_imports_no_compiler(optimiser, monkeypatch):
    config = TrainingConfig(epochs=2, batch_size=24, learning_rate=0.1, optimiser=optimiser, weight_decay=0.1)
    module, images, labels = network(), *examples()
    theirs = torch.optim.Adam if optimiser == "adam" else partial(torch.optim.SGD, momentum=0.9)
    steps = theirs(module.parameters(), 0.1, weight_decay=0.1)
    order = torch.Generator().manual_seed(seed_of(derive("training", "order", 0)))
    for rate in (0.1, 0.05):
        steps.param_groups[0]["lr"] = rate
        shuffled = torch.randperm(24, generator=order)
        module.zero_grad()
        nn.functional.cross_entropy(module(images[shuffled]), labels[shuffled]).backward()
        steps.step()
    monkeypatch.setattr(torch.optim.Optimizer, "__init__", None)  # it imports torch._dynamo
    assert torch.equal(trained(config), torch.cat([p.detach().flatten() for p in module.parameters()]))
