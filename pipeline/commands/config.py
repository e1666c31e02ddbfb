"""``abignet config``."""

import click

from pipeline.config_files import GENERATED, config_schema_text, config_text, sheet_schema_text

SCHEMAS = {"config": config_schema_text, "slides": sheet_schema_text}


@click.command("config")
@click.option(
    "--schema",
    type=click.Choice(list(SCHEMAS)),
    help="Print the JSON Schema of the configuration or of a row of the sheet instead.",
)
def command(schema: str | None) -> None:
    """Print every key of the configuration with its default, its meaning and its unit.

    A file for --config holds only the keys that differ. An editor that knows JSON Schema
    checks it while you write.
    """
    text = config_text if schema is None else SCHEMAS[schema]
    click.echo(text().removeprefix(GENERATED), nl=False)
