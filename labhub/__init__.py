"""labhub: the data hub of the Network of Laboratories for the Detection and Identification of LMOs.

The application is put together in ``labhub.app``. It is loaded when somebody asks for it, so that
what needs no hub (``labhub insilico``) starts in a fraction of the time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labhub.app import alembic, create_app

__all__ = ["alembic", "create_app"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("labhub.app"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
