"""codesign: from a data set to proven Verilog, and the search for networks and accelerators together."""

__all__ = ["__version__"]
__version__ = "0.1.0"
