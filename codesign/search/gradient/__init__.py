"""The differentiable search over networks: relaxed choices, exact cost tables, limits that hold, a light predictor."""

from codesign.search.gradient.cells import CellResult, Explored, explore_cells, search_cells
from codesign.search.gradient.legal import Legality, Limit, Limited, Listed, nearest_legal
from codesign.search.gradient.map_tables import map_costs, map_cycles, map_figure, map_parameters
from codesign.search.gradient.maps import MapResult, check_images, search_maps
from codesign.search.gradient.relaxed import Mode, RelaxedChoices, annealed
from codesign.search.gradient.search import Drop, Found, GradientConfig, Step, gradient_search
from codesign.search.gradient.table_luts import table_luts
from codesign.search.gradient.tables import Table, TableProduct, TableSum, whole_table
from codesign.search.networks.predictor import Predictor, cell_features

__all__ = [
    "CellResult",
    "Drop",
    "Explored",
    "Found",
    "GradientConfig",
    "Legality",
    "Limit",
    "Limited",
    "Listed",
    "MapResult",
    "Mode",
    "Predictor",
    "RelaxedChoices",
    "Step",
    "Table",
    "TableProduct",
    "TableSum",
    "annealed",
    "cell_features",
    "check_images",
    "explore_cells",
    "gradient_search",
    "map_costs",
    "map_cycles",
    "map_figure",
    "map_parameters",
    "nearest_legal",
    "search_cells",
    "search_maps",
    "table_luts",
    "whole_table",
]
