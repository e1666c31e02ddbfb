"""Accessibility of a page by axe-core, whose file is vendored with its licence and checked by its hash."""

import hashlib
from functools import cache
from pathlib import Path

from tests.browser import Tab

VENDORED = Path(__file__).parent / "vendored/axe-core"


@cache
def axe_source() -> str:
    """The script; refused if it is not the one whose hash stands in its README."""
    content = (VENDORED / "axe.min.js").read_bytes()
    assert hashlib.sha256(content).hexdigest() in (VENDORED / "README.md").read_text()
    return content.decode()


def violations(tab: Tab) -> list[str]:
    """What axe finds against WCAG 2.1 AA and its best practices: rule, and the first element at fault."""
    tab.run(f"{axe_source()}; true")
    return list(
        tab.run(
            "axe.run(document, {resultTypes: ['violations']}).then((found) => found.violations.map("
            "(one) => `${one.id}: ${one.nodes[0].html.slice(0, 200)} (${one.nodes.length})`))"
        )
    )
