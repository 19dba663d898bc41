"""Acknowledged messages per second: SendChannelMessage here, SQS SendMessage on moto_server. Run: python sends.py.

32 concurrent senders with SigV4-signed requests over keep-alive connections, from another process; our server writes
every message to a SQLite file before it answers, moto keeps it in memory. With --boto3 the senders are threads with
real boto3 clients, which are slower than either server.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
import measure
from botocore.config import Config

from chime_messaging.server import serving
from chime_messaging.server.configuration import LOCAL_ACCESS_KEY, LOCAL_SECRET_KEY, ServerConfiguration

SENDERS = 32
MESSAGES_PER_QUEUE = 20
CONTENT = "x" * 256


def serve(port: int, database: str) -> None:
    """Our server as users start it, quotas aside."""
    serving.serve(ServerConfiguration(port=port, database=database, quotas=False), lambda node: None)


def client(service: str, port: int) -> Any:
    """A boto3 client with the local server's keys; it does not retry, so that failures show."""
    return boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id=LOCAL_ACCESS_KEY,
        aws_secret_access_key=LOCAL_SECRET_KEY,
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=SENDERS),
    )


def prepare_channel(port: int) -> tuple[str, str]:
    """A channel and the user who sends to it."""
    identity = client("chime-sdk-identity", port)
    instance = identity.create_app_instance(Name="benchmark", ClientRequestToken="instance")["AppInstanceArn"]
    user = identity.create_app_instance_user(
        AppInstanceArn=instance, AppInstanceUserId="ann", Name="Ann", ClientRequestToken="user"
    )["AppInstanceUserArn"]
    messaging = client("chime-sdk-messaging", port)
    channel = messaging.create_channel(
        AppInstanceArn=instance, Name="benchmark", ClientRequestToken="channel", ChimeBearer=user
    )["ChannelArn"]
    return channel, user


def signed_messages(port: int, channel: str, user: str, count: int) -> list[bytes]:
    """Signed SendChannelMessage requests, each with a token of its own."""
    url = f"http://127.0.0.1:{port}/channels/{quote(channel, safe='')}/messages"
    headers = {"Content-Type": "application/json", "x-amz-chime-bearer": user}

    def one() -> bytes:
        body = {
            "Content": CONTENT,
            "Type": "STANDARD",
            "Persistence": "PERSISTENT",
            "ClientRequestToken": str(uuid.uuid4()),
        }
        return measure.sign(
            LOCAL_ACCESS_KEY, LOCAL_SECRET_KEY, "chime", "POST", url, json.dumps(body).encode(), headers
        )

    return [one() for _ in range(count)]


def signed_sqs_messages(port: int, queues: list[str], count: int) -> list[bytes]:
    """Signed SQS SendMessage requests in the JSON protocol, to one queue after the other."""
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.SendMessage"}
    bodies = [json.dumps({"QueueUrl": queue, "MessageBody": CONTENT}).encode() for queue in queues]
    url = f"http://127.0.0.1:{port}/"
    return [
        measure.sign(LOCAL_ACCESS_KEY, LOCAL_SECRET_KEY, "sqs", "POST", url, bodies[n % len(bodies)], headers)
        for n in range(count)
    ]


def with_boto3(count: int, call: Callable[[int], Any]) -> measure.Sent:
    """The same number of senders as threads of this process, with real boto3."""
    failures = [0]

    def work(numbers: range) -> None:
        for number in numbers:
            try:
                call(number)
            except Exception as error:
                failures[0] += 1
                if failures[0] == 1:
                    print("first failure:", error)

    threads = [threading.Thread(target=work, args=(range(n, count, SENDERS),)) for n in range(SENDERS)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return measure.Sent(count, time.perf_counter() - started, failures[0])


def show(name: str, sent: measure.Sent, cpu: float) -> float:
    """Print a row; return the server's CPU seconds for each message."""
    print(
        f"{name:<42} {sent.per_second:8.0f} acknowledged/s  {cpu / sent.requests * 1e6:7.0f} us server CPU each  "
        f"{sent.failures} failures"
    )
    return cpu / sent.requests


def measure_ours(count: int, boto3_count: int) -> tuple[float, float]:
    """Messages per second, and CPU seconds for each."""
    port = measure.free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        measure.child(serve, port, str(Path(folder, "chime.sqlite"))) as pid,
    ):
        measure.wait_for_port(port)
        channel, user = prepare_channel(port)
        measure.send(port, signed_messages(port, channel, user, 200), SENDERS)
        requests = signed_messages(port, channel, user, count)
        cpu = measure.cpu_seconds(pid)
        sent = measure.send(port, requests, SENDERS)
        each = show("ours, SendChannelMessage to SQLite file", sent, measure.cpu_seconds(pid) - cpu)
        if boto3_count:
            messaging = client("chime-sdk-messaging", port)
            cpu = measure.cpu_seconds(pid)
            slow = with_boto3(
                boto3_count,
                lambda number: messaging.send_channel_message(
                    ChannelArn=channel,
                    Content=CONTENT,
                    Type="STANDARD",
                    Persistence="PERSISTENT",
                    ClientRequestToken=f"boto3-{number}",
                    ChimeBearer=user,
                ),
            )
            show("ours, by boto3", slow, measure.cpu_seconds(pid) - cpu)
        return sent.per_second, each


def measure_moto(count: int, boto3_count: int) -> tuple[float, float]:
    """Messages per second, and CPU seconds for each."""
    port = measure.free_port()
    with measure.program(str(Path(sys.executable).with_name("moto_server")), "-p", str(port)) as process:
        measure.wait_for_port(port)
        sqs = client("sqs", port)
        # moto walks through the whole queue on every send, so it gets a new one for every few messages.
        queues = [
            sqs.create_queue(QueueName=f"benchmark-{n}")["QueueUrl"] for n in range(1 + count // MESSAGES_PER_QUEUE)
        ]
        measure.send(port, signed_sqs_messages(port, queues, 100), SENDERS)
        requests = signed_sqs_messages(port, queues, count)
        cpu = measure.cpu_seconds(process.pid)
        sent = measure.send(port, requests, SENDERS)
        each = show("moto_server, SQS SendMessage to memory", sent, measure.cpu_seconds(process.pid) - cpu)
        if boto3_count:
            cpu = measure.cpu_seconds(process.pid)
            slow = with_boto3(
                boto3_count, lambda number: sqs.send_message(QueueUrl=queues[number % len(queues)], MessageBody=CONTENT)
            )
            show("moto_server, by boto3", slow, measure.cpu_seconds(process.pid) - cpu)
        return sent.per_second, each


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="messages to our server; moto gets a fifth")
    parser.add_argument("--boto3", type=int, default=1000, help="messages by real boto3, 0 for none")
    arguments = parser.parse_args()
    ours = measure_ours(arguments.count, arguments.boto3)
    moto = measure_moto(arguments.count // 5, arguments.boto3)
    print(f"ours / moto: {ours[0] / moto[0]:.1f} times the messages per second")
    print(f"moto / ours: {moto[1] / ours[1]:.1f} times the CPU for each")


if __name__ == "__main__":
    main()
