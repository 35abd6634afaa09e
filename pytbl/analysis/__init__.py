"""What networks have learned and what a new flow asks of them: arrays in, numbers and words out."""

from .ablation import Ablation, ChannelSpectra, kernel_ablation
from .activations import LayerSpectra, activation_spectra
from .bands import BandRatio, FlowComparison, compare_flows
from .census import Census, Fractions, census, chance_fractions
from .changes import ChangedKernel, KernelChanges, kernel_changes
from .classes import (
    CLASSES,
    Features,
    Sensitivity,
    Thresholds,
    classify,
    kernel_features,
    threshold_sensitivity,
)
from .clusters import ClusterCensus, Clusters, cluster_census
from .departures import Departure, LinearShare, departure, departures, linear_shares
from .evidence import coverage, departure_increases
from .fields import Fields
from .identities import LayerIdentities, check_identities
from .kernels import (
    band_energies,
    kernel_energy,
    kernel_spectra,
    radial_energy,
    radial_wavenumber,
    spectral_energy,
)
from .lanczos import Eigenpairs, SpectralDensity, largest_eigenpairs, spectral_density
from .landscape import LandscapeScores, landscape_scores, path_on, summarise_landscapes
from .recommend import recommend
from .recommendation import Candidate, Recommendation
from .stack import Activation, Layer, Stack
from .verdict import Combination, Pair, Verdict, choose_combination, compare_scores, verdict
from .verify import Verification, judge, verify

__all__ = [
    "CLASSES",
    "Ablation",
    "Activation",
    "BandRatio",
    "Candidate",
    "Census",
    "ChangedKernel",
    "ChannelSpectra",
    "ClusterCensus",
    "Clusters",
    "Combination",
    "Departure",
    "Eigenpairs",
    "Features",
    "Fields",
    "FlowComparison",
    "Fractions",
    "KernelChanges",
    "LandscapeScores",
    "Layer",
    "LayerIdentities",
    "LayerSpectra",
    "LinearShare",
    "Pair",
    "Recommendation",
    "Sensitivity",
    "SpectralDensity",
    "Stack",
    "Thresholds",
    "Verdict",
    "Verification",
    "activation_spectra",
    "band_energies",
    "census",
    "chance_fractions",
    "check_identities",
    "choose_combination",
    "classify",
    "cluster_census",
    "compare_flows",
    "compare_scores",
    "coverage",
    "departure",
    "departure_increases",
    "departures",
    "judge",
    "kernel_ablation",
    "kernel_changes",
    "kernel_energy",
    "kernel_features",
    "kernel_spectra",
    "landscape_scores",
    "largest_eigenpairs",
    "linear_shares",
    "path_on",
    "radial_energy",
    "radial_wavenumber",
    "recommend",
    "spectral_density",
    "spectral_energy",
    "summarise_landscapes",
    "threshold_sensitivity",
    "verdict",
    "verify",
]
