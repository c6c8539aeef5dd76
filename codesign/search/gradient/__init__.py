"""The differentiable search over networks: relaxed choices, exact cost tables, limits that hold, a light predictor."""

from codesign.search.gradient.cells import CellResult, search_cells
from codesign.search.gradient.relaxed import Mode, RelaxedChoices, annealed
from codesign.search.gradient.search import Drop, Found, GradientConfig, Step, gradient_search, nearest_legal
from codesign.search.gradient.tables import Table, TableSum, whole_table
from codesign.search.networks.predictor import Predictor, cell_features

__all__ = [
    "CellResult",
    "Drop",
    "Found",
    "GradientConfig",
    "Mode",
    "Predictor",
    "RelaxedChoices",
    "Step",
    "Table",
    "TableSum",
    "annealed",
    "cell_features",
    "gradient_search",
    "nearest_legal",
    "search_cells",
    "whole_table",
]
