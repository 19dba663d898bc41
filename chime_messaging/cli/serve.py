"""``chime serve``."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from chime_messaging.errors import ConfigurationError
from chime_messaging.ids import parse_arn
from chime_messaging.server.configuration import Authorization, ServerConfiguration
from chime_messaging.server.logs import configure_logs
from chime_messaging.server.media import installed_media
from chime_messaging.server.serving import Node, serve


@dataclass(frozen=True, slots=True)
class Media:
    """How the media of meetings is served."""

    port: int = 0
    hosts: tuple[str, ...] = ()
    turn: tuple[str, ...] = ()
    turn_user: str = field(default="", repr=False)
    """``NAME:PASSWORD``."""
    turn_secret: str = field(default="", repr=False)
    js_sdk: str | None = None


def run(
    *,
    host: str,
    port: int,
    database: str | None,
    tls: bool,
    media: Media | None,
    quotas: bool,
    trust: bool,
    strict: bool,
    public_host: str | None,
    processors: Sequence[str],
    streams: str | None,
) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ConfigurationError: if the server cannot listen at this address, the database cannot be opened, or a processor
            is not given as ARN=URL.
    """
    configure_logs()
    plugin = installed_media() if media is not None else None
    media = media or Media()
    username, _, password = media.turn_user.partition(":")
    authorization = Authorization.TRUST if trust else Authorization.STRICT if strict else Authorization.ROLES
    configuration = ServerConfiguration(
        host=host,
        port=port,
        public_host=public_host,
        database=database,
        tls=tls,
        authorization=authorization,
        quotas=quotas,
        streaming_path=streams,
        processors=tuple(_processor(text) for text in processors),
        media=plugin,
        media_port=media.port,
        media_hosts=media.hosts,
        turn_uris=tuple(map(_turn_uri, media.turn)),
        turn_username=username,
        turn_password=password,
        turn_secret=media.turn_secret,
        js_sdk=media.js_sdk,
    )
    try:
        serve(configuration, _announce)
    except SQLAlchemyError as exc:
        raise ConfigurationError("db", f"{_without_password(database)}: {getattr(exc, 'orig', None) or exc}") from exc
    except ModuleNotFoundError as exc:
        if database is None or "://" not in database:
            raise
        raise ConfigurationError("db", f"this URL needs a driver: pip install {exc.name}") from exc
    except OSError as exc:
        problem = _address_problem(exc)
        if problem is None:
            raise
        raise ConfigurationError("address", f"cannot listen on {host}:{port}: {problem}") from exc


def _announce(node: Node) -> None:
    print(f"ready {node.url}", flush=True)


def _processor(text: str) -> tuple[str, str]:
    arn, _, url = text.partition("=")
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError("processor", f"{text!r} is not ARN=URL with an http or https URL")
    return parse_arn(arn, "processor").text, url


def _turn_uri(text: str) -> str:
    if not text.startswith(("turn:", "turns:")):
        raise ConfigurationError("turn", f"{text!r} does not begin with turn: or turns:")
    return text


def _address_problem(error: OSError) -> str | None:
    """What is wrong with the address; None if the error is about something else."""
    if isinstance(error, socket.gaierror):
        return error.strerror
    if error.errno in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES):
        return os.strerror(error.errno)
    return None


def _without_password(database: str | None) -> str:
    try:
        return make_url(database or "").render_as_string(hide_password=True)
    except SQLAlchemyError:
        return "URL" if database and "://" in database else str(database)
