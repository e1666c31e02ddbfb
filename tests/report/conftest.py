"""Fixtures of the report's tests."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.report.contents.report_sources import ReportSources
from tests.report.results_tree import Recipe, Tree


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., ReportSources]:
    """Function that writes a results tree; keywords change the recipe."""

    def make(**changes: object) -> ReportSources:
        return Tree(tmp_path, replace(Recipe(), **changes)).build()  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def standard_run(tmp_path_factory: pytest.TempPathFactory) -> ReportSources:
    """The tree of the standard recipe; read it only."""
    return Tree(tmp_path_factory.mktemp("standard"), Recipe()).build()
