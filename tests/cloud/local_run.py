"""Runs the experiment of a run folder as the local backend does."""

import sys
from pathlib import Path

from pipelines.run_local import main

if __name__ == "__main__":
    main(Path(sys.argv[1]))
