"""``python -m tests.fuzz.coverage_guided FORMAT [CORPUS] [-max_total_time=S]``: inputs led by the lines they reach.

Needs the extra ``fuzz`` (atheris).  For formats that are read by Python; compiled libraries show atheris nothing.
Ends at the first traceback and leaves its input in the working folder (``crash-*``).
"""

import logging
import sys
import tempfile
from pathlib import Path

import atheris

from tests.fuzz.formats import FORMATS


def main() -> None:
    kind = FORMATS[sys.argv[1]]
    with atheris.instrument_imports(include=["pipeline", "yaml", "json"]):
        examples = kind.examples(Path(tempfile.mkdtemp()))
        kind.read(examples[0])
        from pipeline.errors import AbignetError
    path = examples[0].with_name(f"input{examples[0].suffix}")
    corpus = Path(tempfile.mkdtemp())
    for number, example in enumerate(examples):
        (corpus / str(number)).write_bytes(example.read_bytes())

    def try_one(content: bytes) -> None:
        path.write_bytes(content)
        try:
            kind.read(path)
        except AbignetError:
            return

    logging.disable()
    # Python's own YAML and a printed traceback are slow: an input may take a few seconds.
    atheris.Setup([sys.argv[0], "-rss_limit_mb=2048", "-timeout=5", str(corpus), *sys.argv[2:]], try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
