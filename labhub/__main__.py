"""``python -m labhub`` is the ``labhub`` command."""

from labhub.cli import main

if __name__ == "__main__":
    main()
