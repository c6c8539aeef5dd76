"""Hatchling hook: puts the resource rooms inside the wheel; an editable install reads the checkout instead."""

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ResourceHook(BuildHookInterface):
    """Adds ``codesign/_resources/<room>`` to every build but the editable one."""

    def initialize(self, version, build_data):
        """Add the rooms to `build_data`; hatchling calls this before each build."""
        if version == "editable" or self.target_name != "wheel":
            return
        for room in ("rtl_templates", "accel_space", "flows", "sim"):
            build_data["force_include"][f"{self.root}/{room}"] = f"codesign/_resources/{room}"
