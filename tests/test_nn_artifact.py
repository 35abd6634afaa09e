"""The file of a closure: it gives back the network, and what was done to it is noticed."""

import hashlib
import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import fitted, grid_of, predict, setting, square, vorticity
from tolerances import ROUNDING_SINGLE

from pytbl.errors import InputError
from pytbl.nn import CNNClosure, PeriodicCNN, artifact, export

CONFIGS = [
    {},
    {"output": "stress", "inputs": ("u", "v")},
    {"symmetry": "p4"},
    {"padding": "zeros", "normalisation": "snapshot"},
]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """An artefact without programs, which take a second to make."""
    path = tmp_path_factory.mktemp("saved") / "small.closure"
    return artifact.save(fitted(setting()), path, provenance={"rng": 3}, programs=())


def rewritten(saved, path, change, *, seal=True):
    """A copy of which `change` has edited the members, and made the checksums right again."""
    with zipfile.ZipFile(saved) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    description = json.loads(members["description.json"])
    change(members, description)
    if seal:
        sums = {n: hashlib.sha256(members[n]).hexdigest() for n in description["checksums"]}
        description["checksums"] = sums
    members["description.json"] = json.dumps(description).encode()
    if seal:
        members["seal"] = hashlib.sha256(members["description.json"]).hexdigest().encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("config", CONFIGS)
def test_the_file_gives_back_the_network(config, tmp_path):
    of = square()
    model, unseen = fitted(of, **config), vorticity(of, 3, rng=7)
    path = artifact.save(model, tmp_path / "a.closure")
    loaded = artifact.load_model(path)
    assert loaded.config == model.config
    assert loaded.setting == of
    np.testing.assert_array_equal(predict(loaded, unseen), predict(model, unseen))
    members = artifact.read(path)
    for name in export.PROGRAMS:
        batch = torch.from_numpy(unseen).float()
        got = export.run(name, members[name], batch).numpy()
        largest = np.abs(predict(model, unseen)).max()
        np.testing.assert_allclose(got, predict(model, unseen), atol=ROUNDING_SINGLE * largest)


def test_a_program_can_be_taken_out(tmp_path):
    path = artifact.save(fitted(setting()), tmp_path / "a.closure", programs=["network.ts"])
    export.extract(path, "network.ts", tmp_path / "network.ts")
    assert (tmp_path / "network.ts").read_bytes() == artifact.read(path)["network.ts"]


def test_double_precision_survives(tmp_path):
    model, unseen = fitted(setting()).double(), vorticity(setting(), 1, rng=7)
    loaded = artifact.load_model(artifact.save(model, tmp_path / "a.closure", programs=()))
    np.testing.assert_array_equal(predict(loaded, unseen), predict(model, unseen))


def test_the_description_says_what_it_is(saved):
    said = artifact.describe(saved)
    assert said["setting"] == setting().to_dict()
    assert (said["parameters"], said["receptive_field"]) == (408 + 1608 + 201, 13)
    assert said["provenance"] == {"rng": 3}
    assert said["normalisation"]["rule"] == "dataset"
    text = artifact.text(saved)
    for line in ("setting.filter = gaussian", "setting.nx = 24", "model.width = 8"):
        assert line in text.splitlines()


def test_saving_leaves_the_network_alone(tmp_path):
    model = fitted(setting()).train()
    artifact.save(model, tmp_path / "a.closure", programs=())
    assert model.training
    assert [path.name for path in tmp_path.iterdir()] == ["a.closure"]
    with pytest.raises(InputError, match="a.closure cannot be written: No such file"):
        artifact.save(model, tmp_path / "nowhere" / "a.closure", programs=())
    with pytest.raises(InputError, match="train it before it is saved"):
        artifact.save(PeriodicCNN(8, 2, 3), tmp_path / "b.closure")


# ------------------------------------------------------------------------------------ tampering ---


@settings(max_examples=40, deadline=None)
@given(share=st.floats(0, 0.999))
def test_a_truncated_file(saved, tmp_path_factory, share):
    content = saved.read_bytes()
    path = tmp_path_factory.mktemp("cut") / "cut.closure"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match="cut.closure is not a whole closure"):
        artifact.read(path)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_changed_byte_is_noticed_or_does_not_matter(saved, tmp_path_factory, data):
    content = bytearray(saved.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path_factory.mktemp("flip") / "flip.closure"
    path.write_bytes(content)
    try:
        members = artifact.read(path)
    except InputError:
        return
    assert members == artifact.read(saved)  # in zip's own notes: a date, an attribute


def test_an_edited_member(saved, tmp_path):
    def edit(members, description):
        members["weights.npz"] = members["weights.npz"][:-1] + b"?"

    path = rewritten(saved, tmp_path / "edited.closure", edit, seal=False)
    with pytest.raises(InputError, match="edited or damaged: expected checksum .*, got"):
        artifact.load_model(path)

    def promise(members, description):
        description["setting"]["filter"] = "box"

    path = rewritten(saved, tmp_path / "edited.closure", promise, seal=False)
    with pytest.raises(InputError, match="edited or damaged: .* of description.json"):
        artifact.load_model(path)


def test_other_weights_fail_the_stored_test(saved, tmp_path):
    def edit(members, description):
        with np.load(io.BytesIO(members["weights.npz"])) as archive:
            arrays = {name: archive[name] for name in archive.files}
        arrays["layers.1.weight"] *= 1.01
        stream = io.BytesIO()
        np.savez(stream, **arrays)
        members["weights.npz"] = stream.getvalue()

    path = rewritten(saved, tmp_path / "other.closure", edit)
    with pytest.raises(InputError, match=r"does not reproduce its test: expected .*, got"):
        artifact.load_model(path)


class Bomb:
    """What a pickle would execute."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle was executed",))


def test_no_pickle_is_executed(saved, tmp_path):
    def edit(members, description):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            header = io.BytesIO()
            np.lib.format.write_array_header_1_0(
                header, {"descr": "|O", "fortran_order": False, "shape": ()}
            )
            archive.writestr("layers.0.weight.npy", header.getvalue() + pickle.dumps(Bomb()))
        members["weights.npz"] = stream.getvalue()

    path = rewritten(saved, tmp_path / "bomb.closure", edit)
    with pytest.raises(InputError, match="does not describe a network: Object arrays cannot be"):
        artifact.load_model(path)


def test_a_newer_format(saved, tmp_path):
    def edit(members, description):
        description |= {"format": 7, "version": "9.0"}

    path = rewritten(saved, tmp_path / "newer.closure", edit)
    with pytest.raises(InputError, match=r"has format 7, expected 1: it is of pytbl 9\.0, and"):
        artifact.load_model(path)


def test_other_files(tmp_path):
    text = tmp_path / "text.closure"
    text.write_text("not a zip archive")
    with pytest.raises(InputError, match="is not a whole closure: File is not a zip file"):
        artifact.load_model(text)
    with pytest.raises(InputError, match="is not a whole closure: No such file"):
        artifact.load_model(tmp_path / "none.closure")
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("description.json", "{}")
    with pytest.raises(InputError, match="is not a closure of pytbl"):
        artifact.load_model(other)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"nx": 32}, "expected nx 24, got 32"),
        ({"lx": 1.0}, "expected lx 6.28.*, got 1.0"),
        ({"dealias": "2/3"}, "expected dealias 3/2, got 2/3"),
    ],
)
def test_another_grid_is_refused(saved, other, message):
    with pytest.raises(InputError, match=f"the grid does not fit .*small.closure: {message}"):
        CNNClosure.load(saved, grid_of(setting(**other)))


def test_another_filter_is_refused(saved):
    closure = CNNClosure.load(saved, grid_of(setting()))
    closure.check_filter("gaussian", 2)
    with pytest.raises(InputError, match="expected filter gaussian, got box"):
        closure.check_filter("box", 2)
    with pytest.raises(InputError, match=r"expected filter_ratio 2\.0, got 1\.5"):
        closure.check_filter("gaussian", 1.5)


def test_a_file_names_no_place_of_the_machine_that_made_it(tmp_path):
    """Neither the description nor, deep inside, the programs."""
    path = artifact.save(fitted(setting()), tmp_path / "net.closure")

    def members(content, name):
        yield name, content
        if zipfile.is_zipfile(io.BytesIO(content)):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                for inner in archive.namelist():
                    yield from members(archive.read(inner), f"{name}/{inner}")

    here = [str(Path(artifact.__file__).parent), str(tmp_path), str(Path(torch.__file__).parent)]
    seen = list(members(path.read_bytes(), "net"))
    assert any(name.endswith("model.json") for name, _ in seen)  # it looked inside
    for name, content in seen:
        for place in here:
            assert place.encode() not in content, name
