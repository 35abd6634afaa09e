"""Training: that it learns, is the same again, goes on after a kill, and refuses bad data."""

import csv
import os
import signal

import numpy as np
import pytest
import torch
from fields import turbulent
from networks import fitted, grid_of, learnable, predict, setting, square, vorticity

from pytbl import Grid
from pytbl.errors import InputError, Interrupted
from pytbl.nn import MeanSquare, PeriodicCNN, TransferConstrained, artifact, losses, train
from pytbl.nn.augment import augment, transform
from pytbl.nn.data import Samples, Statistics

#: Of the prediction with the truth, after the few epochs of `RECIPE`.
LEARNED = 0.9
RECIPE = {"epochs": 4, "batch": 4, "learning_rate": 3e-3, "schedule": "cosine"}


def small(**config):
    return PeriodicCNN(**{"width": 8, "depth": 2, "kernel": 5} | config)


def samples(count=12, of=None, **options):
    return learnable(of or setting(), count, **options)


def run(model=None, data=None, **options):
    data = data if data is not None else samples()
    arguments = {"validation": samples(6, rng=2), **RECIPE, **options}
    return train(model or small(), data, **arguments)


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# --------------------------------------------------------------------------------------- learns ---


@pytest.mark.parametrize("config", [{}, {"output": "stress"}, {"inputs": ("u", "v")}])
def test_it_learns_a_local_operator(config):
    data = samples(64)
    result = run(small(**config), data, epochs=15)
    assert result.history[-1]["training_loss"] < 0.2 * result.history[0]["training_loss"]
    fresh = samples(6, rng=3)  # neither trained on nor validated with
    omega, pi = (fresh.read(name, range(6)) for name in ("omega", "pi"))
    assert np.corrcoef(predict(result.model, omega).ravel(), pi.ravel())[0, 1] > LEARNED
    assert result.history[-1]["validation_correlation"] > LEARNED


def test_the_best_epoch_is_kept_beside_the_last():
    result = run(learning_rate=0.03, epochs=6, schedule=None)
    lows = [row["validation_loss"] for row in result.history]
    assert result.best_epoch == 1 + int(np.argmin(lows))
    assert same(result.model.state_dict(), result.best)
    assert same(result.best, result.last) == (result.best_epoch == 6)


def test_it_stops_when_it_no_longer_gets_better():
    worse = run(learning_rate=0.5, schedule=None, epochs=50, patience=2)
    assert len(worse.history) == worse.best_epoch + 2 < 50


def test_a_network_keeps_its_normalisation_when_trained_further():
    first = run()
    mean, scale = first.model.input_deviation.clone(), first.model.output_scale.clone()
    other = samples(12, rng=5)
    other._fields = {name: 2 * field for name, field in other._fields.items()}
    again = run(first.model, other)
    assert torch.equal(again.model.input_deviation, mean)
    assert torch.equal(again.model.output_scale, scale)


def test_frozen_tensors_do_not_change():
    model = small(depth=3)
    for layer in (model.layers[0], model.layers[2]):
        layer.requires_grad_(False)
    before = {name: value.clone() for name, value in model.named_parameters()}
    after = dict(run(model, optimiser="adamw", weight_decay=0.1).model.named_parameters())
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"layers.1.weight", "layers.1.bias"}
    model.requires_grad_(False)
    with pytest.raises(InputError, match="no parameters to train"):
        run(model)


# --------------------------------------------------------------------------------- the same again -


def test_a_seed_decides_everything():
    one, two, other = (run(augment=["reflections"], rng=rng) for rng in (1, 1, 2))
    assert same(one.last, two.last)
    assert not same(one.last, other.last)


def test_streaming_gives_the_same_weights():
    assert same(run(memory_limit=0).last, run().last)


class Killing(MeanSquare):
    """Raises, or sends a signal, at a given call."""

    def __init__(self, at, number=None):
        self.at, self.number = at, number

    def __repr__(self):
        return "MeanSquare()"

    def __call__(self, *arguments):
        self.at -= 1
        if self.at == 0 and self.number is None:
            raise KeyboardInterrupt
        if self.at == 0:
            os.kill(os.getpid(), self.number)
        return super().__call__(*arguments)


OPTIONS = {"augment": ["reflections"], "optimiser": "adamw", "weight_decay": 0.01}


def test_a_killed_training_goes_on_to_the_same_weights(tmp_path):
    whole = run(**OPTIONS)
    with pytest.raises(KeyboardInterrupt):  # in the third epoch: 3 steps and a validation in each
        run(out=tmp_path, loss=Killing(10), **OPTIONS)
    started = small()
    torch.nn.init.zeros_(started.layers[0].weight)  # a start that is not made use of
    resumed = run(started, out=tmp_path, resume=True, **OPTIONS)
    assert same(resumed.last, whole.last)
    assert same(resumed.best, whole.best)
    losses = [[row["training_loss"] for row in r.history] for r in (resumed, whole)]
    assert losses[0] == losses[1]
    finished = run(out=tmp_path, resume=True, **OPTIONS)  # nothing is left to do
    assert same(finished.last, whole.last)


def test_a_signal_stops_a_training_politely(tmp_path):
    with pytest.raises(Interrupted, match=r"signal 15 in epoch 2; the state of epoch 1 is in"):
        run(out=tmp_path, loss=Killing(5, signal.SIGTERM), **OPTIONS)
    assert same(run(out=tmp_path, resume=True, **OPTIONS).last, run(**OPTIONS).last)


def test_a_longer_training_continues_a_shorter_one(tmp_path):
    run(out=tmp_path, epochs=2, schedule=None)
    longer = run(out=tmp_path, epochs=4, schedule=None, resume=True)
    assert same(longer.last, run(epochs=4, schedule=None).last)
    with open(tmp_path / "history.csv") as file:
        table = list(csv.DictReader(file))
    assert [float(row["validation_loss"]) for row in table] == [
        row["validation_loss"] for row in longer.history
    ]


def test_a_state_of_another_training_is_refused(tmp_path):
    run(out=tmp_path)
    with pytest.raises(InputError, match=r"training.pt is of an earlier training: name another"):
        run(out=tmp_path)
    with pytest.raises(InputError, match="learning_rate 0.003 in the file and 0.001 in the run"):
        run(out=tmp_path, resume=True, learning_rate=1e-3)
    with pytest.raises(InputError, match="model PeriodicCNN.*width=8.* and PeriodicCNN.*width=4"):
        run(small(width=4), out=tmp_path, resume=True)
    run(out=tmp_path, overwrite=True)
    path = tmp_path / "training.pt"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(InputError, match="training.pt is not a whole training state"):
        run(out=tmp_path, resume=True)


def test_closures_are_left_beside_the_state(tmp_path):
    result = run(out=tmp_path)
    omega = vorticity(setting(), 2, rng=8)
    best = artifact.load_model(tmp_path / "best.closure")
    np.testing.assert_array_equal(predict(best, omega), predict(result.model, omega))
    said = artifact.describe(tmp_path / "last.closure")["provenance"]
    assert (said["epochs"], said["rng"], said["samples"]) == (4, 0, 12)
    assert said["result"]["validation_loss"] == result.history[-1]["validation_loss"]


# ------------------------------------------------------------------------ losses and symmetries ---


def with_scales(loss, **scales):
    values = {"pi_square": 4.0, "enstrophy_transfer_square": 0.5, "energy_transfer_square": 0.25}
    loss.prepare(Statistics(torch.zeros(2), torch.ones(2), **values | scales))
    return loss


def plane_waves(of, amplitude):
    """omega = cos(2 x), and Pi some multiple of it: every mean is known."""
    x = torch.arange(of.nx, dtype=torch.float64) * (of.lx / of.nx)
    omega = torch.cos(2 * x).expand(1, of.ny, of.nx)
    return omega, amplitude * omega


def test_losses_against_closed_forms():
    of = setting()
    model = fitted(of).double()
    omega, pi = plane_waves(of, 1.0)
    prediction = 3 * omega  # the error is 2 cos(2 x): its mean square is 2
    assert float(with_scales(MeanSquare())(prediction, pi, omega, model)) == pytest.approx(0.5)
    # <omega (prediction - pi)> = 1, and psi = omega / 4
    enstrophy = with_scales(TransferConstrained(weight=0.1))
    assert float(enstrophy(prediction, pi, omega, model)) == pytest.approx(0.5 + 0.1 / 0.5)
    energy = with_scales(TransferConstrained(weight=0.1, quantity="energy"))
    assert float(energy(prediction, pi, omega, model)) == pytest.approx(0.5 + 0.1 / 16 / 0.25)


def test_the_constraint_sees_the_mean_transfer_only():
    of = setting()
    omega, pi = plane_waves(of, 1.0)
    orthogonal = pi + torch.sin(4 * torch.arange(of.nx) * (of.lx / of.nx))
    model = fitted(of).double()
    free = with_scales(MeanSquare())(orthogonal, pi, omega, model)
    constrained = with_scales(TransferConstrained(weight=100.0))(orthogonal, pi, omega, model)
    assert float(constrained) == pytest.approx(float(free))


def test_a_prediction_of_zero_costs_one():
    data = samples(4)
    model = fitted(setting())
    loss = TransferConstrained(weight=0.0)
    loss.prepare(Samples(data, "samples", memory_limit=0).statistics(model))
    omega, pi = (torch.from_numpy(data.read(name, range(4))) for name in ("omega", "pi"))
    assert float(loss(torch.zeros_like(pi), pi, omega, model)) == pytest.approx(1, rel=1e-5)
    loss.weight = 1.0
    assert float(loss(torch.zeros_like(pi), pi, omega, model)) == pytest.approx(2, rel=1e-5)


def test_correlation_is_blind_to_gain_and_offset():
    a = torch.from_numpy(vorticity(setting(), 3))
    np.testing.assert_allclose(losses.correlation(3 * a + 2, a), 1)
    np.testing.assert_allclose(losses.correlation(-a, a), -1)
    assert losses.correlation(torch.ones_like(a), a).tolist() == [0, 0, 0]


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_advection_has_the_symmetries_of_augmentation(turns, mirrored):
    grid = Grid(24, 24, reproducible=True)
    omega_hat = turbulent(grid)

    def changed(hat):
        return transform(torch.from_numpy(grid.to_physical(hat)), turns, mirrored)

    before = changed(grid.nonlinear_term(omega_hat))
    after = grid.to_physical(grid.nonlinear_term(grid.to_spectral(changed(omega_hat).numpy())))
    np.testing.assert_allclose(after, before, atol=1e-12 * float(before.abs().max()))


def test_symmetries_form_a_group():
    field = torch.from_numpy(vorticity(square(), 2))
    assert torch.equal(transform(transform(field, 0, True), 0, True), field)
    assert torch.equal(transform(transform(field, 1, False), 3, False), field)
    seen = {tuple(transform(field, t, m).flatten().tolist()) for t in range(4) for m in (0, 1)}
    assert len(seen) == 8


def test_fields_of_a_sample_are_augmented_alike():
    field = torch.from_numpy(vorticity(square(), 64))
    one, double = augment([field, 2 * field], ["rotations"], np.random.default_rng(1))
    assert torch.equal(double, 2 * one)
    turns = [
        {t for t in range(4) if torch.equal(transform(f, t, False), g)}
        for f, g in zip(field, one, strict=True)
    ]
    assert set.union(*turns) == {0, 1, 2, 3}
    (same_field,) = augment([field], [], np.random.default_rng(1))
    assert torch.equal(same_field, field)


# ------------------------------------------------------------------------------------ bad input ---


def test_data_that_do_not_fit():
    with pytest.raises(
        InputError,
        match="validation data does not fit the training data: exp"
        "ected pi_sign pi is added.*, got pi is subtracted",
    ):
        run(validation=samples(2, pi_sign="pi is subtracted"))
    trained = run().model
    with pytest.raises(
        InputError, match="the training data does not fit the network: expected nx 24, got 32"
    ):
        run(trained, samples(of=setting(32)), validation=None)
    with pytest.raises(InputError, match="expected filter gaussian, got box"):
        run(trained, samples(of=setting(filter="box")), validation=None)
    with pytest.raises(InputError, match="expected filter_ratio 2.0, got 1.0"):
        run(trained, samples(of=setting(filter_ratio=1.0)), validation=None)
    with pytest.raises(InputError, match="modes of dealias '3/2', and the data have dealias '2/3'"):
        run(data=samples(of=setting(dealias="2/3")), validation=None)


@pytest.mark.parametrize("memory_limit", [0, 1 << 30])
@pytest.mark.parametrize("name", ["omega", "pi"])
def test_samples_that_are_not_finite(name, memory_limit):
    data = samples(6)
    data._fields[name][4, 2, 3] = np.nan
    with pytest.raises(InputError, match=f"the training data: {name} of sample 4 is not finite"):
        run(data=data, memory_limit=memory_limit)


def test_a_training_that_diverges():
    with pytest.raises(InputError, match=r"diverged in epoch \d+: lower the learning rate"):
        run(learning_rate=1e30, schedule=None, epochs=20)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be an integer >= 1, got 0"),
        ({"learning_rate": -1.0}, "learning_rate must be a finite number > 0, got -1"),
        ({"optimiser": "sgd"}, "optimiser must be 'adam' or 'adamw', got 'sgd'"),
        ({"schedule": "step"}, "schedule must be None or 'cosine', got 'step'"),
        ({"loss": "mae"}, "unknown loss 'mae': expected one of mse, transfer"),
        ({"loss": TransferConstrained, "weight": -1}, "weight of a loss must be a finite number"),
        ({"augment": ["shifts"]}, "augment must be among rotations, reflections, got 'shifts'"),
        ({"augment": "rotations"}, "augment 'rotations' needs a square grid"),
        ({"device": "gpu"}, "device must be 'cpu' or 'cuda', got 'gpu'"),
        ({"threads": 0}, "threads must be an integer >= 1, got 0"),
        ({"patience": 0}, "patience must be an integer >= 1, got 0"),
        ({"resume": True}, "need a folder: give out"),
        ({"validation": 3}, "data must be paths of datasets, or samples, got int"),
    ],
)
def test_mistakes(options, message):
    with pytest.raises(InputError, match=message):
        if "weight" in options:
            options = {"loss": options["loss"](weight=options["weight"])}
        run(**options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there():
    with pytest.raises(InputError, match="device 'cuda' was asked for, and torch .* finds none"):
        run(device="cuda")


def test_threads_are_given_back():
    before = torch.get_num_threads()
    run(threads=before + 1, epochs=1)
    assert torch.get_num_threads() == before


def test_mixed_precision_stays_close():
    exact, mixed = run(epochs=1), run(epochs=1, mixed_precision=True)
    one, two = (r.history[0]["training_loss"] for r in (exact, mixed))
    assert one != two
    assert one == pytest.approx(two, rel=0.05)


def test_the_grid_of_the_samples_is_the_networks():
    of = setting()
    result = run()
    assert result.model.setting == of
    np.testing.assert_allclose(result.model.spectral.lengths, [grid_of(of).lx, grid_of(of).ly])
