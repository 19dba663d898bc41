"""What signalling does with media: presence, INDEX and takeovers, with media that does what the test says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from chime_messaging.meeting_events import VideoSource
from chime_messaging.protocol import signal_frames
from chime_messaging.server.attendee_socket import AttendeeSocket
from chime_messaging.server.media import ALL_CODECS, MediaStage
from chime_messaging.server.metrics import Metrics
from chime_messaging.server.notices import Admit, AttendeeRemoved, CapabilitiesChanged, MeetingEnded
from chime_messaging.server.pages import Page
from chime_messaging.server.party import Capabilities, Party
from chime_messaging.wire.signaling_pb2 import AudioAttendeeState, SignalFrame
from tests.messaging.server.test_live_meetings import Socket, World, summary


class ScriptedAttendee:
    """Media of one connection, that remembers what it was told."""

    def __init__(self, meeting: ScriptedMeeting, socket: AttendeeSocket, party: Party) -> None:
        self.meeting = meeting
        self.socket = socket
        self.party = party
        self.frames: list[int] = []
        self.muted = False
        self.lingers = False
        self.closed = False
        self.sources: list[VideoSource] = []

    def take(self, frame: SignalFrame) -> None:
        self.frames.append(frame.type)

    def mute(self, muted: bool) -> None:
        self.muted = muted

    def change(self, party: Party) -> None:
        self.party = party

    def linger(self) -> None:
        self.lingers = True

    def close(self) -> None:
        assert not self.closed
        self.closed = True
        self.meeting.attendees.remove(self)
        self.meeting.stage.refresh_index()

    def speak(self) -> None:
        self.meeting.stage.appear(self.socket)

    def show(self, stream_id: int) -> None:
        party = self.party
        self.sources = [VideoSource(stream_id, stream_id, party.attendee_id, party.external_user_id)]
        self.meeting.stage.refresh_index()


class ScriptedMeeting:
    """Media of one meeting."""

    def __init__(self, stage: MediaStage) -> None:
        self.stage = stage
        self.attendees: list[ScriptedAttendee] = []
        self.codecs = ALL_CODECS
        self.full = False
        self.closed = False

    def join(self, socket: AttendeeSocket, party: Party) -> ScriptedAttendee:
        attendee = ScriptedAttendee(self, socket, party)
        self.attendees.append(attendee)
        return attendee

    @property
    def sources(self) -> list[VideoSource]:
        return [source for attendee in self.attendees for source in attendee.sources]

    @property
    def senders(self) -> set[str]:
        return {attendee.party.base for attendee in self.attendees if attendee.sources}

    def is_full(self, party: Party) -> bool:
        return self.full

    def close(self) -> None:
        self.closed = True
        for attendee in tuple(self.attendees):
            attendee.close()


class ScriptedMedia:
    """Media of a server."""

    pages: Mapping[str, Page] = {}

    def __init__(self) -> None:
        self.meetings: list[ScriptedMeeting] = []

    def meeting(self, stage: MediaStage) -> ScriptedMeeting:
        self.meetings.append(ScriptedMeeting(stage))
        return self.meetings[-1]

    def watch(self, metrics: Metrics) -> None:
        """Nothing to see."""


class MediaWorld(World):
    """Live meetings with media, in virtual time."""

    def __init__(self) -> None:
        self.media = ScriptedMedia()
        super().__init__(media=self.media)

    def enter(
        self, name: str, meeting: str = "m", primary: str | None = None, session_id: int = 1, **admission: Any
    ) -> tuple[Socket, ScriptedAttendee]:
        """Have a client with media join."""
        socket = Socket(self.live, session_id)
        socket.brings_media = True
        self.live.apply([Admit(socket, meeting, primary, name, name.upper(), **admission)])
        attendee = socket.media
        assert isinstance(attendee, ScriptedAttendee)
        return socket, attendee

    def settle(self, *sockets: Socket) -> None:
        self.clock.sleep(1)
        for socket in sockets:
            socket.take()


@pytest.fixture
def world() -> MediaWorld:
    return MediaWorld()


def index_of(socket: Socket) -> SignalFrame | None:
    found = [frame for frame in socket.take() if frame.type == SignalFrame.INDEX]
    return found[-1] if found else None


def told(socket: Socket) -> list[str]:
    """Whose sources the newest INDEX lists."""
    frame = index_of(socket)
    assert frame is not None
    return [source.attendee_id for source in frame.index.sources]


def test_an_attendee_is_there_for_the_others_when_its_first_audio_comes(world: MediaWorld) -> None:
    star, voice = world.enter("star")
    assert star.opening is not None
    assert (star.opening.roster, star.opening.participants) == ([], 1)
    fan = world.join("fan")
    world.clock.sleep(1)
    assert fan.opening is not None
    assert [each.attendee_id for each in fan.opening.roster] == ["fan"]
    fan.take()
    voice.speak()
    voice.speak()
    world.clock.sleep(1)
    assert summary(fan.take()) == [("in", 2)]
    assert ("in", 2) in summary(star.take())


def test_who_brings_no_media_is_there_at_once(world: MediaWorld) -> None:
    world.join("star")
    fan = world.join("fan")
    assert fan.media is None
    assert fan.opening is not None
    assert [each.attendee_id for each in fan.opening.roster] == ["star", "fan"]


def test_who_joined_and_says_nothing_yet_may_send_data_messages_and_takes_a_place(world: MediaWorld) -> None:
    star, _ = world.enter("star")
    fan = world.join("fan")
    world.say(star, "hello")
    world.clock.sleep(1)
    assert fan.take_texts() == ["hello"]
    late = Socket(world.live)
    world.live.apply([Admit(late, "m", None, "late", "LATE", capacity=2)])
    assert late.turned_away == [409]
    again, _ = world.enter("star", capacity=2)
    assert not again.turned_away


def test_a_mute_before_the_first_audio_is_in_the_roster_then(world: MediaWorld) -> None:
    star, voice = world.enter("star")
    fan = world.join("fan")
    world.settle(fan)
    world.live.mute(star, True)
    assert voice.muted
    voice.speak()
    world.clock.sleep(1)
    entry = fan.take()[-1].audio_stream_id_info.streams[0]
    assert (entry.attendee_id, entry.muted) == ("star", True)


def test_who_leaves_before_its_audio_came_was_never_there(world: MediaWorld) -> None:
    star, voice = world.enter("star")
    fan = world.join("fan")
    world.settle(fan)
    world.live.leave(star)
    world.clock.sleep(1)
    assert voice.closed
    assert summary(fan.take()) == [("index", 1, False)]


def test_an_attendee_without_media_for_long_is_dropped_and_comes_back_with_a_larger_number(world: MediaWorld) -> None:
    star, voice = world.enter("star")
    fan = world.join("fan")
    voice.speak()
    world.settle(star, fan)
    voice.meeting.stage.vanish(star)
    voice.speak()
    world.clock.sleep(1)
    assert summary(fan.take()) == [("dropped", 2), ("in", 3)]


def test_nobody_is_told_of_its_own_video_and_all_others_get_the_same_bytes(world: MediaWorld) -> None:
    star, face = world.enter("star")
    share, content = world.enter("star#content")
    fans = [world.enter(f"fan{number}")[0] for number in range(3)]
    world.settle(star, share, *fans)
    face.show(7)
    content.show(8)
    world.clock.sleep(1)
    assert len({id(fan.writes[-1]) for fan in fans}) == 1
    assert [told(fan) for fan in fans] == [["star", "star#content"]] * 3
    assert told(star) == []
    assert told(share) == []


def test_who_joins_is_told_of_the_videos_there_are(world: MediaWorld) -> None:
    _, face = world.enter("star")
    face.show(7)
    fan, _ = world.enter("fan")
    assert fan.opening is not None
    assert [source.stream_id for source in fan.opening.sources] == [7]


def test_who_may_not_see_cameras_or_content_is_not_told_of_them(world: MediaWorld) -> None:
    _, face = world.enter("star")
    _, content = world.enter("star#content")
    face.show(7)
    content.show(8)
    both, _ = world.enter("both")
    cameras, _ = world.enter("cameras", capabilities=Capabilities(content="None"))
    nothing, _ = world.enter("nothing", capabilities=Capabilities(video="None", content="None"))
    seen = [[s.stream_id for s in each.opening.sources] for each in (both, cameras, nothing) if each.opening]
    assert seen == [[7, 8], [7], []]
    full = [each.opening.at_capacity for each in (both, cameras, nothing) if each.opening]
    assert full == [False, False, True]


def test_no_room_for_another_sender_is_at_capacity(world: MediaWorld) -> None:
    fan, voice = world.enter("fan")
    world.settle(fan)
    voice.meeting.full = True
    voice.meeting.stage.refresh_index()
    world.clock.sleep(1)
    frame = index_of(fan)
    assert frame is not None
    assert frame.index.at_capacity


def test_other_capabilities_reach_the_media_of_an_attendee_and_of_its_share_and_its_index(world: MediaWorld) -> None:
    fan, voice = world.enter("fan")
    _, content = world.enter("fan#content")
    _, face = world.enter("star")
    face.show(7)
    world.settle(fan)
    world.live.apply([CapabilitiesChanged("m", ("fan", "nobody"), "Receive", "None", "None")])
    world.clock.sleep(1)
    assert voice.party.capabilities == content.party.capabilities == Capabilities("Receive", "None", "None")
    assert not voice.party.speaks
    frame = index_of(fan)
    assert frame is not None
    assert frame.index.at_capacity
    assert not frame.index.sources


def test_media_goes_on_while_its_signalling_comes_back_and_ends_when_the_new_audio_is_there(world: MediaWorld) -> None:
    star, voice = world.enter("star")
    fan = world.join("fan")
    voice.speak()
    world.settle(star, fan)
    star.abort()
    assert (voice.lingers, voice.closed) == (True, False)
    _, again = world.enter("star")
    world.clock.sleep(1)
    assert (voice.lingers, voice.closed) == (True, False)
    assert summary(fan.take()) == [("in", 3), ("out", 2)]
    again.speak()
    assert (voice.closed, again.closed) == (True, False)


def test_media_of_who_does_not_come_back_ends(world: MediaWorld) -> None:
    star, voice = world.enter("star")
    fan = world.join("fan")
    voice.speak()
    world.settle(star, fan)
    star.abort()
    world.clock.sleep(20)
    assert voice.closed
    assert ("dropped", 2) in summary(fan.take())


def test_a_reconnect_takes_over_silently_and_another_device_ends_the_older_media(world: MediaWorld) -> None:
    star, voice = world.enter("star")
    voice.speak()
    again, second = world.enter("star")
    assert (star.statuses, voice.lingers, voice.closed) == ([], True, False)
    second.speak()
    assert voice.closed
    world.enter("star", session_id=2)
    assert again.statuses == [301]
    assert second.closed


def test_a_second_join_on_the_same_socket_begins_anew(world: MediaWorld) -> None:
    star, voice = world.enter("star")
    world.live.apply([Admit(star, "m", None, "star", "STAR")])
    assert voice.closed
    assert star.media is not None
    assert star.media is not voice


@pytest.mark.parametrize("removed", [True, False])
def test_the_end_of_an_attendee_or_a_meeting_is_the_end_of_its_media(world: MediaWorld, removed: bool) -> None:
    star, voice = world.enter("star")
    share, content = world.enter("star#content")
    voice.speak()
    world.live.apply([AttendeeRemoved("m", "star") if removed else MeetingEnded("m")])
    assert voice.closed
    assert content.closed
    assert star.statuses == share.statuses == [411 if removed else 410]
    assert voice.meeting.closed


def test_a_removed_attendee_of_whom_no_audio_came_is_told_so_too(world: MediaWorld) -> None:
    star, voice = world.enter("star")
    world.live.apply([AttendeeRemoved("m", "star")])
    assert star.statuses == [411]
    assert voice.closed


def test_levels_go_to_those_with_media_only_and_are_one_bytes_object(world: MediaWorld) -> None:
    star, voice = world.enter("star")
    fan, _ = world.enter("fan")
    data = world.join("data")
    voice.speak()
    world.settle(star, fan, data)
    stream_id = voice.meeting.stage.stream_id_of("star")
    assert stream_id is not None
    frame = SignalFrame(type=SignalFrame.AUDIO_METADATA)
    frame.audio_metadata.attendee_states.append(AudioAttendeeState(audio_stream_id=stream_id, volume=20))
    voice.meeting.stage.tell_media(frame)
    world.clock.sleep(1)
    assert star.writes[-1] is fan.writes[-1]
    assert not data.writes
    assert [each.type for each in fan.take()] == [SignalFrame.AUDIO_METADATA]


def test_the_audience_of_a_replica_has_media_of_the_primary_meeting_and_speaks_once_promoted(world: MediaWorld) -> None:
    _, face = world.enter("star", "primary")
    face.show(7)
    fan, voice = world.enter("fan", "replica", "primary")
    assert fan.opening is not None
    assert fan.opening.at_capacity
    assert [source.stream_id for source in fan.opening.sources] == [7]
    assert voice.meeting is face.meeting
    assert (voice.party.audience, voice.party.speaks) == (True, False)
    world.live.apply([Admit(fan, "primary", None, "guest", "GUEST", promotion=True)])
    world.clock.sleep(1)
    assert (voice.party.attendee_id, voice.party.speaks) == ("guest", True)
    frame = index_of(fan)
    assert frame is not None
    assert not frame.index.at_capacity
    world.live.demote(fan)
    world.clock.sleep(1)
    assert (voice.party.attendee_id, voice.party.audience) == ("fan", True)
    frame = index_of(fan)
    assert frame is not None
    assert frame.index.at_capacity
    assert len(world.media.meetings) == 1


def test_a_meeting_that_nobody_is_in_has_no_media(world: MediaWorld) -> None:
    star, voice = world.enter("star")
    meeting = voice.meeting
    world.live.leave(star)
    assert meeting.closed
    world.enter("star")
    assert len(world.media.meetings) == 2


def test_an_answer_reaches_the_attendee_that_asked(world: MediaWorld) -> None:
    star, voice = world.enter("star")
    world.settle(star)
    voice.socket.send(signal_frames.audio_status(200))
    assert [frame.type for frame in star.take()] == [SignalFrame.AUDIO_STATUS]
