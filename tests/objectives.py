"""Errors of small networks as functions of their parameters."""

from __future__ import annotations

import networks
import numpy as np
import torch

from pytbl.nn.objective import Objective
from pytbl.nn.selection import Selection

DEPTH = 4
NETWORKS = {
    "plain": {},
    "zero padding": {"padding": "zeros"},
    "stress": {"output": "stress"},
    "each field's own normalisation": {"normalisation": "snapshot"},
    "symmetric": {"symmetry": "p4", "width": 4},
}


def network(kind="plain", **config):
    """A small network with biases, which are zero at first."""
    of = networks.square(12)
    model = networks.fitted(of, **{"width": 4, "depth": DEPTH, "kernel": 3, **NETWORKS[kind]})
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.uniform_(-0.3, 0.3, generator=generator)
    return model


def fields(count=5):
    """The vorticity and Pi of samples."""
    samples = networks.learnable(networks.square(12), count, rng=7)
    return tuple(torch.from_numpy(samples.read(name, np.arange(count))) for name in ("omega", "pi"))


def objective(layers="all", kind="plain", **options):
    return Objective(network(kind), fields(), Selection.of(layers, DEPTH), **options)


def random_vector(size, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(size))


def dense_hessian(error):
    """Row by row, shape (parameters, parameters)."""
    theta = error.theta.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(error.loss(theta), theta, create_graph=True)
    rows = [torch.autograd.grad(one, theta, retain_graph=True)[0] for one in slope]
    return torch.stack(rows)
