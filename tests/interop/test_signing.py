import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chime_messaging.aws.credentials import Credentials
from chime_messaging.aws.signing import presign_connect_url

SCRIPT = Path(__file__).parent / "js" / "sign.mjs"
USER = "arn:aws:chime:us-east-1:123456789012:app-instance/59a98c52-c9c3-4bb8-b5b6-3b1ec1f3d8f4/user/ann.o:dom_-@x.y"

pytestmark = pytest.mark.interop


def case(**changes: Any) -> dict[str, Any]:
    return {
        "now": "2024-02-29T23:59:59.999Z",
        "region": "us-east-1",
        "credentials": {"accessKeyId": "AKIAEXAMPLE", "secretAccessKey": "secret/+=key", "sessionToken": ""},
        "host": "node001.ue1.ws-messaging.chime.aws",
        "query": {"userArn": USER, "sessionId": "1952333537"},
    } | changes


CASES = [
    case(),
    case(region="eu-central-1", now="2031-12-01T00:00:00Z"),
    case(host="Node001.UE1.ws-messaging.chime.aws"),
    case(host="localhost:9999"),
    case(credentials={"accessKeyId": "ASIA", "secretAccessKey": "s", "sessionToken": "FwoG/+Zz=="}),
    case(query={"userArn": USER, "sessionId": "a b&c=d/é+~%20☃", "prefetch-on": "connect"}),
    case(query={"userArn": USER, "sessionId": "1", "prefetch-on": "connect", "prefetch-sort-by": "unread"}),
    case(query={"userArn": USER, "sessionId": "1", "prefetch-sort-by": "last-message-timestamp"}),
]


def ours(case: dict[str, Any], official: str) -> str:
    sent = {name: values[0] for name, values in parse_qs(urlsplit(official).query).items()}
    keys, query = case["credentials"], case["query"]
    return presign_connect_url(
        case["host"],
        user_arn=query["userArn"],
        session_id=query["sessionId"],
        region=case["region"],
        credentials=Credentials(keys["accessKeyId"], keys["secretAccessKey"], keys["sessionToken"] or None),
        prefetch="prefetch-on" in query,
        prefetch_sort_by=query.get("prefetch-sort-by"),
        query={name: sent[name] for name in ("X-Amzn-Version", "X-Amzn-User-Agent")},
        now=datetime.fromisoformat(case["now"]).astimezone(UTC),
    )


def test_our_urls_are_those_of_the_official_signer(node: str) -> None:
    run = subprocess.run(
        [node, str(SCRIPT)], input=json.dumps(CASES), capture_output=True, text=True, timeout=50, check=True
    )
    official = json.loads(run.stdout)
    assert len(official) == len(CASES)
    for case, url in zip(CASES, official, strict=True):
        # The official signer signs the host in lower case and connects to it as it was written.
        url = url.replace(case["host"], case["host"].lower(), 1)
        assert ours(case, url) == url
