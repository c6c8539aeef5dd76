"""A network of tables as Verilog: stages, registers, protocol, and the folder that stands alone."""

from codesign.rtl.design import Design, Field
from codesign.rtl.emit import emit
from codesign.rtl.top import RESERVED_WORDS, top_name

__all__ = ["Design", "Field", "RESERVED_WORDS", "emit", "top_name"]
