"""The joint search of LUT networks for the pipeline: shape, bits, sparsity, registers; hard limits."""

from codesign.search.luts.config import LIMITS, LutSearchConfig, LutSearchOptions
from codesign.search.luts.content import Content, LayerContent, network_layers, read_content
from codesign.search.luts.figures import Figures
from codesign.search.luts.lut_model import LutModel, calibrated, held_out
from codesign.search.luts.problem import Candidate, LutProblem, Relaxation
from codesign.search.luts.search import LutSearchResult, build_of, realise, search_luts

__all__ = [
    "LIMITS",
    "Candidate",
    "Content",
    "Figures",
    "LayerContent",
    "LutModel",
    "LutProblem",
    "LutSearchConfig",
    "LutSearchOptions",
    "LutSearchResult",
    "Relaxation",
    "build_of",
    "calibrated",
    "held_out",
    "network_layers",
    "read_content",
    "realise",
    "search_luts",
]
