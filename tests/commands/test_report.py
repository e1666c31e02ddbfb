import re

import pytest

from pipeline.artefacts.metrics import read_metrics, write_metrics
from pipeline.errors import ArtefactError
from pipeline.report.contents.report_sources import ReportSources
from tests.commands.running import run

QUICK = ["--folds", 3, "--set", "splits.select_share=0", "--set", "epochs=1"]
PLAIN = ["--no-panels", "--set", "report.n_overlays=0"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory, cohort):
    """One method, and two beside each other."""
    folder = tmp_path_factory.mktemp("trained")
    sheet = ["train", "--sheet", cohort / "slides.csv"]
    assert run(*sheet, "--out", folder / "one", "--method", "logistic", *QUICK) == 0
    assert run(*sheet, "--out", folder / "two", "--method", "logistic,cosine_graph", *QUICK) == 0
    return folder


def report(trained, cohort, *options):
    return run("report", trained, "--sheet", cohort / "slides.csv", *options)


def test_one_method_stands_alone(trained, cohort, capsys):
    assert report(trained / "one", cohort, *PLAIN) == 0
    page = (trained / "one/report/index.html").read_text()
    assert "logistic stands alone" in page
    assert not (trained / "one/report/panels").exists()
    assert not re.search(r'href="panels/', page)
    assert "1 method on 12 slides" in capsys.readouterr().out


def test_several_methods_are_compared_and_slides_have_panels(trained, cohort, tmp_path):
    options = ["--out", tmp_path / "page", "--set", "report.n_overlays=1"]
    assert report(trained / "two", cohort, *options) == 0
    page = (tmp_path / "page/index.html").read_text()
    assert "cosine_graph" in page
    linked = re.findall(r'href="(panels/[^"]+)"', page)
    assert len(linked) == 12
    assert all((tmp_path / "page" / path).is_file() for path in linked)


def test_a_folder_without_a_training_is_refused(trained, cohort, tmp_path, capsys):
    assert report(tmp_path, cohort, *PLAIN) == 2
    assert "Give --out of `abignet train`" in capsys.readouterr().err


def test_methods_of_several_seeds_are_refused(trained, tmp_path):
    for seed, method in ((0, "logistic"), (7, "cosine_graph")):
        metrics = read_metrics(trained / "two" / method / "metrics.json")
        write_metrics(tmp_path / method / "metrics.json", {**metrics, "seed": seed})
    with pytest.raises(ArtefactError, match="found seeds 0, 7"):
        ReportSources.of_trained(tmp_path, [], {}, {})
