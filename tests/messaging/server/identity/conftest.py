"""The identity service without HTTP: handlers on a real database in memory, answers checked against AWS's model."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ListShape, ServiceModel, Shape, StructureShape

import chime_messaging.server.identity
from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.server.faults import Fault
from chime_messaging.server.notices import Notice
from chime_messaging.server.operations import HANDLERS, Call
from chime_messaging.server.store.database import Database, Transaction

assert chime_messaging.server.identity.users

DAY = 24 * 3600 * 1000


@cache
def model() -> ServiceModel:
    return ServiceModel(Loader().load_service_model("chime-sdk-identity", "service-2"), "chime-sdk-identity")


@dataclass
class IdentityService:
    """Calls operations by name; time stands still unless `now` is moved."""

    runner: asyncio.Runner
    configuration: ServerConfiguration
    now: int = 1_700_000_000_000
    notices: list[Notice] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.database = Database(on_commit=self.notices.extend, clock=lambda: self.now)

    def run(self, work: Any) -> Any:
        return self.runner.run(self.database.run(work))

    def __call__(self, operation: str, **params: Any) -> dict[str, Any]:
        def work(tx: Transaction) -> dict[str, Any]:
            call = Call("identity", operation, params, None, tx, self.configuration)
            return HANDLERS["identity", operation](call) or {}

        answer: dict[str, Any] = self.run(work)
        conform(answer, model().operation_model(operation).output_shape)
        return answer

    def refusal(self, operation: str, **params: Any) -> str:
        """Name of the declared error that a call is answered with."""
        with pytest.raises(Fault) as caught:
            self(operation, **params)
        declared = {shape.name for shape in model().operation_model(operation).error_shapes}
        assert caught.value.name in declared
        return caught.value.name

    def app_instance(self, name: str = "app") -> str:
        arn: str = self("CreateAppInstance", Name=name)["AppInstanceArn"]
        return arn

    def user(self, owner: str, user_id: str, name: str | None = None) -> str:
        answer = self("CreateAppInstanceUser", AppInstanceArn=owner, AppInstanceUserId=user_id, Name=name or user_id)
        arn: str = answer["AppInstanceUserArn"]
        return arn

    def bot(self, owner: str) -> str:
        arn: str = self("CreateAppInstanceBot", AppInstanceArn=owner, Name="bot", Configuration={"Lex": LEX})[
            "AppInstanceBotArn"
        ]
        return arn

    def everything(self, operation: str, member: str, **params: Any) -> list[Any]:
        """All pages of a list."""
        found: list[Any] = []
        token: str | None = None
        while True:
            answer = self(operation, **params, **({"NextToken": token} if token else {}))
            found += answer[member]
            token = answer["NextToken"]
            if token is None:
                return found


LEX = {
    "LexBotAliasArn": "arn:aws:lex:us-east-1:123456789012:bot-alias/ABCDEFGHIJ/TSTALIASID",
    "LocaleId": "en_US",
    "InvokedBy": {"StandardMessages": "MENTIONS", "TargetedMessages": "ALL"},
}


def conform(value: Any, shape: Shape | None) -> None:
    """Check an answer against the shape that clients parse it with."""
    if value is None:
        return
    if isinstance(shape, StructureShape):
        assert set(value) <= set(shape.members), f"{set(value) - set(shape.members)} not in {shape.name}"
        for name, member in value.items():
            conform(member, shape.members[name])
    elif isinstance(shape, ListShape):
        for item in value:
            conform(item, shape.member)
    elif shape is None:
        assert value == {}
    else:
        assert isinstance(value, {"string": str, "timestamp": int, "integer": int, "boolean": bool}[shape.type_name])


@pytest.fixture
def configuration() -> ServerConfiguration:
    return ServerConfiguration()


@pytest.fixture
def identity(configuration: ServerConfiguration) -> Iterator[IdentityService]:
    with asyncio.Runner() as runner:
        service = IdentityService(runner, configuration)
        runner.run(service.database.__aenter__())
        yield service
        runner.run(service.database.__aexit__(None, None, None))
