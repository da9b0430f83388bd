"""The ``labhub`` command, also ``python -m labhub``.

A command that needs no hub is run by its own module, so that it starts in a fraction of the
time that the application takes to load; all others, and the help, come from ``labhub.cli``.
"""

import os
import sys
from collections.abc import Mapping
from importlib import import_module

from labhub.endings import run

LIGHT: Mapping[tuple[str, ...], tuple[str, str]] = {
    ("insilico",): ("labhub.engine_cli", "insilico"),
    ("sequences", "pack"): ("labhub.engine_cli", "pack"),
    ("identify",): ("labhub.identify_cli", "identify"),
}
"""Words of a command, and the module and name of what runs it."""


def main() -> None:
    """Run the command that the arguments name."""
    for words, (module, name) in LIGHT.items():
        if tuple(sys.argv[1 : 1 + len(words)]) == words:
            # Searches use no linear algebra: its threads would only cost time at the start.
            os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
            command = getattr(import_module(module), name)
            run(command, sys.argv[1 + len(words) :], " ".join(("labhub", *words)))
    import_module("labhub.cli").main()


if __name__ == "__main__":
    main()
