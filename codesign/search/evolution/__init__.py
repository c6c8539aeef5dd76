"""Evolution over a predictor, and successive halving over epochs: how a few trained networks go a long way."""

from codesign.search.evolution.front import Evaluated, Front, Round, evolve_front, non_dominated, one_hot
from codesign.search.evolution.halving import Halving, Rung, successive_halving

__all__ = [
    "Evaluated",
    "Front",
    "Halving",
    "Round",
    "Rung",
    "evolve_front",
    "non_dominated",
    "one_hot",
    "successive_halving",
]
