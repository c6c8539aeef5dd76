"""Exact optimisations of networks of tables: each pass takes a legal network and returns one with the same answers."""

from codesign.passes.base import Details, Pass, lossless
from codesign.passes.care_sets import care_sets
from codesign.passes.equality import MAX_INPUTS, check_care, every_input, same_everywhere, same_function
from codesign.passes.fill_dont_cares import fill_dont_cares
from codesign.passes.fold_constants import fold_constants
from codesign.passes.fold_decision import fold_decision
from codesign.passes.manager import DEFAULT_PASSES, MAX_ROUNDS, PASSES, PassReport, run_passes, total_saved
from codesign.passes.measure import Size, measure
from codesign.passes.merge_duplicates import merge_duplicates
from codesign.passes.narrow_signals import narrow_signals
from codesign.passes.reduce_support import reduce_support
from codesign.passes.remove_unused import remove_unused
from codesign.passes.unseen import unseen_patterns

__all__ = [
    "DEFAULT_PASSES",
    "MAX_INPUTS",
    "MAX_ROUNDS",
    "PASSES",
    "Details",
    "Pass",
    "PassReport",
    "Size",
    "care_sets",
    "check_care",
    "every_input",
    "fill_dont_cares",
    "fold_constants",
    "fold_decision",
    "lossless",
    "measure",
    "merge_duplicates",
    "narrow_signals",
    "reduce_support",
    "remove_unused",
    "run_passes",
    "same_everywhere",
    "same_function",
    "total_saved",
    "unseen_patterns",
]
