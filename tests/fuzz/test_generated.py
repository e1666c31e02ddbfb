"""Files made up from their grammar, not from a true example: values of every type at every place."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import default_config, load_config
from pipeline.errors import AbignetError
from tests.fuzz.formats import FORMATS

EVERY_TIME_THE_SAME = settings(max_examples=150, derandomize=True, deadline=None, database=None)

PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
TREES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner))


def of_keys(**values: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    """Objects with some of these keys, each with a value of its kind or of any."""
    return st.fixed_dictionaries({}, optional={key: value | TREES for key, value in values.items()})


CORNERS = st.lists(st.lists(st.floats(0, 100) | PLAIN, max_size=3), max_size=6)
POLYGONS = st.lists(CORNERS, max_size=3)
KINDS = st.sampled_from(["Polygon", "MultiPolygon", "Point", "GeometryCollection", "Feature", "FeatureCollection"])
GEOMETRIES = st.recursive(
    of_keys(type=KINDS, coordinates=POLYGONS | st.lists(POLYGONS, max_size=2)),
    lambda inner: of_keys(type=KINDS, geometries=st.lists(inner, max_size=3)),
    max_leaves=5,
)
PROPERTIES = of_keys(
    objectType=st.sampled_from(["annotation", "detection", "tmaCore"]),
    isMissing=st.booleans(),
    classification=of_keys(name=st.text(max_size=9), names=st.lists(st.text(max_size=5))),
)
FEATURES = st.lists(of_keys(type=KINDS, geometry=GEOMETRIES, properties=PROPERTIES) | TREES, max_size=4)


def refusal(read: Callable[[], object]) -> str | None:
    """The words of an error of ours; None where all is taken."""
    try:
        read()
    except AbignetError as error:
        return str(error)
    return None


def reads(name: str, text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "input"
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        words = refusal(lambda: FORMATS[name].read(path))
    assert words is None or len(words) > 20


@given(of_keys(type=KINDS, features=FEATURES) | FEATURES | GEOMETRIES)
@EVERY_TIME_THE_SAME
def test_geojson(content: object) -> None:
    reads("geojson", json.dumps(content))


@given(st.lists(st.lists(st.text(alphabet='ab1.,"\n \u00e9\u200b/', max_size=9), max_size=9), max_size=5))
@EVERY_TIME_THE_SAME
def test_sheets(rows: list[list[str]]) -> None:
    reads("sheet", "slide_id,path,label,mpp\n" + "\n".join(",".join(cells) for cells in rows))


@given(st.dictionaries(st.sampled_from(sorted(default_config())) | st.text(max_size=5), TREES, max_size=4))
@EVERY_TIME_THE_SAME
def test_configurations(content: dict[str, object]) -> None:
    reads("config", yaml.safe_dump(content, allow_unicode=True))


@pytest.mark.parametrize("key", ["tiling.mpp", "seeds", "training.heads", "methods", "report.title", "sheet"])
def test_a_value_of_any_type_is_taken_or_refused(key: str) -> None:
    @given(TREES)
    @EVERY_TIME_THE_SAME
    def any_value(value: object) -> None:
        words = refusal(lambda: load_config(values={key: value}))
        assert words is None or "config" in words

    any_value()
