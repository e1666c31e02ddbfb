import pytest

from pipeline.artefacts.remedies import COMMANDS, damaged, remedy
from pipeline.cli import COMMANDS as OF_THE_COMMAND_LINE


@pytest.mark.parametrize("kind", COMMANDS)
def test_every_remedy_is_a_command_that_there_is(kind):
    for command in COMMANDS[kind].split("` or `"):
        assert command.removeprefix("abignet ") in OF_THE_COMMAND_LINE


def test_an_error_names_file_fault_and_what_makes_it_again():
    assert str(damaged("tiles", "out/tiles/a.parquet", "it is cut off")) == (
        "out/tiles/a.parquet: it is cut off. " + remedy("tiles", "out/tiles/a.parquet")
    )
    assert "`snakemake --forcerun out/tiles/a.parquet`" in remedy("tiles", "out/tiles/a.parquet")
    assert remedy("an odd kind", "x") == "Make it again: `snakemake --forcerun x`."
