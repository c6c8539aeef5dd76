"""Random legal and illegal inputs for tests: hypothesis strategies, trained-like networks, damaged copies of files.

Needs `hypothesis` (the `dev` extra); only tests import it, ours and a user's own. docs/verification.md says what our
own tests hold against each. `illegal_*` strategies draw `Illegal`: a legal value with one named defect, and the words
that every refusal of it must hold; `refused` checks that.
"""

from codesign.testing.configurations import build_configs, engine_configs, illegal_configs
from codesign.testing.engines import Job, engine_points, illegal_jobs, illegal_points, jobs
from codesign.testing.illegal import Illegal, refused
from codesign.testing.integer import IntegerLimits, LayerKind, integer_networks, random_inputs
from codesign.testing.networks import (
    Encoder,
    Limits,
    networks,
    random_codes,
    random_features,
    structured_network,
    with_sound_care,
)
from codesign.testing.networks_illegal import illegal_integer_networks, illegal_networks
from codesign.testing.topologies import conv_topologies, illegal_conv_topologies, illegal_topologies, topologies

__all__ = [
    "Encoder",
    "Illegal",
    "IntegerLimits",
    "Job",
    "LayerKind",
    "Limits",
    "build_configs",
    "conv_topologies",
    "engine_configs",
    "engine_points",
    "illegal_configs",
    "illegal_conv_topologies",
    "illegal_integer_networks",
    "illegal_jobs",
    "illegal_networks",
    "illegal_points",
    "illegal_topologies",
    "integer_networks",
    "jobs",
    "networks",
    "random_codes",
    "random_features",
    "random_inputs",
    "refused",
    "structured_network",
    "topologies",
    "with_sound_care",
]
