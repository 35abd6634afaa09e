"""Figures of a run, from its output file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from .errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Array = np.ndarray[Any, np.dtype[Any]]

#: Colours of lines.
_BLUE, _ORANGE, _GREY = "#1f5a99", "#d1662b", "#8a8a8a"


def _vorticity(figure: Figure, axes: Axes, file: h5py.File) -> None:
    import cmocean

    omega = file["omega"][-1]
    limit = float(np.percentile(np.abs(omega), 99.8)) or 1.0
    lx, ly = float(file.attrs["lx"]), float(file.attrs["ly"])
    image = axes.imshow(
        omega,
        origin="lower",
        extent=(0, lx, 0, ly),
        cmap=cmocean.cm.balance,
        vmin=-limit,
        vmax=limit,
        interpolation="antialiased",
    )
    axes.set(xlabel="x", ylabel="y", title=f"vorticity at t = {file['time'][-1]:.4g}")
    figure.colorbar(image, ax=axes, shrink=0.85, label=r"$\omega$  [1/time]", extend="both")


def _series(axes: Axes, file: h5py.File) -> None:
    t = file["time"][:]
    other = axes.twinx()
    (left,) = axes.plot(t, file["energy"][:], color=_BLUE, label="energy")
    (right,) = other.plot(t, file["enstrophy"][:], color=_ORANGE, label="enstrophy")
    axes.set(xlabel="t  [time]", ylabel=r"$E$  [length$^2$ time$^{-2}$]", title="energy, enstrophy")
    other.set_ylabel(r"$Z$  [time$^{-2}$]")
    axes.set_ylim(bottom=0)
    other.set_ylim(bottom=0)
    axes.margins(x=0)
    axes.legend(handles=[left, right], frameon=False, loc="center right")


def guide(k: Array, spectrum: Array, slope: float = -3.0) -> tuple[Array, Array]:
    """A power law that stands a factor above a spectrum, over the middle of its range."""
    inside = (k > 0) & (spectrum > 0)
    low, high = k[inside][0], k[inside][-1]
    span = np.geomspace((low**0.6) * high**0.4, (low**0.25) * high**0.75, 2)
    middle = np.sqrt(span[0] * span[1])
    level = 4 * np.exp(np.interp(np.log(middle), np.log(k[inside]), np.log(spectrum[inside])))
    return span, level * (span / middle) ** slope


def _spectrum(axes: Axes, file: h5py.File) -> None:
    whole = slice(1, int(file["k"].attrs["complete_shells"]))
    k, spectra, t = file["k"][whole], file["energy_spectrum"][:, whole], file["time"][:]
    late = t >= 0.5 * (t[0] + t[-1])
    mean = spectra[late].mean(axis=0)
    low, high = np.percentile(spectra[late], (5, 95), axis=0)
    axes.loglog(k, spectra[0], color=_GREY, lw=1, ls="--", label=f"t = {t[0]:.3g}")
    axes.fill_between(k, low, high, color=_BLUE, alpha=0.25, lw=0)
    axes.loglog(k, mean, color=_BLUE, label=f"mean, t = {t[late][0]:.3g} .. {t[-1]:.3g}")
    line, law = guide(k, mean)
    axes.loglog(line, law, color="black", lw=1)
    axes.annotate(r"$k^{-3}$", (line[-1], law[-1]), textcoords="offset points", xytext=(4, 2))
    top = max(mean.max(), spectra[0].max())
    axes.set(
        xlabel="k  [1/length]",
        ylabel=r"$E(k)$ per shell  [length$^2$ time$^{-2}$]",
        title="energy spectrum",
        ylim=(max(mean[mean > 0].min(initial=1e-12), 1e-12 * top), 8 * top),
    )
    axes.legend(frameon=False, loc="lower left")


def figure(output: str | Path, picture: str | Path, *, title: str = "") -> Path:
    """Draw the vorticity, the time series and the spectrum of a run.

    Parameters
    ----------
    output : str or Path
        File of `pytbl.Output`, with the field omega.
    picture : str or Path
        PNG, PDF or SVG file to write.
    title : str
        Title of the figure.

    Returns
    -------
    Path
        The picture.

    Raises
    ------
    InputError
        The file cannot be read, or holds no record of the vorticity.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    try:
        with h5py.File(output, "r") as file:
            if "omega" not in file or not len(file["time"]):
                raise InputError(f"{output} holds no record of the vorticity")
            style: dict[Any, Any] = {
                "axes.spines.top": False,
                "font.size": 10,
                "axes.titlesize": 11,
            }
            with pyplot.rc_context(style):
                layout = ConstrainedLayoutEngine(w_pad=0.1)
                drawn = pyplot.figure(figsize=(12.5, 6.0), layout=layout)
                places = drawn.add_gridspec(2, 2, width_ratios=(1.15, 1))
                _vorticity(drawn, drawn.add_subplot(places[:, 0]), file)
                _series(drawn.add_subplot(places[0, 1]), file)
                _spectrum(drawn.add_subplot(places[1, 1]), file)
                drawn.suptitle(title or _title(file))
                drawn.savefig(picture, dpi=150)
                pyplot.close(drawn)
    except OSError as error:
        from .hdf5 import one_line

        raise InputError(f"{output} cannot be drawn: {one_line(error)}") from None
    return Path(picture)


def _title(file: h5py.File) -> str:
    a = file.attrs
    drag = f", drag {a['drag']:g}" if a["drag"] else ""
    driven = f", {a['forcing']}" if a["forcing"] != "None" else ", decaying"
    return f"{a['nx']} x {a['ny']} points, viscosity {a['viscosity']:.3g}{drag}{driven}"
