"""What it costs to read one SendChannelMessage: route, decode and check, next to botocore's own check of its members.

Run as ``python tests/benchmarks/rest_requests.py``; prints CPU time per request and the ratio.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from botocore.validate import ParamValidator

sys.path.insert(0, str(Path(__file__).parents[2]))

from chime_messaging.server.rest.model import service_model
from chime_messaging.server.rest.requests import Decoder, decode_body
from chime_messaging.server.rest.routes import Router, parse_query, split_path

ROUNDS = 20_000
CHANNEL = "arn:aws:chime:us-east-1:123456789012:app-instance/8f5b8e8e-0000-4000-8000-000000000000/channel/general"
MEMBERS = {
    "Content": "hello " * 40,
    "Type": "STANDARD",
    "Persistence": "PERSISTENT",
    "ClientRequestToken": "8f5b8e8e-0000-4000-8000-000000000000",
    "Metadata": "{}",
    "MessageAttributes": {"mention": {"StringValues": ["Bob", "Carol"]}},
}


def microseconds(work: Callable[[], object]) -> float:
    """CPU time of one call."""
    started = time.process_time()
    for _ in range(ROUNDS):
        work()
    return (time.process_time() - started) / ROUNDS * 1e6


def main() -> None:
    router = Router()
    decoders = {id(route): Decoder(route) for route in router.routes}
    path, body = f"/channels/{quote(CHANNEL, safe='')}/messages", json.dumps(MEMBERS).encode()
    shape = service_model("messaging").shape_for("SendChannelMessageRequest")
    validator = ParamValidator()

    def ours() -> object:
        segments, query = split_path(path), parse_query("")
        (route,) = router.find("POST", segments, query)
        return decoders[id(route)].decode(segments, query, decode_body(body))

    def peer() -> object:
        return validator.validate({**json.loads(body), "ChannelArn": CHANNEL, "ChimeBearer": CHANNEL}, shape)

    mine, other = microseconds(ours), microseconds(peer)
    print(f"route, decode, check all constraints: {mine:.1f} us")
    print(f"json, botocore's check of type and min: {other:.1f} us")
    print(f"ratio: {mine / other:.2f}")


if __name__ == "__main__":
    main()
