"""External programs: finding them, their versions, running them within limits."""

from codesign.tools.find import Found, Tool, find, wheel_version
from codesign.tools.process import Finished, run

__all__ = ["Finished", "Found", "Tool", "find", "run", "wheel_version"]
