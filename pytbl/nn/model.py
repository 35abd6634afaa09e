r"""The network: from the filtered vorticity to the SGS term, with all that surrounds it inside.

.. math:: \bar\omega \;\to\; (\bar\psi, \bar\omega) \;\to\; \text{normalised} \;\to\;
          \text{convolutions} \;\to\; \text{scaled} \;\to\; \text{projected} = \Pi

With the defaults the convolutions are those of Subel et al. (2023): 11 layers of 5 x 5, 64
channels, 927,041 parameters.
"""

import inspect
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from .layers import Group, Layer, Lifting, Pooling
from .spectral import FIELDS, Spectral

if TYPE_CHECKING:
    from .data import Statistics
    from .setting import Setting

_CHOICES: dict[str, tuple[Any, ...]] = {
    "output": ("pi", "stress"),
    "padding": ("circular", "zeros"),
    "symmetry": (None, "p4"),
    "normalisation": ("dataset", "snapshot"),
    "dealias": ("3/2", "2/3"),
}
_SMALLEST = 1e-30


class PeriodicCNN(nn.Module):
    r"""A convolutional network on a doubly periodic domain.

    Parameters
    ----------
    width : int
        Channels between layers; with a symmetry, features times orientations.
    depth : int
        Convolutions; ReLU follows all but the last.
    kernel : int
        Points of a kernel along each direction, odd.
    inputs : sequence of str
        Of "psi", "omega", "u", "v", all derived from the vorticity.
    output : {"pi", "stress"}
        What the convolutions predict: the SGS term, or a traceless stress whose curl-divergence it
        is (the trace of a stress has none).
    padding : {"circular", "zeros"}
        Zeros are those of the published networks; they break the domain's periodicity.
    symmetry : {None, "p4"}
        "p4" makes the network commute with rotations by 90 degrees, on square grids.
    normalisation : {"dataset", "snapshot"}
        Inputs less their mean over their standard deviation: those of the training data, or, as in
        the published LES, those of every field on its own.
    dealias : {"3/2", "2/3"}
        Which modes the LES keeps; see `pytbl.Grid`.
    rng : int
        Seed of the initial weights, which are Glorot's.

    Attributes
    ----------
    setting : Setting or None
        The grid, filter and sign it was trained for.
    input_mean, input_deviation : Tensor, shape (inputs,)
        Buffers.
    output_scale : Tensor, shape ()
        Buffer: what an output of the convolutions of 1 means [1/time^2, of a stress
        length^2/time^2].

    Raises
    ------
    InputError
        A parameter cannot be used.
    """

    __jit_unused_properties__ = ("receptive_field", "parameter_count")

    input_mean: Tensor
    input_deviation: Tensor
    output_scale: Tensor

    def __init__(
        self,
        width: int = 64,
        depth: int = 11,
        kernel: int = 5,
        *,
        inputs: Sequence[str] = ("psi", "omega"),
        output: str = "pi",
        padding: str = "circular",
        symmetry: str | None = None,
        normalisation: str = "dataset",
        dealias: str = "3/2",
        rng: int = 0,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "width": width,
            "depth": depth,
            "kernel": kernel,
            "inputs": list(inputs),
            "output": output,
            "padding": padding,
            "symmetry": symmetry,
            "normalisation": normalisation,
            "dealias": dealias,
            "rng": rng,
        }
        _check(self.config)
        self.inputs = list(inputs)
        self.stress_output = output == "stress"
        self.per_snapshot = normalisation == "snapshot"
        self.halo = depth * (kernel // 2)
        self.setting: Setting | None = None
        self.spectral = Spectral(2 * torch.pi, 2 * torch.pi, dealias)
        count = len(self.inputs)
        self.register_buffer("input_mean", torch.zeros(count))
        self.register_buffer("input_deviation", torch.ones(count))
        self.register_buffer("output_scale", torch.ones(()))
        layers = _layers(self.config, count, 2 if self.stress_output else 1)
        generator = torch.Generator().manual_seed(rng)
        for layer in layers:
            layer.initialise(generator)
        self.layers = nn.ModuleList(layers)

    @torch.jit.unused
    def __repr__(self) -> str:
        defaults = inspect.signature(PeriodicCNN).parameters
        shown = {
            name: value
            for name, value in self.config.items()
            if name in ("width", "depth", "kernel")
            or (tuple(value) if name == "inputs" else value) != defaults[name].default
        }
        return f"PeriodicCNN({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    # ------------------------------------------------------------------------------------ parts ---

    @property
    def receptive_field(self) -> int:
        """Points along each direction that one point of the output depends on."""
        return 2 * self.halo + 1

    @property
    def parameter_count(self) -> int:
        """Weights and biases."""
        return sum(parameter.numel() for parameter in self.parameters())

    def channels(self, omega: Tensor) -> Tensor:
        """The inputs as fields, shape (batch, inputs, ny, nx), in their units."""
        return self.spectral.derive(omega, self.inputs)

    def normalise(self, channels: Tensor) -> Tensor:
        """The inputs as the first convolution sees them."""
        if self.per_snapshot:
            mean = channels.mean([-2, -1], keepdim=True)
            deviation = channels.std([-2, -1], keepdim=True, unbiased=False)
        else:
            mean = self.input_mean.to(channels.dtype).reshape(-1, 1, 1)
            deviation = self.input_deviation.to(channels.dtype).reshape(-1, 1, 1)
        return (channels - mean) / torch.clamp(deviation, min=1e-30)

    def enter(self, omega: Tensor) -> Tensor:
        """What the first convolution sees of a vorticity, shape (batch, inputs, ny, nx)."""
        return self.normalise(self.channels(omega.to(self.input_mean.dtype)))

    def convolve(self, x: Tensor, first: int = 0, stop: int = -1) -> Tensor:
        """The convolutions, of normalised inputs, shape (batch, inputs, ny, nx).

        With `first` and `stop`, counted from 0, only those layers: from what goes into the one to
        what goes into the other.
        """
        last = len(self.layers) - 1
        for i, layer in enumerate(self.layers):
            if first <= i and (stop < 0 or i < stop):
                x = layer(x)
                if i < last:
                    x = torch.relu(x)
        return x

    def scale(self, x: Tensor) -> Tensor:
        """What the convolutions give in the units of the output, shape (batch, outputs, ny, nx)."""
        return x.to(self.output_scale.dtype) * self.output_scale

    def predict(self, omega: Tensor) -> Tensor:
        """The scaled output of the convolutions before it is projected."""
        return self.scale(self.convolve(self.enter(omega)))

    def project(self, output: Tensor) -> Tensor:
        """The SGS term of a scaled output, shape (batch, ny, nx)."""
        if self.stress_output:
            return self.spectral.source_of_stress(output)
        return self.spectral.project(output[:, 0])

    def forward(self, omega: Tensor) -> Tensor:
        r"""The SGS term.

        Parameters
        ----------
        omega : Tensor, shape (batch, ny, nx)
            Filtered vorticity [1/time].

        Returns
        -------
        Tensor, shape (batch, ny, nx)
            :math:`\Pi` [1/time^2], which is added to the right-hand side; of zero mean, and without
            the modes that the LES cuts.
        """
        return self.project(self.predict(omega))

    @torch.jit.unused
    def stress(self, omega: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The stress whose curl-divergence is the SGS term.

        Returns
        -------
        tau_xx, tau_xy, tau_yy : Tensor, shape (batch, ny, nx) [length^2/time^2]
            Of zero trace.

        Raises
        ------
        InputError
            The network predicts the SGS term itself.
        """
        if not self.stress_output:
            raise InputError('only a network of output "stress" has a stress, got output "pi"')
        normal, shear = self.spectral.project(self.predict(omega)).unbind(1)
        return normal, shear, -normal

    # ---------------------------------------------------------------------------------- setting ---

    @torch.jit.unused
    def adopt(self, setting: "Setting") -> None:
        """Take over the grid, filter and sign that the network is to work for.

        Raises
        ------
        InputError
            The network keeps other modes, or its symmetry is not the grid's.
        """
        if setting.dealias != self.config["dealias"]:
            raise InputError(
                f"the network keeps the modes of dealias {self.config['dealias']!r}, and the data "
                f"have dealias {setting.dealias!r}"
            )
        square = (setting.nx, setting.lx) == (setting.ny, setting.ly)
        if self.config["symmetry"] and not square:
            raise InputError(
                f"symmetry 'p4' needs a square grid, got {setting.nx} x {setting.ny} points on "
                f"{setting.lx:g} x {setting.ly:g}"
            )
        self.setting = setting
        self.spectral.lengths.copy_(torch.tensor([setting.lx, setting.ly], dtype=torch.float64))

    @torch.jit.unused
    def fit(self, statistics: "Statistics") -> None:
        """Take the statistics of training data, those of `setting`, as the normalisation."""
        assert self.setting is not None
        self.input_mean.copy_(statistics.mean)
        self.input_deviation.copy_(statistics.deviation.clamp(min=_SMALLEST))
        scale = math.sqrt(statistics.pi_square)
        if self.stress_output:
            points = torch.empty(self.setting.ny, self.setting.nx, device=self.output_scale.device)
            scale /= float(self.spectral.source_of_unit_stress(points))
        self.output_scale.fill_(max(scale, _SMALLEST))

    @torch.jit.unused
    def kernels(self) -> list[tuple[Tensor, Tensor]]:
        """Weights and biases of the ordinary convolutions that the layers are."""
        return [layer.kernel() for layer in self.layers if isinstance(layer, Layer)]

    @torch.jit.unused
    def plain(self) -> "PeriodicCNN":
        """The same network made of ordinary convolutions, detached from this one."""
        twin = PeriodicCNN(**self.config | {"symmetry": None})
        twin.setting = self.setting
        if self.input_mean.dtype == torch.float64:  # else the domain's lengths stay float64
            twin.double()
        twin.to(self.input_mean.device)
        state = {name: buffer for name, buffer in self.named_buffers()}
        for i, (weight, bias) in enumerate(self.kernels()):
            state |= {f"layers.{i}.weight": weight, f"layers.{i}.bias": bias}
        twin.load_state_dict({name: state[name] for name in twin.state_dict()})
        return twin.train(self.training)


def _check(config: dict[str, Any]) -> None:
    for name, valid in _CHOICES.items():
        if config[name] not in valid:
            expected = " or ".join(map(repr, valid))
            raise InputError(f"{name} must be {expected}, got {config[name]!r}")
    for name in ("width", "depth", "kernel"):
        if not (isinstance(config[name], int) and config[name] >= 1):
            raise InputError(f"{name} must be an integer >= 1, got {config[name]!r}")
    if config["kernel"] % 2 == 0:
        raise InputError(f"kernel must be odd, got {config['kernel']}")
    unknown = [name for name in config["inputs"] if name not in FIELDS]
    if unknown or not config["inputs"]:
        raise InputError(f"inputs must be among {', '.join(FIELDS)}, got {config['inputs']}")
    if config["symmetry"] == "p4":
        if config["padding"] != "circular":
            raise InputError(f"symmetry 'p4' needs padding 'circular', got {config['padding']!r}")
        if not set(config["inputs"]) <= {"psi", "omega"}:
            raise InputError(f"symmetry 'p4' needs inputs psi or omega, got {config['inputs']}")
        if config["width"] % 4 or config["depth"] < 2:
            raise InputError(
                f"symmetry 'p4' needs a width that is a multiple of 4 and a depth >= 2, got width "
                f"{config['width']} and depth {config['depth']}"
            )


def _layers(config: dict[str, Any], inputs: int, outputs: int) -> list[Layer]:
    kernel, periodic = config["kernel"], config["padding"] == "circular"
    inner = config["depth"] - 2
    if config["symmetry"] is None:
        widths = [inputs, *[config["width"]] * (config["depth"] - 1), outputs]
        return [Layer(a, b, kernel, periodic=periodic) for a, b in pairwise(widths)]
    features = config["width"] // 4
    return [
        Lifting(inputs, features, kernel, periodic=periodic),
        *[Group(features, features, kernel, periodic=periodic) for _ in range(inner)],
        Pooling(features, outputs, kernel, periodic=periodic, kind=config["output"]),
    ]
