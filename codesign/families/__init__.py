"""The accelerator families that can be searched: ours by name, a user's own by `module:Class`."""

from codesign.families.find import FAMILIES, find_family

__all__ = ["FAMILIES", "find_family"]
