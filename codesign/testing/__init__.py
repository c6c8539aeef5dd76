"""Random legal and illegal inputs for tests: hypothesis strategies, trained-like networks, damaged copies of files.

Needs `hypothesis` (the `dev` extra); only tests import it, ours and a user's own. docs/verification.md says what our own
tests hold against each.
"""

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

__all__ = [
    "Encoder",
    "IntegerLimits",
    "LayerKind",
    "Limits",
    "integer_networks",
    "networks",
    "random_codes",
    "random_features",
    "random_inputs",
    "structured_network",
    "with_sound_care",
]
