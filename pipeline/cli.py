"""The ``abignet`` command: the other doorway to the functions that the rules call.

Exit codes: 0 done; 1 a defect of abignet (with traceback), or what `abignet check` found; 2 a user error (one message,
with ``--debug`` also the traceback); 130 interrupted.
"""

import logging
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

import click

from pipeline import __version__
from pipeline.errors import AbignetError, refused_place
from pipeline.logs import LINE_FORMAT, ROOT_LOGGER

COMMANDS = {
    "doctor": "Check this machine: versions, weights, devices, readers.",
    "config": "Print every key of the configuration, documented.",
    "tile": "Find the tissue of a slide and lay the grid of tiles.",
    "import-tiles": "Make a tile table from coordinates of TRIDENT or CLAM.",
    "export-tiles": "Write tiles as TRIDENT or CLAM coordinates, or as QuPath outlines.",
    "segment": "Segment the nuclei of a whole image.",
    "import-nuclei": "Make a nucleus table from nuclei that another program found.",
    "graphs": "Build the cell graphs of a slide from its tiles and nuclei.",
    "features": "Compute the feature caches of a sheet of slides.",
    "tune": "Search a method's settings inside the training folds.",
    "train": "Split, train and evaluate on a sheet of slides.",
    "predict": "Apply a trained model to feature caches.",
    "report": "Write the report of a training.",
    "explain": "Say which patches, edges and features spoke for each prediction.",
    "cancel": "End the jobs of a run that were left in SLURM.",
    "view": "Look at slides and what each stage made of them, on a local page.",
    "check": "List what is damaged or stale in a results folder.",
    "export-pyg": "Write cell and patch graphs as PyTorch Geometric reads them.",
    "export-graphml": "Write learned patch graphs for networkx, igraph, Gephi or Cytoscape.",
    "train-nuclei": "Train a compact nucleus segmentation network.",
    "import-h5": "Bring TRIDENT or CLAM features into the feature cache.",
    "synth": "Make synthetic slides or planted cohorts with known truth.",
}
"""Commands in the order of the science, with the line that ``abignet --help`` shows."""


class _Commands(click.Group):
    """Imports a command's module only when the command is called, so that help is instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the science."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name; None if there is none."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"pipeline.commands.{cmd_name.replace('-', '_')}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Names and what they do, without importing a command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="abignet")
@click.option("--debug", is_flag=True, help="Show the traceback of an error and debug messages (anywhere on the line).")
@click.option("--quiet", is_flag=True, help="Show warnings and errors only.")
def abignet(debug: bool, quiet: bool) -> None:
    """Learned patch graphs for histopathology, stage by stage.

    The whole pipeline runs as `snakemake --cores 8`; these commands run its stages one
    by one with the same functions.
    """
    level = logging.DEBUG if debug else logging.WARNING if quiet else logging.INFO
    logging.basicConfig(format=LINE_FORMAT, datefmt="%H:%M:%S", stream=sys.stderr)
    logging.getLogger(ROOT_LOGGER).setLevel(level)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    ordered = (["--debug"] if debug else []) + [argument for argument in given if argument != "--debug"]
    sys.exit(_exit_code(ordered, debug))


def _exit_code(arguments: list[str], debug: bool) -> int:
    try:
        # What a command exits with by itself is returned here; commands return nothing.
        code = abignet.main(args=arguments, prog_name="abignet", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return 130
    except AbignetError as error:
        return _told(error, debug)
    except OSError as error:
        if (refused := refused_place(error)) is None:
            raise
        return _told(refused, debug)
    return int(code or 0)


def _told(error: AbignetError, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    click.echo(f"error: {error}", err=True)
    return 2
