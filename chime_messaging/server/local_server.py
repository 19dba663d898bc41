"""A local Chime for tests and programs: its own thread, its own loop, a free port.

    async with LocalServer() as server:
        alice = await server.create_user("Alice")
        server.client("chime-sdk-messaging").create_channel(...)

It runs beside asyncio, trio, or no event loop at all (plain ``with`` works too).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Any, Self

import anyio.to_thread
import boto3
from anyio.from_thread import BlockingPortal, start_blocking_portal
from botocore.client import BaseClient
from botocore.config import Config

from chime_messaging.errors import UsageError
from chime_messaging.ids import new_uuid
from chime_messaging.server.callbacks import ProcessorRegistry
from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.server.control import Control
from chime_messaging.server.environment import client_environment
from chime_messaging.server.serving import Node, new_event_loop, running
from chime_messaging.server.transcription import Transcriber


class LocalServer:
    """Runs a server for the length of a block.

    Args:
        configuration: by default everything in memory, on a free port.
    """

    def __init__(self, configuration: ServerConfiguration | None = None) -> None:
        self.configuration = configuration or ServerConfiguration(port=0)
        self._resources: ExitStack | None = None
        self._node: Node | None = None
        self._control: Control | None = None
        self._portal: BlockingPortal | None = None
        self._lock = threading.Lock()
        self._session: boto3.session.Session | None = None
        self._clients: dict[str, BaseClient] = {}
        self._special_clients: list[BaseClient] = []
        self._app_instance: str | None = None

    def __enter__(self) -> Self:
        if self._resources is not None:
            raise UsageError("a LocalServer runs once at a time")
        stack = ExitStack()
        try:
            portal = stack.enter_context(
                start_blocking_portal("asyncio", {"loop_factory": new_event_loop}, name="chime-server")
            )
            node = stack.enter_context(portal.wrap_async_context_manager(running(self.configuration)))
        except BaseException:
            stack.close()
            raise
        stack.callback(self._close_clients)
        self._node, self._control = node, _control(portal, node)
        self._portal, self._resources = portal, stack
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        resources, self._resources = self._resources, None
        self._node = self._control = self._portal = None
        self._app_instance = None
        if resources is not None:
            resources.close()

    async def __aenter__(self) -> Self:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self.__enter__)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self.__exit__, None, None, None)

    @property
    def node(self) -> Node:
        """The running server's parts.

        Raises:
            UsageError: if it does not run.
        """
        if self._node is None:
            raise UsageError("the LocalServer does not run")
        return self._node

    @property
    def url(self) -> str:
        """For example ``http://127.0.0.1:51234``."""
        return self.node.url

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self.node.port

    @property
    def ca_path(self) -> str | None:
        """Certificate of the authority to trust, with TLS."""
        return str(self.node.ca_path) if self.node.ca_path else None

    @property
    def environment(self) -> dict[str, str]:
        """Variables that send an unmodified AWS client here."""
        return client_environment(self.url, self.configuration, self.node.ca_path)

    @property
    def control(self) -> Control:
        """Faults on demand."""
        if self._control is None:
            raise UsageError("the LocalServer does not run")
        return self._control

    @property
    def processors(self) -> ProcessorRegistry:
        """What stands in for Lambda functions and Lex bots."""
        return self.node.processors

    def transcribe_with(self, transcriber: Transcriber | None) -> None:
        """Have a function transcribe the meetings that StartMeetingTranscription names.

        Args:
            transcriber: async; runs on the server's event loop, once per meeting, until it is cancelled. None: nobody.
        """
        node = self.node
        assert self._portal is not None
        self._portal.call(node.transcription.plug, transcriber)

    def client_events(self) -> list[Mapping[str, Any]]:
        """Read the latest events that clients of meetings posted to the EventIngestionUrl, oldest first."""
        node = self.node
        assert self._portal is not None
        events: list[Mapping[str, Any]] = self._portal.call(list, node.client_events.latest)
        return events

    def streamed(self, stream: str) -> list[Mapping[str, Any]]:
        """Read the latest records of a stream, by the name in its Kinesis ARN, oldest first."""
        node = self.node
        assert self._portal is not None
        return self._portal.call(node.sink.records, stream)

    def client(self, service: str, **options: Any) -> Any:
        """Give a boto3 client that is bound to this server.

        Args:
            service: for example ``chime-sdk-messaging``.
            options: of `boto3.session.Session.client`, for example ``config``. Without any, the client is made once.
        """
        node = self.node
        with self._lock:
            if not options and service in self._clients:
                return self._clients[service]
            if self._session is None:
                key, secret = self.configuration.keys[0]
                self._session = boto3.session.Session(key, secret, region_name=self.configuration.region)
            # Not through a proxy of the environment, which could not reach this machine's loopback.
            config = Config(proxies={}).merge(options.get("config") or Config())
            settings: dict[str, Any] = {"endpoint_url": node.url, "verify": self.ca_path, **options, "config": config}
            made: BaseClient = self._session.client(service, **settings)
            if options:
                self._special_clients.append(made)
            else:
                self._clients[service] = made
            return made

    async def create_app_instance(self, name: str = "local") -> str:
        """Create an app instance; gives its ARN."""
        answer = await self._call(self.client("chime-sdk-identity").create_app_instance, Name=name)
        arn: str = answer["AppInstanceArn"]
        return arn

    async def create_user(self, name: str, app_instance: str | None = None, *, admin: bool = False) -> str:
        """Create a user; gives its ARN.

        Args:
            name: of the user.
            app_instance: ARN; by default the server's own, which is made for the first user.
            admin: whether it becomes an administrator of the app instance.
        """
        identity = self.client("chime-sdk-identity")
        if app_instance is None:
            app_instance = self._app_instance = self._app_instance or await self.create_app_instance()
        answer = await self._call(
            identity.create_app_instance_user, AppInstanceArn=app_instance, AppInstanceUserId=new_uuid(), Name=name
        )
        arn: str = answer["AppInstanceUserArn"]
        if admin:
            await self._call(identity.create_app_instance_admin, AppInstanceArn=app_instance, AppInstanceAdminArn=arn)
        return arn

    async def _call(self, operation: Callable[..., Any], **params: Any) -> Any:
        return await anyio.to_thread.run_sync(partial(operation, **params))

    def _close_clients(self) -> None:
        with self._lock:
            clients = [*self._clients.values(), *self._special_clients]
            self._clients, self._special_clients = {}, []
        for client in clients:
            client.close()


def _control(portal: BlockingPortal, node: Node) -> Control:
    async def call_async(function: Callable[..., Any], *arguments: Any) -> Any:
        return await anyio.to_thread.run_sync(portal.call, function, *arguments)

    return Control(node.failures, node.broker, node.live, portal.call, call_async)
