"""How a command ends: 0, 1 with one line on standard error when refused, 2 on wrong usage."""

import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from labhub.config import ConfigurationError
from labhub.errors import Refusal

MOST_FIELDS = 100
"""Problems that one line names."""


def run(command: click.Command, arguments: Sequence[str] | None, name: str) -> NoReturn:
    """Run a command and turn every refusal into one line and an exit status."""
    try:
        status = command.main(
            list(arguments) if arguments is not None else None, standalone_mode=False, prog_name=name
        )
        sys.exit(status if isinstance(status, int) else 0)  # click returns the status of Exit
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(1)
    except Refusal as refusal:
        click.echo(f"labhub: {one_line(refusal)}", err=True)
        sys.exit(1)
    except ConfigurationError as error:
        click.echo(f"labhub: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()  # nobody reads any more: nothing is left to be said
        sys.exit(1)
    except OSError as error:
        click.echo(f"labhub: {error.strerror or error}: {error.filename or ''}".rstrip(": "), err=True)
        sys.exit(1)


def one_line(refusal: Refusal) -> str:
    """Return a refusal with its fields, on one line."""
    text = " ".join(str(refusal.message).split())
    fields = [
        f"{name}: {' '.join(str(one).split())}"
        for name, texts in refusal.errors.items()
        for one in texts
        if str(one) != str(refusal.message)
    ]
    if len(fields) > MOST_FIELDS:
        fields[MOST_FIELDS:] = [f"and {len(fields) - MOST_FIELDS} more"]
    return text + (f" [{'; '.join(fields)}]" if fields else "")
