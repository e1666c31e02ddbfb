from collections.abc import Callable
from dataclasses import replace

import pandas as pd

from pipeline.report.contents.feature_separation import FeatureSeparation
from pipeline.report.contents.report_contents import ReportContents, read_contents
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.page.section_cautions import applying_cautions
from pipeline.report.page.section_features import features
from pipeline.report.params import ReportParams
from tests.report.page_reading import captions, frame, tables, texts


def finding(patient: float) -> FeatureSeparation:
    rows = [("first", 0.5, 0.001, patient, 1.0, 2.0), ("nematic_order", 0.25, 0.2, patient, 0.5, 0.25)]
    columns = ["feature", "class_omega", "class_p", "patient_omega", "mean_benign", "mean_malignant"]
    return FeatureSeparation(pd.DataFrame(rows, columns=columns), 8, 4)


def with_finding(contents: ReportContents, found: FeatureSeparation | None) -> ReportContents:
    changed = replace(contents)
    changed.__dict__["feature_separation"] = found
    return changed


def test_what_separates_is_said_in_words(standard: ReportContents) -> None:
    said = texts(features(with_finding(standard, finding(0.1))))
    assert "8 images of 4 patients: first separates the classes best, 50% of its variation" in said
    assert "more lies between classes than between patients of one class" in said
    assert "images of a patient resemble each other more" in texts(features(with_finding(standard, finding(0.9))))
    assert "Every patient has one image" in texts(features(with_finding(standard, finding(float("nan")))))


def test_every_feature_stands_in_the_table(standard: ReportContents) -> None:
    shown = frame(tables(features(with_finding(standard, finding(0.1))))[0])
    assert list(shown.columns[-2:]) == ["mean of benign", "mean of malignant"]
    assert shown.iloc[0].tolist() == ["first", "0.500", "0.001", "0.100", "1", "2"]


def test_features_of_a_run_are_read_and_orientation_is_shown_where_there_is_any(standard: ReportContents) -> None:
    section = features(standard)
    assert sorted(frame(tables(section)[0])["feature"]) == ["first", "second", "third"]
    assert list(captions(section)) == ["features"]


def test_slides_without_named_features_say_so(standard: ReportContents) -> None:
    assert "No features are compared" in texts(features(with_finding(standard, None)))


def test_patients_that_outweigh_classes_are_warned_of(build: Callable[..., ReportSources]) -> None:
    contents = read_contents(build(with_pictures=False), ReportParams())
    warned = [c for c in applying_cautions(with_finding(contents, finding(0.9))) if "Patients differ" in c.headline]
    assert len(warned) == 1
    assert "explain 90% of the variation between images and classes 38% (medians)" in warned[0].text
    assert not [c for c in applying_cautions(with_finding(contents, finding(0.1))) if "Patients differ" in c.headline]
