r"""Eigenvalues of a symmetric matrix that is known by its products with vectors only.

The Lanczos process builds an orthonormal basis :math:`Q` of the Krylov space of a random vector, in
which the matrix is tridiagonal, :math:`Q^T H Q = T`. The eigenpairs :math:`(\theta, s)` of
:math:`T` give the Ritz pairs :math:`(\theta, Q s)`, and :math:`|\beta_m s_m|`, with the coefficient
that leads out of the space, is the norm of :math:`H Q s - \theta Q s`: an eigenvalue of the matrix
lies that close (Parlett 1998, ch. 4 and 13). Every vector is made orthogonal to all before it,
twice, so that no eigenvalue is found again by rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]
    Product = Callable[[Array], Array]

#: Of a product's norm: what it may miss of symmetry. Rounding in float32 stays far below.
_ASYMMETRY = 1e-3
#: Of the norm of the matrix: the rest of a product that counts as nothing.
_NOTHING = 1e-12
#: Widths of the Gaussians of a spectral density beyond the outermost Ritz values.
_MARGIN = 4


@dataclass(frozen=True)
class Eigenpairs:
    """The largest eigenvalues that Lanczos found, and all Ritz values on the way.

    Attributes
    ----------
    values : ndarray, shape (wanted,)
        The algebraically largest, in descending order.
    vectors : ndarray, shape (wanted, size)
        Of norm 1; the sign is chance.
    residuals : ndarray, shape (wanted,)
        An eigenvalue of the matrix lies so close to each value.
    ritz : ndarray, shape (steps,)
        All Ritz values, in descending order; their extremes converge first, their middle does not.
    converged : bool
        All residuals are within the tolerance.
    """

    values: Array
    vectors: Array
    residuals: Array
    ritz: Array
    converged: bool

    @property
    def negative_share(self) -> float:
        """Part of the Ritz values that are negative beyond the rounding of the largest."""
        return float(np.mean(self.ritz < -_NOTHING * np.abs(self.ritz).max()))


class SpectralDensity(NamedTuple):
    """A spectral density.

    ``values`` (points,), ``density`` (points,), whose integral is 1, and the ``negative_share`` of
    all eigenvalues.
    """

    values: Array
    density: Array
    negative_share: float


class _Krylov:
    """A basis that grows by a product for each vector."""

    def __init__(self, product: Product, size: int, rng: np.random.Generator) -> None:
        self._product, self._size, self._rng = product, size, rng
        self._q = np.empty((0, size))
        self._next = self._fresh()
        self._diagonal: list[float] = []
        self._beside: list[float] = []

    def __len__(self) -> int:
        return len(self._diagonal)

    def _fresh(self) -> Array:
        """A random unit vector outside the space."""
        vector = self._rng.standard_normal(self._size)
        vector = self._outside(self._outside(vector))
        return vector / np.linalg.norm(vector)

    def _outside(self, vector: Array) -> Array:
        return vector - self._q.T @ (self._q @ vector)

    def extend(self) -> None:
        """Take the next vector into the basis; beside a space that is closed, a new one begins."""
        if self.closed:
            self._next = self._fresh()
        self._q = np.vstack([self._q, self._next])
        image = self._multiplied(self._next)
        components = self._q @ image
        norm = max(float(np.linalg.norm(image)), self.norm)
        expected = np.zeros(len(self._q))
        expected[-1] = components[-1]
        expected[-2:-1] = self._beside[-1:]
        if np.linalg.norm(components - expected) > _ASYMMETRY * norm:
            raise InputError("the products are not those of a symmetric matrix")
        rest = self._outside(self._outside(image))
        length = float(np.linalg.norm(rest))
        self._diagonal.append(float(components[-1]))
        closed = length <= _NOTHING * norm or len(self) == self._size
        self._beside.append(0.0 if closed else length)
        if not closed:
            self._next = rest / length

    def _multiplied(self, vector: Array) -> Array:
        image = np.asarray(self._product(vector), dtype=float)
        if image.shape != vector.shape:
            raise InputError(f"a product must have shape {vector.shape}, got {image.shape}")
        if not np.isfinite(image).all():
            raise InputError("a product is not finite")
        return image

    @property
    def norm(self) -> float:
        """The largest element of the tridiagonal matrix, which the matrix's norm exceeds."""
        return max(map(abs, self._diagonal + self._beside), default=0.0)

    @property
    def closed(self) -> bool:
        """Whether the matrix leads nowhere out of the space."""
        return self._beside[-1:] == [0.0]

    def ritz(self) -> tuple[Array, Array, Array]:
        """Ritz values in descending order, their coefficients, as columns, and residuals."""
        beside = self._beside[:-1]
        matrix = np.diag(self._diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
        values, coefficients = np.linalg.eigh(matrix)
        residuals = np.abs(self._beside[-1] * coefficients[-1])
        return values[::-1], coefficients[:, ::-1], residuals[::-1]

    def vectors(self, coefficients: Array) -> Array:
        """Ritz vectors as rows."""
        return coefficients.T @ self._q


def largest_eigenpairs(
    product: Product,
    size: int,
    *,
    wanted: int = 2,
    tolerance: float = 1e-3,
    steps: int = 100,
    rng: int = 0,
) -> Eigenpairs:
    """The largest eigenvalues and their vectors.

    It stops when the residuals of all that are wanted are small. Copies of a multiple eigenvalue
    are counted once, unless the space closes before there are as many values as are wanted.

    Parameters
    ----------
    product : callable
        From a vector, shape (size,), to the matrix times it.
    size : int
    wanted : int
    tolerance : float
        Largest residual over the largest absolute Ritz value.
    steps : int
        Most products.
    rng : int
        Seed of the first vector.

    Returns
    -------
    Eigenpairs
        What was found with so many products, converged or not.

    Raises
    ------
    InputError
        The products are not finite or not a symmetric matrix's; a number cannot be used.

    References
    ----------
    Yao, Gholami, Keutzer & Mahoney, IEEE Big Data (2020): PyHessian, there with the power method.
    """
    if not 1 <= wanted <= size:
        raise InputError(f"wanted must be an integer of 1 .. {size}, got {wanted}")
    if steps < wanted:
        raise InputError(f"steps must be >= wanted = {wanted}, got {steps}")
    if not tolerance > 0:
        raise InputError(f"tolerance must be > 0, got {tolerance}")
    space = _Krylov(product, size, np.random.default_rng(rng))
    converged = False
    while not converged and len(space) < min(steps, size):
        space.extend()
        values, coefficients, residuals = space.ritz()
        small = residuals[:wanted] <= tolerance * np.abs(values).max()
        converged = bool(len(space) >= wanted and small.all())
    vectors = space.vectors(coefficients[:, :wanted])
    return Eigenpairs(values[:wanted], vectors, residuals[:wanted], values, converged)


def spectral_density(
    product: Product,
    size: int,
    *,
    probes: int = 4,
    steps: int = 40,
    points: int = 200,
    width: float = 0.01,
    rng: int = 0,
) -> SpectralDensity:
    r"""The density of eigenvalues by stochastic Lanczos quadrature.

    The Ritz values of a random vector are the nodes, and the squared first components of the
    tridiagonal matrix's eigenvectors the weights, of a Gauss quadrature of the density; the nodes
    are broadened by Gaussians (Ghorbani, Krishnan & Xiao, ICML 2019).

    Parameters
    ----------
    product, size, rng
        See `largest_eigenpairs`.
    probes, steps : int
        Random vectors, and products with each.
    points : int
        Values at which the density is given.
    width : float
        Standard deviation of the Gaussians over the range of the nodes.

    Returns
    -------
    SpectralDensity

    Raises
    ------
    InputError
        See `largest_eigenpairs`.
    """
    for name, number in {"probes": probes, "steps": steps, "points": points}.items():
        if number < 1:
            raise InputError(f"{name} must be >= 1, got {number}")
    if not width > 0:
        raise InputError(f"width must be > 0, got {width}")
    generator = np.random.default_rng(rng)
    nodes, weights = [], []
    for _ in range(probes):
        space = _Krylov(product, size, generator)
        space.extend()
        while len(space) < min(steps, size) and not space.closed:
            space.extend()
        values, coefficients, _ = space.ritz()
        nodes.append(values)
        weights.append(coefficients[0] ** 2 / probes)
    node, weight = np.concatenate(nodes), np.concatenate(weights)
    largest = np.abs(node).max()
    deviation = width * max(np.ptp(node), largest, np.finfo(float).tiny)
    edges = node.min() - _MARGIN * deviation, node.max() + _MARGIN * deviation
    at = np.linspace(*edges, points)
    gaussians = np.exp(-(((at[:, None] - node) / deviation) ** 2) / 2)
    density = gaussians @ weight / (np.sqrt(2 * np.pi) * deviation)
    return SpectralDensity(at, density, float(weight[node < -_NOTHING * largest].sum()))
