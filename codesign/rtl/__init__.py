"""A network of tables as Verilog: stages, registers, protocol, and the folder that stands alone."""

from codesign.rtl.design import Design, Field
from codesign.rtl.emit import emit
from codesign.rtl.mapped import MappedNetwork, evaluate_mapped
from codesign.rtl.mapping import check_mapped, map_network
from codesign.rtl.vectors import golden_vectors, port_codes, write_vectors

__all__ = [
    "Design",
    "Field",
    "MappedNetwork",
    "check_mapped",
    "emit",
    "evaluate_mapped",
    "golden_vectors",
    "map_network",
    "port_codes",
    "write_vectors",
]
