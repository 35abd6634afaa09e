"""``pytbl train`` on a dataset of a run, and ``pytbl info`` on what it leaves."""

import numpy as np
import pytest
from networks import predict
from test_cli import pytbl

from pytbl import Dataset, Flow, Grid, Solver, filters, initial
from pytbl.errors import InputError
from pytbl.nn import CNNClosure, artifact
from pytbl.nn.config import TrainingFile
from pytbl.samples import Samples

TEXT = """
[model]
width = 4
depth = 2
kernel = 3
[data]
train = "train.h5"
validation = ["validation.h5"]
[loss]
kind = "transfer"
weight = 0.1
[train]
epochs = 2
batch = 4
learning_rate = 1e-3
augment = ["rotations", "reflections"]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two short runs, sampled."""
    folder = tmp_path_factory.mktemp("training")
    for seed, name in enumerate(("train.h5", "validation.h5")):
        grid = Grid(48, 48, reproducible=True)
        sim = Solver(grid, Flow(viscosity=1e-3), dt=2e-3)
        sim.set_vorticity(initial.random_spectrum(grid, k_peak=5, rng=seed))
        dataset = Dataset(folder / name, every=0.01, coarse=16, filter=filters.Gaussian(ratio=2))
        sim.run(until=0.1, outputs=[dataset])
    (folder / "training.toml").write_text(TEXT)
    return folder


def test_train_and_info(folder, tmp_path):
    done = pytbl("train", folder / "training.toml", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "epoch 2/2 loss" in done.stderr
    assert "samples/s ETA 0:00:00" in done.stderr
    assert f"wrote {tmp_path / 'best.closure'}, of epoch" in done.stderr
    said = pytbl("info", tmp_path / "best.closure").stdout
    assert "setting.filter = gaussian" in said
    assert "provenance.augment = ['rotations', 'reflections']" in said
    again = pytbl("train", folder / "training.toml", "--out", tmp_path)
    assert again.returncode == 2
    assert "of an earlier training: name another folder" in again.stderr
    done = pytbl("train", folder / "training.toml", "--out", tmp_path, "--resume")
    assert done.returncode == 0, done.stderr

    # what it left runs in an LES, and gives there what it gives offline
    grid = Grid(16, 16, dealias="3/2", reproducible=True)
    closure = CNNClosure.load(tmp_path / "best.closure", grid)
    omega = Samples(folder / "validation.h5").read("omega", [3])
    pi = grid.to_physical(closure.evaluate(grid, grid.to_spectral(omega[0])))
    expected = predict(artifact.load_model(tmp_path / "best.closure"), omega)[0]
    np.testing.assert_allclose(pi, expected, atol=1e-5 * np.abs(expected).max())


def test_a_network_is_trained_further(folder, tmp_path):
    TrainingFile.load(folder / "training.toml").run(folder, tmp_path)
    path = folder / "further.toml"
    path.write_text(f"""
        model.start = "{tmp_path / "best.closure"}"
        data.train = "train.h5"
        train.epochs = 1
    """)
    result = TrainingFile.load(path).run(folder, tmp_path / "further")
    first = artifact.load_model(tmp_path / "best.closure")
    assert result.model.parameter_count == first.parameter_count
    assert float(result.model.output_scale) == float(first.output_scale)
    path.write_text(path.read_text() + "model.width = 8\n")
    with pytest.raises(InputError, match="with start, the file says the rest: remove 'width'"):
        TrainingFile.load(path).run(folder, tmp_path / "other")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("width", "widht", "unknown [model] key 'widht' (did you mean 'width'?): expected one of"),
        ("[loss]", "[lost]", "unknown table or key 'lost' (did you mean 'loss'?)"),
        ("epochs = 2", "", "[train] key 'epochs' is missing"),
        ("width = 4", "width = 'a'", "[model] width: input should be a valid integer"),
        ("width = 4", "width = 0", "width must be an integer >= 1, got 0"),
        ('"transfer"', '"mse"', "[loss] kind 'mse' has no weight"),
        ('"transfer"', '"mae"', "unknown loss 'mae': expected one of mse, transfer"),
        ('"train.h5"', '"none.h5"', "none.h5 cannot be read: No such file"),
        ("[model]", "[model", "not TOML"),
    ],
)
def test_mistakes(folder, tmp_path, old, new, message):
    path = folder / "mistake.toml"
    path.write_text(TEXT.replace(old, new))
    with pytest.raises(InputError) as error:
        TrainingFile.load(path).run(folder, tmp_path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_mistake_is_one_line(folder, tmp_path):
    done = pytbl("train", folder / "none.toml")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"pytbl: the training file {folder / 'none.toml'} cannot be read: No such file or directory"
    ]
