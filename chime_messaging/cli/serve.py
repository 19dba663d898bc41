"""``chime serve``."""

from __future__ import annotations

import errno
import os
import socket

from chime_messaging.errors import ConfigurationError
from chime_messaging.server.configuration import Authorization, ServerConfiguration
from chime_messaging.server.logs import configure_logs
from chime_messaging.server.serving import Node, serve


def run(
    *,
    host: str,
    port: int,
    database: str | None,
    tls: bool,
    media: bool,
    quotas: bool,
    trust: bool,
    strict: bool,
    public_host: str | None,
) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ConfigurationError: if the server cannot listen at this address.
    """
    del media  # meetings bring it with the media add-on; a server without them has none to leave out
    configure_logs()
    authorization = Authorization.TRUST if trust else Authorization.STRICT if strict else Authorization.ROLES
    configuration = ServerConfiguration(
        host=host,
        port=port,
        public_host=public_host,
        database=database,
        tls=tls,
        authorization=authorization,
        quotas=quotas,
    )
    try:
        serve(configuration, _announce)
    except OSError as exc:
        # Not every OSError is about the address: a database file that cannot be opened is one, too.
        reason = str(exc.strerror) if isinstance(exc, socket.gaierror) else os.strerror(exc.errno or 0)
        if exc.errno in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES) or isinstance(exc, socket.gaierror):
            raise ConfigurationError("address", f"cannot listen on {host}:{port}: {reason}") from exc
        raise


def _announce(node: Node) -> None:
    print(f"ready {node.url}", flush=True)
