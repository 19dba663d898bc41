"""A local Chime on port 8765 whose channel flows find a processor and whose streams go to files. Ctrl-C ends it.

python examples/serve_with_flow.py
"""

import signal
import threading
from typing import Any

from chime_messaging.server import LocalServer, ServerConfiguration

LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:moderate"


def moderate(event: dict[str, Any]) -> dict[str, Any]:
    """Deny what is secret, let everything else pass."""
    return {"DeleteResource": "secret" in event["ChannelMessage"]["Content"]}


def main(port: int = 8765) -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with LocalServer(ServerConfiguration(port=port, database="chime.db", streaming_path="records")) as server:
        server.processors.register(LAMBDA, moderate)
        print("ready", server.url, flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
