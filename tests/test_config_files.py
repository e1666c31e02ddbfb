import pytest
import yaml
from jsonschema import Draft202012Validator

from pipeline.artefacts.metric_names import METRICS
from pipeline.config import default_config
from pipeline.config_files import FILES, ROOT, config_text, write_config_files
from pipeline.config_keys import LAYOUT, SECTIONS, RunKeys
from pipeline.training.methods.presets import METHODS
from pipeline.tunables import meaning_of, tunables_of

SCHEMA = yaml.safe_load(FILES["workflow/schemas/config.schema.yaml"]())


@pytest.mark.parametrize("name", FILES)
def test_generated_files_are_current(name):
    assert (ROOT / name).read_text(encoding="utf-8") == FILES[name](), "run `make config`"


def test_the_layout_holds_every_key_and_section_once():
    names = [name for _, group in LAYOUT for name in group]
    assert sorted(names) == sorted([*(key.name for key in tunables_of(RunKeys)), *SECTIONS])


def test_the_default_config_says_what_the_declarations_say():
    assert yaml.safe_load(config_text()) == default_config()
    Draft202012Validator(SCHEMA).validate(default_config())


def test_every_key_is_described_on_one_line():
    for kind in (RunKeys, *SECTIONS.values()):
        for key in tunables_of(kind):
            assert meaning_of(key)
            assert "\n" not in meaning_of(key)


def test_training_keys_show_the_values_of_the_methods():
    text = config_text()
    assert "patience: null" in text
    assert "(default 40, paper 0)" in text
    assert "(default 0.1, paper_a 0.2, paper_b 0.0, literature 0.25)" in text
    assert "(default 0.001, paper 0.0001, literature 0.0002)" in text


def test_the_schema_is_closed_at_every_level():
    sections = [rule for rule in SCHEMA["properties"].values() if "properties" in rule]
    assert len(sections) == len(SECTIONS)
    assert all(rule["additionalProperties"] is False for rule in (SCHEMA, *sections))


def test_enumerations_name_what_the_code_knows():
    properties = SCHEMA["properties"]
    assert set(properties["methods"]["items"]["enum"]) == set(METHODS)
    assert set(properties["prediction"]["properties"]["method"]["enum"]) == set(METHODS)
    assert set(properties["report"]["properties"]["headline_metric"]["enum"]) == set(METRICS)


def test_files_are_written_where_asked(tmp_path):
    for folder in ("config", "workflow/schemas"):
        (tmp_path / folder).mkdir(parents=True)
    write_config_files(tmp_path)
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.yaml")) == sorted(FILES)
