"""What an unmodified AWS client needs in its environment to talk to a local server."""

from __future__ import annotations

from pathlib import Path

from chime_messaging.server.configuration import LOCAL_REGION, ServerConfiguration


def client_environment(
    url: str, configuration: ServerConfiguration | None = None, ca_path: Path | None = None
) -> dict[str, str]:
    """Build the variables.

    Args:
        url: of the server, for example ``http://127.0.0.1:8765``.
        configuration: of the server, for region and keys.
        ca_path: certificate of the server's authority, with TLS.
    """
    configuration = configuration or ServerConfiguration(region=LOCAL_REGION)
    key, secret = configuration.keys[0]
    variables = {
        "AWS_ENDPOINT_URL_CHIME_SDK_MESSAGING": url,
        "AWS_ENDPOINT_URL_CHIME_SDK_IDENTITY": url,
        "AWS_ENDPOINT_URL_CHIME_SDK_MEETINGS": url,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": configuration.region,
        "AWS_DEFAULT_REGION": configuration.region,
    }
    if ca_path is not None:
        variables["AWS_CA_BUNDLE"] = str(ca_path)
        variables["NODE_EXTRA_CA_CERTS"] = str(ca_path)
    return variables
