"""The production server: granian around the WSGI application, with the embedded jobs inside."""

import atexit
import socket

from flask import Flask
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from labhub import create_app
from labhub.config import Config, ConfigurationError, load
from labhub.jobs import EmbeddedConsumer


def application() -> Flask:
    """Return the hub for a server process; without Redis it also runs the jobs."""
    app = create_app()
    config: Config = app.extensions["labhub.config"]
    if not config.redis_url:
        consumer = EmbeddedConsumer(app.extensions["labhub.jobs"], threads=3)
        consumer.start()
        atexit.register(consumer.stop)
    return app


def check_port(host: str, port: int) -> None:
    """Raise ``ConfigurationError`` when the address cannot be listened on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError as error:
            raise ConfigurationError(
                f"This user may not listen on port {port}. Choose one above 1023: LABHUB_PORT=8000 make run"
            ) from error
        except OSError as error:
            raise ConfigurationError(
                f"Port {port} of {host} is taken by another program. Stop it, or choose another port: "
                f"LABHUB_PORT={port + 1 if port < 65535 else 8000} make run"
            ) from error


def serve(host: str, port: int, workers: int, threads: int) -> None:
    """Serve until interrupted; requests in hand are finished first."""
    config = load()
    if workers > 1 and not config.redis_url:
        raise ConfigurationError(
            "More than one worker needs LABHUB_REDIS_URL: the jobs of the default live in one process."
        )
    check_port(host, port)
    Granian(
        "labhub.serving:application",
        factory=True,
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=threads,
        workers_kill_timeout=10,
        log_level=LogLevels.error,
        backpressure=512,
    ).serve()
