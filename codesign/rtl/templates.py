"""Renders the Jinja templates of the pipeline family; a name that a template misses is an error."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import jinja2

from codesign.resources import resource_dir

__all__ = ["render"]


@lru_cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource_dir("rtl_templates") / "pipeline"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )


def render(name: str, **context: Any) -> str:
    """Return the template `name` of rtl_templates/pipeline, filled in."""
    return _environment().get_template(name).render(context)
