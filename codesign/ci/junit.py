"""Writes checks as JUnit XML, which every continuous-integration service shows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from codesign.ci.checks import Check

__all__ = ["write_junit"]

_OUTPUT_CHARACTERS = 20_000
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(checks: Sequence[Check], path: Path, *, suite: str) -> None:
    """Write `checks` to `path` as one test suite, whole or not at all; characters that XML forbids become "?"."""
    states = [check.state for check in checks]
    facts = {
        "name": suite,
        "tests": str(len(checks)),
        "failures": str(states.count("failed")),
        "errors": str(states.count("error")),
        "skipped": str(states.count("skipped")),
        "time": f"{sum(check.seconds for check in checks):.3f}",
    }
    root = ElementTree.Element("testsuites")
    holder = ElementTree.SubElement(root, "testsuite", facts)
    for check in checks:
        facts = {"classname": suite, "name": check.name, "time": f"{check.seconds:.3f}"}
        case = ElementTree.SubElement(holder, "testcase", facts)
        if check.reached:
            properties = ElementTree.SubElement(case, "properties")
            for name, value in check.reached:
                ElementTree.SubElement(properties, "property", {"name": f"reached: {name}", "value": value})
        text = _NOT_XML.sub("?", check.detail)
        if check.state in ("failed", "error"):
            kind = "failure" if check.state == "failed" else "error"
            ElementTree.SubElement(case, kind, {"message": text.splitlines()[0] if text else ""}).text = text
        elif check.state == "skipped":
            ElementTree.SubElement(case, "skipped", {"message": text})
        output = check.output[-_OUTPUT_CHARACTERS:]
        if check.state == "passed":
            output = "\n".join(part for part in (text, output) if part)
        if output:
            ElementTree.SubElement(case, "system-out").text = _NOT_XML.sub("?", output)
    ElementTree.indent(root)
    part = path.with_name(f".{path.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(root).write(part, encoding="utf-8", xml_declaration=True)
    part.replace(path)
