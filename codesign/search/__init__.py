"""The co-design search: proposers of hardware points behind one ask/tell interface, their problems and objectives.

What learns (`codesign[search]`) stands in modules of its own: `environment`, `agent_search`, `agent`.
"""

from codesign.search.objective import OBJECTIVES, Objective, Outcome
from codesign.search.problem import Problem, Sweep, Trial
from codesign.search.rivals import Exhaustive, Genetic, Nsga2, RandomSearch, Tpe
from codesign.search.search import History, Searcher, search
from codesign.search.settings import AgentSettings
from codesign.search.table import Completions, NoValidPoint, RuleCounts, count_rules

__all__ = [
    "OBJECTIVES",
    "AgentSettings",
    "Completions",
    "Exhaustive",
    "Genetic",
    "History",
    "NoValidPoint",
    "Nsga2",
    "Objective",
    "Outcome",
    "Problem",
    "RandomSearch",
    "RuleCounts",
    "Searcher",
    "Sweep",
    "Tpe",
    "Trial",
    "count_rules",
    "search",
]
