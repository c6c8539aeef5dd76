"""codesign: from a data set to proven Verilog, and the search for networks and accelerators together."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codesign.hardware_model import HardwareModel

__all__ = ["HardwareModel", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "HardwareModel":
        from codesign.hardware_model import HardwareModel

        return HardwareModel
    raise AttributeError(f"module 'codesign' has no attribute {name!r}")
