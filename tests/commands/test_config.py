import pytest
import yaml
from click.testing import CliRunner

from pipeline.commands.config import command
from pipeline.config import default_config, load_config
from pipeline.config_files import FILES, ROOT


def printed(*arguments: str) -> str:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_documented_configuration_is_printed_and_can_be_given_back(tmp_path):
    text = printed()
    assert (ROOT / "config/config.yaml").read_text().endswith("\n" + text)
    assert text.startswith("# The configuration, with every key")
    (tmp_path / "mine.yaml").write_text(text)
    assert load_config(tmp_path / "mine.yaml") == default_config()


@pytest.mark.parametrize("schema", ["config", "slides"])
def test_each_schema_is_printed(schema):
    text = printed("--schema", schema)
    assert yaml.safe_load(text) == yaml.safe_load(FILES[f"workflow/schemas/{schema}.schema.yaml"]())
    assert text.startswith("$schema:")
