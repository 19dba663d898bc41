"""``chime demo --meeting``: a meeting in this process, with sound and pictures, and proof of what came through."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chime_media.cli.demo_cast import NameCard, Voice, write_clip
from chime_media.cli.demo_proof import Moments, Proof
from chime_media.cli.demo_stage import MeetingStage, Player
from chime_media.cli.join import complete
from chime_media.cli.witness import Ear, Eye
from chime_media.events import (
    ActiveSpeakersChanged,
    ContentShareStopped,
    MediaConnected,
    VideoTileUpdated,
    VolumeIndicated,
)
from chime_media.server.local_server import LocalMeetingServer
from chime_media.sessions.content_share import ContentShare
from chime_media.sessions.meeting_session import MeetingSession
from chime_media.sessions.recording import MeetingRecorder
from chime_media.sessions.video_tile import VideoTile
from chime_messaging.cli.interrupts import until_interrupted
from chime_messaging.errors import ChimeError, ConfigurationError
from chime_messaging.events import Event
from chime_messaging.meeting_events import DataMessageReceived, MeetingReconnectScheduled, MeetingSessionConnecting
from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration

PITCHES = {"alice": 210.0, "bob": 340.0}
"""Of their voices, in Hz: no harmonic of one is near one of the other."""
COLOURS = {"alice": (36, 90, 160), "bob": (150, 84, 30)}
TURN = 2.4
"""Seconds that somebody speaks."""
PATIENCE = 10.0
"""Seconds that anything may take which should take less than one."""
LIMIT = 55.0
"""Seconds after which the demo ends, whatever has happened."""
TURNED_AWAY, REFUSALS = 4500, 2
"""With which code, and how often, bob is turned away before he may come back."""
INTERRUPTED = 130


@dataclass
class Attendee:
    """One who takes part."""

    name: str
    session: MeetingSession
    voice: Voice
    player: Player
    ear: Ear
    eyes: dict[str, Eye] = field(default_factory=dict)
    """What is seen, by whose it is; of ``#content`` by that."""


class MeetingDemo:
    """The play, shown on a stage.

    Args:
        stage: Where.
        folder: For the clip, the recording and the pictures.
    """

    def __init__(self, stage: MeetingStage, folder: Path) -> None:
        self.moments = Moments()
        self._stage = stage
        self._folder = folder
        self._attendees: dict[str, Attendee] = {}
        self._recording: MeetingRecorder | None = None

    async def play(self, server: LocalMeetingServer, clip: Path) -> Proof:
        """Run all acts; gives what was heard and seen."""
        async with AsyncExitStack() as stack:
            await self._gather(server, stack)
            await self._show()
            await self._talk()
            await self._share(clip)
            await self._chat()
            await self._cut(server)
            self.moments.end = time.monotonic()
            self._stage.note("They leave.")
        recording = self._recording
        return Proof(
            self.moments,
            {name: attendee.ear for name, attendee in self._attendees.items()},
            {name: attendee.eyes for name, attendee in self._attendees.items()},
            recording.summary if recording is not None else None,
            PITCHES,
            COLOURS,
        )

    async def _gather(self, server: LocalMeetingServer, stack: AsyncExitStack) -> None:
        self._stage.note(f"A local Chime listens at {server.url}")
        api = server.client("chime-sdk-meetings")
        meeting = await _call(
            api.create_meeting, ClientRequestToken="demo", ExternalMeetingId="demo", MediaRegion="us-east-1"
        )
        self.moments.begin = time.monotonic()
        for name, does in (("alice", "speaks, shows, shares"), ("bob", "speaks, shows"), ("carol", "records")):
            credentials = await _call(
                api.create_attendee, MeetingId=meeting["Meeting"]["MeetingId"], ExternalUserId=name
            )
            # Short waits between tries, so that a reconnect fits into a demo.
            session = MeetingSession(
                MeetingSessionConfiguration(
                    meeting,
                    credentials,
                    reconnect_fixed_wait=0.4,
                    reconnect_short_backoff=0.5,
                    reconnect_long_backoff=0.5,
                )
            )
            player = self._stage.players[name] = Player(name, does)
            voice = Voice(PITCHES.get(name, 100.0))
            attendee = self._attendees[name] = Attendee(name, session, voice, player, Ear(self.moments.begin))
            session.on(Event)(self._follow(attendee))
            asked = time.monotonic()
            await stack.enter_async_context(session)
            self.moments.joins.append(time.monotonic() - asked)
            player.status = "connected"
            session.audio.listen(attendee.ear.hear)
            if name in PITCHES:
                session.audio.start_input(voice)
        self._stage.note(f"All have joined, in {max(self.moments.joins):.2f} s each.")
        carol = self._attendees["carol"].session
        recorder = MeetingRecorder(carol, self._folder / "meeting.mp4", width=960, height=540)
        await recorder.__aenter__()
        stack.push_async_callback(complete, recorder)
        self._recording = recorder

    async def _talk(self) -> None:
        for name in PITCHES:
            attendee = self._attendees[name]
            self._stage.note(f"{name.title()} speaks.")
            await self._speak(attendee, self._attendees["carol"].session)

    async def _speak(self, attendee: Attendee, listener: MeetingSession) -> None:
        """Speak for a turn, and until a listener is told that it is so."""
        speaker = attendee.session.attendee_id
        attendee.voice.speaking = True
        began = time.monotonic()
        try:
            if listener.realtime.active_speakers[:1] != (speaker,):
                await listener.wait_for(
                    ActiveSpeakersChanged, where=lambda event: event.attendee_ids[:1] == (speaker,), timeout=PATIENCE
                )
            self.moments.speakers.append((attendee.name, time.monotonic() - began))
            self._stage.note(f"Carol is told that {attendee.name.title()} is the active speaker.")
            await asyncio.sleep(max(0.0, began + TURN - time.monotonic()))
        finally:
            attendee.voice.speaking = False
        self.moments.turns[attendee.name] = (began, time.monotonic())
        await asyncio.sleep(0.3)

    async def _show(self) -> None:
        alice, bob = self._attendees["alice"], self._attendees["bob"]
        self._stage.note("Both start their video.")
        for attendee in (alice, bob):
            attendee.session.video.start_local_tile(NameCard(attendee.name, COLOURS[attendee.name]))
        await self._until_seen(alice, "bob")
        await self._until_seen(bob, "alice")
        self._stage.note("They see each other.")
        self.moments.seen = time.monotonic()

    async def _share(self, clip: Path) -> None:
        alice, bob = self._attendees["alice"], self._attendees["bob"]
        self._stage.note("Alice shares a clip of three scenes, with its sound.")
        share = ContentShare(alice.session)
        began = time.monotonic()
        self.moments.shown = (self.moments.seen, began)
        async with alice.session.events(ContentShareStopped) as stopped:
            await share.start(clip)
            await self._until_seen(bob, "#content")
            async with asyncio.timeout(PATIENCE):
                await anext(aiter(stopped))
        self.moments.clip = (began, time.monotonic())
        self._stage.note("The clip is over, and with it the share.")

    async def _chat(self) -> None:
        alice, bob = self._attendees["alice"].session, self._attendees["bob"].session
        for sender, receiver, name, text in (
            (bob, alice, "Bob", "Three scenes, and a jingle."),
            (alice, bob, "Alice", "All of it has arrived, then!"),
        ):
            async with receiver.events(DataMessageReceived) as messages:
                sent = time.monotonic()
                await sender.send("chat", text)
                async with asyncio.timeout(PATIENCE):
                    received = await anext(aiter(messages))
                self.moments.messages.append((text == received.message.text(), time.monotonic() - sent))
            self._stage.note(f"{name} writes: {text}")

    async def _cut(self, server: LocalMeetingServer) -> None:
        bob = self._attendees["bob"]
        self._stage.note("Bob speaks, and his network is cut. His next tries will fail.")
        bob.voice.speaking = True
        self.moments.last_turn = time.monotonic()
        await asyncio.sleep(1.2)
        async with bob.session.events(MediaConnected) as connected:
            self.moments.cut = time.monotonic()
            server.control.meetings.refuse(TURNED_AWAY, times=REFUSALS)
            await server.cut(bob.session.attendee_id)
            bob.player.status = "cut off"
            async with asyncio.timeout(PATIENCE):
                await anext(aiter(connected))
        self.moments.back = time.monotonic()
        bob.player.status = "connected"
        self._stage.note(f"Bob is back with his media after {self.moments.back - self.moments.cut:.2f} s.")
        await asyncio.sleep(TURN)
        bob.voice.speaking = False
        alice = self._attendees["alice"]
        alice.voice.speaking = True
        self.moments.answer = time.monotonic()
        await asyncio.sleep(1.6)
        alice.voice.speaking = False
        await asyncio.sleep(0.3)

    async def _until_seen(self, attendee: Attendee, whose: str) -> None:
        """Wait until a tile is there and its first picture has come."""
        async with asyncio.timeout(PATIENCE), attendee.session.events(Event) as events:
            while whose not in attendee.eyes or not attendee.eyes[whose].frames:
                await anext(aiter(events))

    def _follow(self, attendee: Attendee) -> Callable[[Event], None]:
        def take(event: Event) -> None:
            if isinstance(event, VideoTileUpdated):
                self._look(attendee, attendee.session.video.tiles.get(event.tile.tile_id))
            elif isinstance(event, VolumeIndicated) and event.volume is not None:
                self._indicate(event, attendee)
            elif isinstance(event, MeetingReconnectScheduled):
                attendee.player.status = "cut off"
            elif isinstance(event, MeetingSessionConnecting):
                attendee.player.status = "reconnecting" if event.reconnecting else "connecting"

        return take

    def _indicate(self, event: VolumeIndicated, listener: Attendee) -> None:
        player = self._stage.players.get(event.external_user_id)
        if listener.name == "carol" and player is not None and not event.attendee_id.endswith("#content"):
            player.volume = event.volume or 0.0
            player.speaks = player.volume > 0.1

    def _look(self, attendee: Attendee, tile: VideoTile | None) -> None:
        """Look at a tile that is new."""
        if tile is None or not tile.state.group_id:
            return
        whose = "#content" if tile.state.is_content else tile.state.bound_external_user_id
        eye = attendee.eyes.setdefault(whose, Eye(attendee.player.saw))
        if eye.tile_id != tile.tile_id:
            eye.tile_id = tile.tile_id
            tile.bind(eye)


async def _call(operation: Callable[..., Any], **parameters: Any) -> Any:
    return await asyncio.to_thread(lambda: operation(**parameters))


def run(output: str) -> int:
    """Play it; gives the exit code: 0 if everything came through as it should, 130 after Ctrl-C, else 1.

    Args:
        output: Folder for the pictures and the recording; made if it is not there.

    Raises:
        ConfigurationError: if nothing can be written there.
        ChimeError: if the server or a session did not start.
    """
    folder = Path(output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError("output", f"{output}: {error.strerror}") from error
    return asyncio.run(_run(folder))


async def _run(folder: Path) -> int:
    began = time.monotonic()
    proof: Proof | None = None
    failure = ""
    files: list[tuple[Path, str]] = []
    with MeetingStage() as stage, tempfile.TemporaryDirectory() as scratch:
        demo = MeetingDemo(stage, folder)
        clip = Path(scratch) / "clip.mp4"
        await asyncio.to_thread(write_clip, clip)
        async with until_interrupted(), LocalMeetingServer(ServerConfiguration(port=0, quotas=False)) as server:
            try:
                async with asyncio.timeout(LIMIT):
                    proof = await demo.play(server, clip)
            except (ChimeError, TimeoutError) as error:
                failure = str(error) or "it took too long"
        if proof is not None:
            stage.note("Looking at what came through.")
            files = await asyncio.to_thread(proof.examine, stage, folder)
    if failure:
        stage.check("the play", "reaches its end", failure, good=False)
    interrupted = proof is None and not failure
    stage.summarise(files, time.monotonic() - began, interrupted=interrupted)
    if interrupted:
        return INTERRUPTED
    return 0 if stage.checks and all(check.good for check in stage.checks) else 1
