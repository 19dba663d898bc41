"""``chime meeting``, and what a meeting's name on the command line means.

A name is the ExternalMeetingId. The service cannot look one up, but it answers CreateMeeting with the same token by the
same meeting: the token is made of the name, so that a name means one meeting until it is over. On a local server
meetings come into being by being named; on AWS only ``chime meeting create`` makes one, everything else takes its id.
"""

from __future__ import annotations

import hashlib
import os
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import anyio
import boto3
import msgspec

from chime_messaging.aws.clients import open_client
from chime_messaging.aws.control_plane import ControlPlane
from chime_messaging.cli.directory import LOCAL_HOSTS
from chime_messaging.errors import ConfigurationError, NotFoundError
from chime_messaging.server.configuration import LOCAL_ACCESS_KEY, LOCAL_REGION, LOCAL_SECRET_KEY
from chime_messaging.sessions.pages import Items

_ID = re.compile(r"[a-fA-F0-9]{8}(?:-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}")
GENERATIONS = 64
"""How many meetings of one name that are over are stepped over before we give up."""


class Meetings:
    """The control plane of meetings, and the names in it."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self.control_plane = control_plane

    @property
    def local(self) -> bool:
        """Whether this is a server on this machine, where names come into being by being used."""
        return urlsplit(str(self.control_plane.client.meta.endpoint_url)).hostname in LOCAL_HOSTS

    async def create(self, name: str) -> dict[str, Any]:
        """Make the meeting with this name, or find the one that there is; gives its ``Meeting``.

        Raises:
            ConfigurationError: if the text cannot be a name.
        """
        if not 2 <= len(name) <= 64:
            raise ConfigurationError("meeting", f"{name!r} cannot be a name: it takes 2 to 64 characters")
        for generation in range(GENERATIONS):
            token = hashlib.sha256(f"{name}\n{generation}".encode()).hexdigest()
            made = await self.control_plane.call(
                "CreateMeeting",
                ClientRequestToken=token,
                ExternalMeetingId=name,
                MediaRegion=self.control_plane.region,
            )
            try:
                return await self.find(str(made["Meeting"]["MeetingId"]))
            except NotFoundError:  # the answer of the token is remembered longer than the meeting has lasted
                continue
        raise ConfigurationError("meeting", f"{GENERATIONS} meetings called {name!r} are over; take another name")

    async def find(self, meeting_id: str) -> dict[str, Any]:
        """Give the ``Meeting`` with this id.

        Raises:
            NotFoundError: if there is none, or it is over.
        """
        meeting: dict[str, Any] = (await self.control_plane.call("GetMeeting", MeetingId=meeting_id))["Meeting"]
        return meeting

    async def meeting(self, text: str) -> dict[str, Any]:
        """Give the ``Meeting`` that an id, an ARN or a name means.

        Raises:
            ConfigurationError: if it is a name, and this is not a local server.
            NotFoundError: if there is no such meeting, or it is over.
        """
        last = text.rpartition("/")[2] if text.startswith("arn:") else text
        if _ID.fullmatch(last):
            return await self.find(last)
        if not self.local:
            raise ConfigurationError("meeting", f"{text!r} is no id; names of meetings cannot be looked up on AWS")
        return await self.create(text)

    async def join_information(self, meeting: str, user: str) -> dict[str, Any]:
        """Make `user` an attendee of a meeting, or find it; gives ``Meeting`` and ``Attendee``, as clients take them.

        Raises:
            ConfigurationError: if a text means nothing.
        """
        if not 2 <= len(user) <= 64:
            raise ConfigurationError("user", f"{user!r} cannot be an ExternalUserId: it takes 2 to 64 characters")
        found = await self.meeting(meeting)
        made = await self.control_plane.call("CreateAttendee", MeetingId=found["MeetingId"], ExternalUserId=user)
        return {"Meeting": found, "Attendee": made["Attendee"]}

    def attendees(self, meeting_id: str) -> Items[dict[str, Any]]:
        """List the ``Attendee`` of everybody who may join."""
        return Items(self.control_plane.call, "ListAttendees", "Attendees", dict, MeetingId=meeting_id)


@asynccontextmanager
async def open_meetings(url: str | None) -> AsyncIterator[Meetings]:
    """Open the control plane: at `url` with the local keys, else as boto3 finds it in the environment.

    Raises:
        ConfigurationError: if `url` cannot be one.
    """
    session = None
    if url is not None:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise ConfigurationError("url", f"{url!r} is not like http://127.0.0.1:8765")
        session = boto3.Session(LOCAL_ACCESS_KEY, LOCAL_SECRET_KEY, region_name=LOCAL_REGION)
    client = await open_client("chime-sdk-meetings", session=session, endpoint_url=url)
    try:
        yield Meetings(ControlPlane(client))
    finally:
        client.close()


def ssl_context() -> ssl.SSLContext | None:
    """How to verify the websocket of a meeting: as usual, and by the authority in ``AWS_CA_BUNDLE``, if that is set."""
    path = os.environ.get("AWS_CA_BUNDLE")
    if not path:
        return None
    context = ssl.create_default_context()
    context.load_verify_locations(path)
    return context


def create_meeting(name: str, *, attendees: list[str], json: bool, url: str | None) -> None:
    """Make a meeting and its first attendees; print its id, or with `json` all that a client needs to join."""

    async def work() -> None:
        async with open_meetings(url) as meetings:
            meeting = await meetings.create(name)
            made = [(await meetings.join_information(meeting["MeetingId"], user))["Attendee"] for user in attendees]
            _print({"Meeting": meeting, "Attendees": made} if json else meeting["MeetingId"])

    anyio.run(work)


def list_attendees(meeting: str, *, json: bool, url: str | None) -> None:
    """Print who may join a meeting: name, then id. With `json` also their tokens."""

    async def work() -> None:
        async with open_meetings(url) as meetings:
            meeting_id = (await meetings.meeting(meeting))["MeetingId"]
            async for attendee in meetings.attendees(meeting_id):
                _print(attendee if json else f"{attendee['ExternalUserId']:<24} {attendee['AttendeeId']}")

    anyio.run(work)


def delete_meeting(meeting: str, *, url: str | None) -> None:
    """End a meeting: everybody in it is disconnected."""

    async def work() -> None:
        async with open_meetings(url) as meetings:
            meeting_id = (await meetings.meeting(meeting))["MeetingId"]
            await meetings.control_plane.call("DeleteMeeting", MeetingId=meeting_id)

    anyio.run(work)


def create_attendee(meeting: str, user: str, *, url: str | None) -> None:
    """Make an attendee; print what a client needs to join, as JSON."""

    async def work() -> None:
        async with open_meetings(url) as meetings:
            _print(await meetings.join_information(meeting, user))

    anyio.run(work)


def _print(value: Any) -> None:
    print(value if isinstance(value, str) else msgspec.json.encode(value).decode())
