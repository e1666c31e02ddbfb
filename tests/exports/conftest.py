import pytest

from tests.exports.results_folder import Results, build_results


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Results:
    """Results of a run, not to be changed; see ``results_folder``."""
    return build_results(tmp_path_factory.mktemp("exports"))
