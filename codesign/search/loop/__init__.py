"""The co-design loop: an agent over accelerators, gradients over networks, realised designs, measured costs, again."""

from codesign.search.loop.alternate import Loop, LoopResult, RoundFacts
from codesign.search.loop.correction import Correction
from codesign.search.loop.designs import Candidate, Design, judge
from codesign.search.loop.hardware import Hardware
from codesign.search.loop.log import Log
from codesign.search.loop.networks import Networks
from codesign.search.loop.run import ARMS, open_search, run_arm, run_search

__all__ = [
    "ARMS",
    "Candidate",
    "Correction",
    "Design",
    "Hardware",
    "Log",
    "Loop",
    "LoopResult",
    "Networks",
    "RoundFacts",
    "judge",
    "open_search",
    "run_arm",
    "run_search",
]
