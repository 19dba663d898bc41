"""A meeting on the local server as the official JavaScript client sees it: real control plane, real signalling."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from chime_messaging.wire import signaling
from chime_messaging.wire.signaling_pb2 import SignalFrame
from tests.interop.conftest import LocalChime, NodeProcess


@dataclass
class Meeting:
    """One meeting, and what its attendees need to join."""

    chime: LocalChime
    meeting: dict[str, Any]
    api: Any

    @property
    def id(self) -> str:
        return str(self.meeting["MeetingId"])

    def attendee(self, user: str) -> dict[str, Any]:
        """Make an attendee; its ``Attendee``."""
        made: dict[str, Any] = self.api.create_attendee(MeetingId=self.id, ExternalUserId=user)["Attendee"]
        return made

    def options(self, attendee: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Options of ``signaling_session.mjs``."""
        return {"meeting": {"Meeting": self.meeting}, "attendee": {"Attendee": attendee}} | options

    def delete(self) -> None:
        self.api.delete_meeting(MeetingId=self.id)

    def remove(self, attendee: dict[str, Any]) -> None:
        self.api.delete_attendee(MeetingId=self.id, AttendeeId=attendee["AttendeeId"])


def create_meeting(chime: LocalChime) -> Meeting:
    api = chime.server.client("chime-sdk-meetings")
    made = api.create_meeting(ClientRequestToken=str(uuid4()), MediaRegion="us-east-1", ExternalMeetingId="interop")
    return Meeting(chime, made["Meeting"], api)


class OfficialClient:
    """The official signalling client in Node, on commands."""

    def __init__(self, process: NodeProcess, attendee: dict[str, Any]) -> None:
        self.process = process
        self.attendee = attendee
        self.joined: dict[str, Any] = {}
        """What was reported on joining."""

    def command(self, command: str, **details: Any) -> None:
        self.process.tell(json.dumps({"command": command, **details}))

    def until(self, event: str, **fields: Any) -> dict[str, Any]:
        return self.process.until(event, **fields)

    def send(self, topic: str, text: str, lifetime: float = 0) -> None:
        self.command("send", topic=topic, text=text, lifetimeMs=int(lifetime * 1000))

    def data(self, topic: str) -> dict[str, Any]:
        """The next data message on a topic; its bytes as ``data``."""
        message = self.until("data", topic=topic)
        return message | {"data": base64.b64decode(message["base64"])}

    def frame(self, frame_type: str) -> dict[str, Any]:
        """The next frame of a type, as the official decoder tells it."""
        frame: dict[str, Any] = self.until("frame", type=frame_type)["frame"]
        return frame

    def reported(self, event: str) -> list[dict[str, Any]]:
        """What has been reported up to now by `until`."""
        return [report for report in self.process.seen if report["event"] == event]

    def sent(self) -> list[SignalFrame]:
        """The frames that the official client has written up to now."""
        frames = [signaling.decode(bytes.fromhex(report["hex"])) for report in self.reported("sent")]
        return [frame for frame in frames if frame is not None]


def official_client(
    run_node: Callable[..., NodeProcess], meeting: Meeting, user: str, **options: Any
) -> OfficialClient:
    """The official client, joined to a meeting."""
    attendee = meeting.attendee(user)
    process = run_node("signaling_session.mjs", of=meeting.chime, **meeting.options(attendee, **options))
    client = OfficialClient(process, attendee)
    client.joined = client.until("joined")
    return client
