"""A stand-in for the command ``conda`` that solves, links and activates environments as Snakemake asks.

    python -m tests.environments.conda_command FOLDER CHANNELS

puts ``bin/conda`` and ``bin/activate`` into FOLDER.  They solve with ``py-rattler`` in the channels below the folder
CHANNELS, and only there: no server is asked.  Packages of a ``pip:`` section come from pip.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import rattler
import yaml

ROOT = Path(__file__).parents[2]
ACTIVATE = """export CONDA_PREFIX="$1" PATH="$1/bin:$PATH"
for _script in "$1"/etc/conda/activate.d/*.sh; do [ ! -e "$_script" ] || . "$_script"; done
"""
# The interpreter ends without waiting for the solver's threads, which crash it now and then on the way out.
COMMAND = """#!{python}
import os, sys
sys.path.insert(0, {root!r})
from pathlib import Path
from tests.environments.conda_command import answer
code = answer(sys.argv[1:], Path({folder!r}), Path({channels!r}))
sys.stdout.flush()
sys.stderr.flush()
os._exit(code)
"""


def put_command(folder: Path, channels: Path) -> None:
    """Write the two commands."""
    binaries = folder / "bin"
    binaries.mkdir(parents=True)
    (binaries / "activate").write_text(ACTIVATE)
    words = {"python": sys.executable, "root": str(ROOT), "folder": str(folder), "channels": str(channels)}
    (binaries / "conda").write_text(COMMAND.format(**words))
    (binaries / "conda").chmod(0o755)


def answer(arguments: list[str], folder: Path, channels: Path) -> int:
    """Do what the command line says; the exit code."""
    match arguments:
        case ["--version"]:
            print("conda 26.1.0")
        case ["info", *_]:
            print(json.dumps({"conda_prefix": str(folder), "root_prefix": str(folder), "platform": "linux-64"}))
        case ["config", *_]:
            print(json.dumps({"get": {"channel_priority": "strict"}}))
        case ["clean", *_]:
            pass
        case ["env", "create", *options]:
            return create(options, folder, channels)
        case _:
            print(f"conda stand-in: cannot do {arguments}", file=sys.stderr)
            return 2
    return 0


def create(options: list[str], folder: Path, channels: Path) -> int:
    """Solve an environment file and link what that gives."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--no-default-packages", action="store_true")
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--prefix", type=Path, required=True)
    given = parser.parse_args(options)
    wanted = yaml.safe_load(given.file.read_text(encoding="utf-8"))
    by_conda = [entry for entry in wanted["dependencies"] if isinstance(entry, str)]
    by_pip = [pin for entry in wanted["dependencies"] if isinstance(entry, dict) for pin in entry["pip"]]
    try:
        asyncio.run(link(wanted["channels"], by_conda, given.prefix, folder, channels))
    except rattler.exceptions.SolverError as error:
        print(error, file=sys.stderr)
        return 1
    if by_pip:
        pip = [str(given.prefix / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        return subprocess.run([*pip, *by_pip], check=False).returncode
    return 0


async def link(names: list[str], specs: list[str], prefix: Path, folder: Path, channels: Path) -> None:
    alias = rattler.ChannelConfig(channel_alias=channels.as_uri() + "/")
    here = [rattler.Channel(name, alias) for name in names if name != "nodefaults"]
    virtual = rattler.VirtualPackage.detect(rattler.VirtualPackageOverrides.from_env())
    records = await rattler.solve(here, specs, platforms=["linux-64", "noarch"], virtual_packages=virtual)
    print(*sorted(f"{record.name.source} {record.version}" for record in records), sep="\n")
    os.environ.setdefault("RATTLER_CACHE_DIR", str(folder / "cache"))
    await rattler.install(records, prefix, cache_dir=folder / "packages", show_progress=False)


if __name__ == "__main__":
    put_command(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
