"""Fixtures of the report's tests."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.report.contents.report_contents import ReportContents, read_contents
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.params import ReportParams
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


@pytest.fixture(scope="session")
def standard(standard_run: ReportSources) -> ReportContents:
    """The standard run, read, with three pictures of each kind."""
    return read_contents(standard_run, ReportParams(n_overlays=3))
