"""A local Chime on port 8765 whose channel flows find a processor and whose streams go to files. Ctrl-C ends it.

python examples/serve_with_flow.py
"""

import signal
from typing import Any

from chime_messaging.server import LocalServer, ServerConfiguration

LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:moderate"


def moderate(event: dict[str, Any]) -> dict[str, Any]:
    """Deny what is secret, let everything else pass."""
    return {"DeleteResource": "secret" in event["ChannelMessage"]["Content"]}


def main(port: int = 8765) -> None:
    with LocalServer(ServerConfiguration(port=port, database="chime.db", streaming_path="records")) as server:
        server.processors.register(LAMBDA, moderate)
        print("ready", server.url, flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    main()
