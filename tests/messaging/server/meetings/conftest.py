"""The meetings service without HTTP: handlers on a real database in memory, answers checked against AWS's model."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel

from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.server.faults import Fault
from chime_messaging.server.notices import Notice
from chime_messaging.server.operations import HANDLERS, Call
from chime_messaging.server.rest import errors
from chime_messaging.server.serving import register_handlers
from chime_messaging.server.store.database import Database, Transaction
from chime_messaging.server.store.lifecycle import SWEEPS
from tests.messaging.server.identity.conftest import conform

HOST = "chime.example:8765"
FEATURES = {"Video": {"MaxResolution": "HD"}, "Content": {"MaxResolution": "FHD"}}


@cache
def model() -> ServiceModel:
    return ServiceModel(Loader().load_service_model("chime-sdk-meetings", "service-2"), "chime-sdk-meetings")


@dataclass
class MeetingsService:
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
            call = Call("meetings", operation, params, None, tx, self.configuration, HOST)
            return HANDLERS["meetings", operation](call) or {}

        answer: dict[str, Any] = self.run(work)
        conform(answer, model().operation_model(operation).output_shape)
        return answer

    def refusal(self, operation: str, **params: Any) -> tuple[str, str]:
        """Name and text of the declared error that a call is answered with."""
        with pytest.raises(Fault) as caught:
            self(operation, **params)
        answer = errors.answer("meetings", caught.value, "request-1")
        assert answer.name in {shape.name for shape in model().operation_model(operation).error_shapes}
        return answer.name, caught.value.message

    def meeting(self, **params: Any) -> str:
        request = {"ClientRequestToken": "token", "MediaRegion": "us-east-1", "ExternalMeetingId": "standup"}
        meeting_id: str = self("CreateMeeting", **request | params)["Meeting"]["MeetingId"]
        return meeting_id

    def attendee(self, meeting_id: str, user: str = "alice", **params: Any) -> dict[str, Any]:
        made: dict[str, Any] = self("CreateAttendee", MeetingId=meeting_id, ExternalUserId=user, **params)["Attendee"]
        return made

    def sweep(self, name: str) -> int:
        """Do what the janitor does in one round."""
        removed: int = self.run(lambda tx: SWEEPS[name](tx, 200))
        return removed

    def without_quotas(self) -> None:
        self.configuration = replace(self.configuration, quotas=False)

    def told(self, kind: type[Notice]) -> list[Any]:
        """The notices of a kind so far."""
        return [notice for notice in self.notices if isinstance(notice, kind)]


@pytest.fixture
def meetings() -> Iterator[MeetingsService]:
    register_handlers()
    with asyncio.Runner() as runner:
        service = MeetingsService(runner, ServerConfiguration())
        runner.run(service.database.__aenter__())
        yield service
        runner.run(service.database.__aexit__(None, None, None))
