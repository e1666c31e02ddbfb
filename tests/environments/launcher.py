"""An environment that holds Snakemake and what it depends on, linked from the installed packages.

    python -m tests.environments.launcher FOLDER [DISTRIBUTION...]

Its commands are ``bin/python`` and ``bin/snakemake``.
"""

import subprocess
import sys
from pathlib import Path

import yaml

from tests.environments.installed import SITE_PACKAGES, closure, installed_in, link_files

ENTRY = "#!{python}\nimport sys\nfrom snakemake.cli import main\nsys.exit(main())\n"


def make_launcher(folder: Path, *more: str) -> set[str]:
    """Make the environment in ``folder``, with ``more`` distributions beside Snakemake; names of all that it holds."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    installed = installed_in(Path(yaml.__file__).parents[1])
    names = closure({"snakemake", *more}, installed)
    for name in names:
        link_files(installed[name], folder / SITE_PACKAGES)
    command = folder / "bin/snakemake"
    command.write_text(ENTRY.format(python=folder / "bin/python"))
    command.chmod(0o755)
    return names


if __name__ == "__main__":
    make_launcher(Path(sys.argv[1]).resolve(), *sys.argv[2:])
