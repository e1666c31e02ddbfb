"""``python -m pipeline``: the ``abignet`` command."""

from pipeline.cli import main

if __name__ == "__main__":
    main()
