"""A network of tables as Verilog: stages, registers, protocol, and the folder that stands alone."""

from codesign.rtl.design import Design, Field
from codesign.rtl.emit import emit

__all__ = ["Design", "Field", "emit"]
