"""Renders the Jinja templates of a family's Verilog; a name that a template misses is an error."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import jinja2

from codesign.resources import resource_dir

__all__ = ["render"]


@lru_cache
def _environment(family: str) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource_dir("rtl_templates") / family),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )


def render(template: str, /, *, family: str = "pipeline", **context: Any) -> str:
    """Return a template of rtl_templates/`family`, filled in."""
    return _environment(family).get_template(template).render(context)
