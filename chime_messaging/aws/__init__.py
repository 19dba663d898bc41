"""Room: what does AWS want? Endpoint lookup, SigV4 presigning, credentials, control-plane calls off the event loop.

The only client room that knows boto3 and botocore. May import `transport`, `observers` and what stands below them.
"""

from chime_messaging.aws.clients import create_client, open_client
from chime_messaging.aws.control_plane import ControlPlane
from chime_messaging.aws.credentials import Credentials, resolve_credentials
from chime_messaging.aws.endpoint import SessionEndpoint, resolve_endpoint
from chime_messaging.aws.regions import nearest_media_region
from chime_messaging.aws.signing import presign_connect_url

__all__ = [
    "ControlPlane",
    "Credentials",
    "SessionEndpoint",
    "create_client",
    "nearest_media_region",
    "open_client",
    "presign_connect_url",
    "resolve_credentials",
    "resolve_endpoint",
]
