"""The whole way: a connection that is lost, the store, the janitor, and the attendee that is left."""

from uuid import uuid4

import pytest

from chime_messaging.errors import MeetingEndedError
from chime_messaging.meeting_events import MeetingSessionStatusCode
from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.server.janitor import Janitor
from chime_messaging.server.local_server import LocalServer
from chime_messaging.server.meetings import lifecycle
from chime_messaging.server.meetings.lifecycle import EndRule
from chime_messaging.sessions.data_messages import DataMessageSession
from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration

pytestmark = pytest.mark.anyio


async def test_who_is_left_alone_for_too_long_is_told_that_the_meeting_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = Janitor.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "interval", 0.01)
    async with LocalServer(ServerConfiguration(port=0)) as server:
        answer = server.client("chime-sdk-meetings").create_meeting_with_attendees(
            ClientRequestToken=str(uuid4()),
            MediaRegion="us-east-1",
            ExternalMeetingId="lonely",
            Attendees=[{"ExternalUserId": "alice"}, {"ExternalUserId": "bob"}],
        )
        alice, bob = (MeetingSessionConfiguration(answer, made) for made in answer["Attendees"])
        async with DataMessageSession(alice) as session:
            async with DataMessageSession(bob):
                assert session.is_joined
                monkeypatch.setitem(lifecycle.LIMITS, EndRule.FEWER_THAN_TWO_AUDIO_CONNECTIONS, 0)
            stopped = await session.wait_stopped()
            assert stopped.status is MeetingSessionStatusCode.MEETING_ENDED
        with pytest.raises(MeetingEndedError):
            async with DataMessageSession(bob):
                pytest.fail("the meeting is over")
