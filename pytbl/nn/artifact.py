"""One file per closure: network, normalisation, grid, filter, sign, provenance, and a test.

A zip archive of

==================  ========================================================================
description.json    plain values, and a checksum of every other member
seal                the checksum of the description
weights.npz         weights and buffers
test.npz            a vorticity field, and the SGS term that the network makes of it
network.ts          the network for libtorch (TorchScript)
network.pt2         the network as a program of torch.export
==================  ========================================================================

Loading makes the network anew from description and weights; nothing in the file is executed.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .. import __version__
from .._revision import REVISION
from ..errors import InputError
from ..hdf5 import one_line, replacing, to_json
from . import export, zoo
from .model import PeriodicCNN
from .setting import Setting

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

MAGIC = "pytbl closure"
FORMAT = 1
_DESCRIPTION, _SEAL, _WEIGHTS, _TEST = "description.json", "seal", "weights.npz", "test.npz"
_MEMBERS = (_WEIGHTS, _TEST, *export.PROGRAMS)
_LARGEST_DESCRIPTION = 1 << 20
#: How far another machine may be from the stored test, relative to its largest value.
TOLERANCE = 1e-4
_UNITS = {
    "omega": "time^-1, dv/dx - du/dy",
    "psi": "length^2 time^-1, laplace(psi) = -omega",
    "u": "length time^-1, dpsi/dy",
    "v": "length time^-1, -dpsi/dx",
    "pi": "time^-2",
    "tau": "length^2 time^-2",
}


# ---------------------------------------------------------------------------------------- write ---


def save(
    model: PeriodicCNN,
    path: str | Path,
    *,
    provenance: Mapping[str, Any] | None = None,
    programs: Iterable[str] = tuple(export.PROGRAMS),
) -> Path:
    """Write a trained network as one file, which appears when it is whole.

    Parameters
    ----------
    model : PeriodicCNN
        With a setting, that is, trained or fitted.
    path : str or Path
    provenance : dict of plain values, optional
        How it came about: data, seed, epochs, results.
    programs : iterable of str
        Which of "network.ts" and "network.pt2" to put beside the weights.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        The network was not trained, or the file cannot be written.
    """
    path = Path(path)
    setting = model.setting
    if setting is None:
        raise InputError("the network has no grid, filter and sign: train it before it is saved")
    model = copy.deepcopy(model).cpu().eval()
    omega = _test_field(model, setting)
    test = {"omega": omega, "pi": _run(model, omega)}
    members = {_WEIGHTS: _npz(_arrays(model)), _TEST: _npz(test)}
    members |= {name: export.PROGRAMS[name](model) for name in programs}
    description = {
        "magic": MAGIC,
        "format": FORMAT,
        "version": __version__,
        "revision": REVISION,
        "torch": torch.__version__,
        "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "model": model.config,
        "dtype": str(model.input_mean.dtype).removeprefix("torch."),
        "parameters": model.parameter_count,
        "receptive_field": model.receptive_field,
        "setting": setting.to_dict(),
        "units": {name: _UNITS[name] for name in ("omega", *model.inputs, "pi")},
        "normalisation": {
            "rule": model.config["normalisation"],
            "input_mean": model.input_mean.tolist(),
            "input_deviation": model.input_deviation.tolist(),
            "output_scale": float(model.output_scale),
        },
        "provenance": dict(provenance or {}),
        "checksums": {name: _checksum(content) for name, content in members.items()},
    }
    text = json.dumps(json.loads(to_json(description)), indent=1).encode()
    _write(path, {_DESCRIPTION: text, _SEAL: _checksum(text).encode(), **members})
    return path


def _write(path: Path, members: Mapping[str, bytes]) -> None:
    try:
        with replacing(path) as partial, zipfile.ZipFile(partial, "w") as archive:
            for name, content in members.items():
                archive.writestr(zipfile.ZipInfo(name), content)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {one_line(error)}") from None


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _npz(arrays: Mapping[str, Array]) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **arrays)
    return stream.getvalue()


def _arrays(model: PeriodicCNN) -> dict[str, Array]:
    return {name: value.detach().cpu().numpy() for name, value in model.state_dict().items()}


def _test_field(model: PeriodicCNN, setting: Setting) -> Array:
    """A random vorticity of the strength of the training data, with a spectrum like theirs."""
    rng = np.random.Generator(np.random.Philox(1))
    noise = np.fft.rfft2(rng.standard_normal((setting.ny, setting.nx)))
    k = np.hypot(
        np.fft.fftfreq(setting.ny, 1 / setting.ny)[:, None], np.arange(setting.nx // 2 + 1)
    )
    field = np.fft.irfft2(noise * k / (1 + (k / 5) ** 2) ** 1.5, s=(setting.ny, setting.nx))
    deviation = 1.0
    if "omega" in model.inputs:
        deviation = float(model.input_deviation[model.inputs.index("omega")])
    return (field * (deviation / field.std())).astype(np.float32)


def _run(model: PeriodicCNN, omega: Array) -> Array:
    with torch.no_grad():
        return model(torch.from_numpy(omega)[None])[0].numpy()


# ----------------------------------------------------------------------------------------- read ---


def read(path: str | Path) -> dict[str, bytes]:
    """The members of an artefact, their checksums verified.

    Raises
    ------
    InputError
        In one line: the file is not there, not whole, edited, or of a newer format.
    """
    path = zoo.located(path)
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(_DESCRIPTION).file_size > _LARGEST_DESCRIPTION:
                raise InputError(f"{path} is not a closure: its description is too large")
            members = {_DESCRIPTION: archive.read(_DESCRIPTION)}
            description = json.loads(members[_DESCRIPTION])
            _check_format(path, description)
            for name in (_SEAL, *description["checksums"]):
                members[name] = archive.read(name)
    except InputError:
        raise
    except Exception as error:  # of a damaged file, the reader may raise anything
        raise InputError(f"{path} is not a whole closure: {one_line(error)}") from None
    sums = {_DESCRIPTION: members[_SEAL].decode("ascii", "replace"), **description["checksums"]}
    for name, expected in sums.items():
        if (got := _checksum(members[name])) != expected:
            raise InputError(
                f"{path} was edited or damaged: expected checksum {expected[:12]} of {name}, got "
                f"{got[:12]}"
            )
    return members


def _check_format(path: Path, description: Any) -> None:
    if not isinstance(description, dict) or description.get("magic") != MAGIC:
        raise InputError(f"{path} is not a closure of pytbl")
    if description["format"] != FORMAT:
        raise InputError(
            f"{path} has format {description['format']}, expected {FORMAT}: it is of pytbl "
            f"{description.get('version')}, and this is {__version__}"
        )


def describe(path: str | Path) -> dict[str, Any]:
    """What an artefact says of itself; errors as `read`."""
    return json.loads(read(path)[_DESCRIPTION])


def setting_of(path: str | Path) -> Setting:
    """The grid, filter and sign that an artefact is for; errors as `read`."""
    return Setting.of(describe(path)["setting"])


def text(path: str | Path) -> str:
    """The description for people, a line per value; errors as `read`."""
    return "\n".join(_lines("", describe(path)))


def _lines(prefix: str, values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _lines(f"{prefix}{name}.", value)
        elif name not in ("magic", *_MEMBERS):
            yield f"{prefix}{name} = {value}"


def load_model(path: str | Path) -> PeriodicCNN:
    """The network of an artefact, to run or to train further.

    Raises
    ------
    InputError
        As `read`; or the network does not give what it gave when it was saved.
    """
    members = read(path)
    description = json.loads(members[_DESCRIPTION])
    try:
        model = PeriodicCNN(**description["model"])
        if description["dtype"] == "float64":
            model.double()
        arrays = _unpack(members[_WEIGHTS])
        model.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
        model.setting = Setting.of(description["setting"])
        test = _unpack(members[_TEST])
    except Exception as error:  # sealed, and still nonsense
        raise InputError(f"{path} does not describe a network: {one_line(error)}") from None
    model.eval()
    difference = float(np.abs(_run(model, test["omega"]) - test["pi"]).max())
    largest = TOLERANCE * float(np.abs(test["pi"]).max())
    if not difference <= largest:
        raise InputError(
            f"{path}: the network does not reproduce its test: expected an error of at most "
            f"{largest:.3g}, got {difference:.3g}"
        )
    return model


def _unpack(content: bytes) -> dict[str, Array]:
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def is_artefact(path: str | Path) -> bool:
    """Whether a file looks like an artefact: a zip archive."""
    return zipfile.is_zipfile(path)
