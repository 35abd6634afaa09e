"""What the kernels of a network are: classes by rule, and clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..analysis.census import Census, census
from ..analysis.classes import CLASSES, threshold_sensitivity
from ..analysis.clusters import ClusterCensus, cluster_census
from ..errors import InputError
from .sections import LeftOut, Row, Section, listed, table

if TYPE_CHECKING:
    from .subject import Subject

#: Kernels of a layer that are clustered: more of them say no more.
_CLUSTERED = 2000
#: What the paper has.
_CLUSTERS = 8
#: Silhouettes below are of no substantial structure (Kaufman & Rousseeuw 1990, table 4).
_STRUCTURE = 0.25
_NAMED = CLASSES[:-1]
#: Of all tests together.
_LEVEL = 0.05


def classes(subject: Subject) -> Section:
    """Class fractions of every layer, beside those of chance."""
    from ..plots.kernels import class_fractions

    layers = subject.network.stack.layers
    counts = {f"{i}": census(one.weight, rng=subject.rng) for i, one in enumerate(layers, start=1)}
    rows = [row for name, one in counts.items() for row in _rows(name, one)]
    shares: list[Row] = [
        {"layer": name, "kernels": one.kernels}
        | {kind: f"{100 * one.fractions.value[i]:.0f} %" for i, kind in enumerate(CLASSES)}
        for name, one in counts.items()
    ]
    sizes = {
        tuple(layer.weight.shape[-2:]): one
        for layer, one in zip(layers, counts.values(), strict=True)
    }
    shares += [
        {"layer": f"chance, {ky} x {kx}", "kernels": ""}
        | {kind: f"{100 * one.chance[i]:.0f} %" for i, kind in enumerate(CLASSES)}
        for (ky, kx), one in sizes.items()
    ]
    tests = len(_NAMED) * len(counts)
    apart = {name: _apart(one, tests) for name, one in counts.items()}
    told = [f"layer {name}: {said}" for name, said in apart.items() if said]
    gist = (
        f"Apart from what chance gives are {'; '.join(told)}."
        if told
        else "In no layer are the classes of the kernels other than chance gives."
    )
    words = [
        "Shares of the number of kernels by the rule of classes; chance is the same rule on "
        "kernels of independent weights, and only what stands apart from it was learned.",
        table(shares),
    ]
    if told:
        words.append(
            f"Apart from chance at the 5 % level of all {tests} binomial tests together: "
            f"{'; '.join(told)}."
        )
    changed = [max(one.changed for one in threshold_sensitivity(layer.weight)) for layer in layers]
    words.append(
        f"Moving any one threshold of the rule by 20 % puts at most {100 * max(changed):.0f} % of "
        f"a layer's kernels into another class."
    )
    return Section(
        "Kernel classes",
        gist,
        words,
        {"classes": rows},
        {"classes": lambda: class_fractions({f"layer {name}": c for name, c in counts.items()})},
    )


def _rows(layer: str, one: Census) -> list[Row]:
    return [
        {
            "layer": layer,
            "class": kind,
            "kernels": one.kernels,
            "fraction": float(one.fractions.value[i]),
            "low": float(one.fractions.low[i]),
            "high": float(one.fractions.high[i]),
            "energy": float(one.energy.value[i]),
            "chance": float(one.chance[i]),
        }
        for i, kind in enumerate(CLASSES)
    ]


def _apart(one: Census, tests: int) -> str:
    """Classes whose number of kernels is not that of chance.

    By a binomial test, since a bootstrap has no interval about a class without kernels.
    """
    from scipy import stats

    said = []
    for i, kind in enumerate(_NAMED):
        value, chance = float(one.fractions.value[i]), float(one.chance[i])
        found = round(value * one.kernels)
        if stats.binomtest(found, one.kernels, chance).pvalue < _LEVEL / tests:
            more = "more" if value > chance else "fewer"
            said.append(f"{more} {kind} ({100 * value:.0f} % for {100 * chance:.0f} %)")
    return ", ".join(said)


def clusters(subject: Subject) -> Section:
    """K-means of the kernels of the chosen single layers."""
    from ..plots.kernels import cluster_centres

    single = [int(name) for name in subject.layers if name.isdecimal()]
    found: dict[str, ClusterCensus] = {}
    left_out, words = [], []
    for layer in single:
        weight = subject.network.stack.layers[layer - 1].weight
        try:
            found[str(layer)] = cluster_census(
                weight, _CLUSTERS, subsample=_CLUSTERED, rng=subject.rng
            )
        except InputError as reason:
            left_out.append(f"clusters of layer {layer}: {reason}")
        count = weight.shape[0] * weight.shape[1]
        if count > _CLUSTERED:
            words.append(f"Of layer {layer}, {_CLUSTERED} of {count} kernels were clustered.")
    if not found:
        raise LeftOut("; ".join(left_out) or "clusters: no single layer was chosen")
    rows = [row for name, one in found.items() for row in _cluster_rows(name, one)]
    for name, one in found.items():
        above = one.fixed.silhouette - one.chance
        verdict = "no groups that stand apart" if one.fixed.silhouette < _STRUCTURE else "groups"
        centres = [CLASSES[i] for i in one.fixed.classes]
        words.append(
            f"Layer {name}: silhouette {one.fixed.silhouette:.3f} with {_CLUSTERS} clusters, "
            f"{one.chance:.3f} for independent weights ({above:+.3f}): {verdict}. Centres from low "
            f"to high wavenumbers: {', '.join(centres)}. The largest silhouette, "
            f"{max(one.silhouettes.values()):.3f}, is that of {len(one.chosen.centroids)} clusters."
        )
    tight = [name for name, one in found.items() if one.fixed.silhouette >= _STRUCTURE]
    gist = (
        f"The kernels of {_layers(tight)} fall into groups."
        if tight
        else f"K-means divides the kernels of {_layers(list(found))}, but they do not fall into "
        f"groups: its centres divide one cloud."
    )
    return Section(
        "Clusters of kernels",
        gist,
        words,
        {"clusters": rows},
        {
            "clusters": lambda: cluster_centres(
                {f"layer {name}": one.fixed for name, one in found.items()}
            )
        },
        left_out,
    )


def _cluster_rows(layer: str, one: ClusterCensus) -> list[Row]:
    return [
        {
            "layer": layer,
            "cluster": i + 1,
            "class": CLASSES[one.fixed.classes[i]],
            "centroid": float(one.fixed.centroids[i]),
            "fraction": float(one.fixed.fractions.value[i]),
            "low": float(one.fixed.fractions.low[i]),
            "high": float(one.fixed.fractions.high[i]),
            "silhouette": one.fixed.silhouette,
            "silhouette_of_chance": one.chance,
        }
        for i in range(len(one.fixed.centroids))
    ]


def _layers(names: list[str]) -> str:
    return f"layer{'s' if len(names) > 1 else ''} {listed(names)}"
