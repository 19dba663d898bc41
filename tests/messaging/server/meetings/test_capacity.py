from typing import Any
from uuid import uuid4

import pytest

from chime_messaging.errors import MeetingAtCapacityError
from chime_messaging.server.local_server import LocalServer
from chime_messaging.server.meetings.limits import capacity_of
from chime_messaging.sessions.data_messages import DataMessageSession
from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration


def full_hd(**others: Any) -> dict[str, Any]:
    return {"Video": {"MaxResolution": "FHD"}, **others}


@pytest.mark.parametrize(
    ("features", "quotas", "expected"),
    [
        (None, True, 250),
        (None, False, None),
        ({"Video": {"MaxResolution": "HD"}, "Content": {"MaxResolution": "FHD"}}, True, 250),
        (full_hd(), True, 25),
        ({"Content": {"MaxResolution": "UHD"}}, True, 25),
        (full_hd(Attendee={"MaxCount": 3}), True, 3),
        ({"Attendee": {"MaxCount": 3}}, False, 3),
    ],
)
def test_how_many_may_be_in_a_meeting(features: dict[str, Any] | None, quotas: bool, expected: int | None) -> None:
    assert capacity_of(features, quotas=quotas) == expected


def small_meeting(server: LocalServer, size: int) -> dict[str, MeetingSessionConfiguration]:
    """A meeting for so few, and how each of three people would join it."""
    answer = server.client("chime-sdk-meetings").create_meeting_with_attendees(
        ClientRequestToken=str(uuid4()),
        MediaRegion="us-east-1",
        ExternalMeetingId="small",
        MeetingFeatures={"Attendee": {"MaxCount": size}},
        Attendees=[{"ExternalUserId": name} for name in ("alice", "bob", "carol")],
    )
    return {made["ExternalUserId"]: MeetingSessionConfiguration(answer, made) for made in answer["Attendees"]}


@pytest.mark.anyio
async def test_who_comes_to_a_full_meeting_is_turned_away_until_somebody_leaves(shared_server: LocalServer) -> None:
    people = small_meeting(shared_server, 2)
    async with DataMessageSession(people["alice"]):
        async with DataMessageSession(people["bob"]):
            with pytest.raises(MeetingAtCapacityError):
                async with DataMessageSession(people["carol"]):
                    pytest.fail("there is no room")
            async with DataMessageSession(people["bob"]) as other_device:
                assert other_device.is_joined
        async with DataMessageSession(people["carol"]) as session:
            assert session.is_joined
            assert len(session.roster) == 2
