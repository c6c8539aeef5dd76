"""External programs: finding them, their versions, running them within limits."""

from codesign.tools.process import Finished, run

__all__ = ["Finished", "run"]
