from pathlib import Path

from pipeline.artefacts.sheet import SlideRow
from pipeline.report.contents.report_sources import ReportSources

CONFIG = {"run": "main", "methods": ["default"], "seeds": [0, 1]}


def below(labels: dict[str, str | None], new: tuple[str, ...] = ()) -> ReportSources:
    rows = [SlideRow(slide_id, label=label).plain() for slide_id, label in labels.items()]
    return ReportSources.below(Path("out"), rows=rows, config=CONFIG, folds=[0, 1, 2], computed=["a"], new_slides=new)


def test_every_file_lies_where_its_rule_writes_it() -> None:
    sources = below({"a": "x", "b": "y"})
    assert sources.tiles == {"a": Path("out/tiles/a.parquet")}
    assert sources.overviews == {"a": Path("out/tiles/a.png")}
    assert sources.nuclei == {"a": Path("out/nuclei/a.parquet")}
    assert sources.features == {"a": Path("out/features/a.zarr"), "b": Path("out/features/b.zarr")}
    assert sources.splits == Path("out/training/main/splits.csv")
    assert sources.excluded == Path("out/training/main/excluded.csv")
    assert sources.comparison == Path("out/training/main/comparison.csv")
    assert sources.metrics("default", 1) == Path("out/training/main/default/seed_1/metrics.json")
    assert sources.fold_folder("default", 1, 2) == Path("out/training/main/default/seed_1/fold_2")
    assert (sources.run, sources.methods, sources.seeds, sources.folds) == ("main", ["default"], [0, 1], [0, 1, 2])


def test_predictions_are_there_where_a_slide_has_no_label_or_is_new() -> None:
    assert below({"a": "x"}).predictions is None
    assert below({"a": None}).predictions == Path("out/predictions/main.csv")
    new = below({"a": "x"}, new=("a",))
    assert new.predictions == Path("out/predictions/main.csv")
    assert new.new_slides == {"a"}
