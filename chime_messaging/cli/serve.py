"""``chime serve``."""

from __future__ import annotations

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
        raise ConfigurationError("address", f"cannot listen on {host}:{port}: {exc.strerror or exc}") from exc


def _announce(node: Node) -> None:
    print(f"ready {node.url}", flush=True)
