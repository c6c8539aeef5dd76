"""Network spaces: NAS-Bench-201 cells, convolutional networks for the engine, LUT networks, and users' own."""

from codesign.search.networks.cells import CellSpace, arch_of, operations_of
from codesign.search.networks.find import KINDS, network_space, network_spaces, read_network_space
from codesign.search.networks.maps import MapSpace
from codesign.search.networks.nasbench import Accuracies, load_accuracies
from codesign.search.networks.space import NetworkSpace, NetworkSpaceFile, Point
from codesign.search.networks.tables import TableSpace

__all__ = [
    "KINDS",
    "Accuracies",
    "CellSpace",
    "MapSpace",
    "NetworkSpace",
    "NetworkSpaceFile",
    "Point",
    "TableSpace",
    "arch_of",
    "load_accuracies",
    "network_space",
    "network_spaces",
    "operations_of",
    "read_network_space",
]
