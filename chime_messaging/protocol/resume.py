"""Gap-free resume: what was said while the connection was away is fetched and merged with the live stream.

Theory of operation. While a connection is up, everything up to now has been delivered, in every channel. When it is
lost, that moment is remembered; when it is back, every event of a channel is held until the channel is known to be
complete. The shell lists the user's channels and hands them to `plan`, which says which channels to list and from when;
it hands each page to `fetched`, and ends each listing with `finish` or `fail`. Channels that nothing happened in are
released by `plan` at once. `drain` gives out what was held, a batch at a time; once a channel has nothing left its
events pass directly again. At the end `complete` says whether everything was recovered.

Order. A listing is ascending, and whatever it shows that is also held live ends the need to fetch at that place: the
held events up to that message are delivered there. So the messages of a channel come in the order of the channel, each
once, those that were fetched with `recovered=True`. What the window shows of edits and redactions of messages already
told comes as `MessageUpdated` and `MessageRedacted`.

Overlap. A message may be created before the drop and be under way at the drop, although younger ones of other senders
were delivered; a channel flow may keep one for seconds. So a listing starts `OVERLAP` before the newest message seen,
and a channel that was quiet since is listed, too, if its last message is that young. Thirty seconds exceed what a
channel flow's processors usually take, and cost one page in all but the busiest channels.

What cannot be recovered is no gap: non-persistent messages, and edits and deletions of messages before the window.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from chime_messaging.events import (
    ChannelDetailsReceived,
    ChannelEvent,
    Event,
    GapDetected,
    MembershipsCreated,
    MessageCreated,
    MessageEvent,
    MessageRedacted,
    MessageUpdated,
    Recovered,
)
from chime_messaging.protocol.seen import NEVER, TICK, SeenMessages
from chime_messaging.wire import envelope, timestamps
from chime_messaging.wire.payloads import ChannelMessage

OVERLAP = timedelta(seconds=30)
"""How far before the newest message seen a listing starts."""

MAX_PAGES = 400
"""Pages of 50 messages per channel; one that said more while we were away has a gap."""

MAX_HELD = 4096
"""Live events held per channel while it is being listed."""

MAX_HELD_IN_ALL = 16_384
"""Live events held in all channels together."""

_MAX_CLOCK_LEAD = timedelta(minutes=5)
_EVENT_NAMES = {
    MessageCreated: "CREATE_CHANNEL_MESSAGE",
    MessageUpdated: "UPDATE_CHANNEL_MESSAGE",
    MessageRedacted: "REDACT_CHANNEL_MESSAGE",
}


class ChannelActivity(msgspec.Struct, frozen=True):
    """A channel that the user is in, as ListChannelMembershipsForAppInstanceUser tells it."""

    channel_arn: str
    last_message: datetime | None = None
    sub_channel_id: str | None = None


class Listing(msgspec.Struct, frozen=True):
    """A channel to list, in ascending order."""

    channel_arn: str
    not_before: datetime
    """Inclusive."""
    sub_channel_id: str | None = None


class Resume:
    """Merges what was missed with what comes live, for one session.

    Moments are the local clock's, in UTC; it may be off by less than the overlap, or by more once a message has shown
    the service's clock.

    Args:
        user_arn: Whose session it is.
        overlap: See `OVERLAP`.
    """

    def __init__(self, user_arn: str, *, overlap: timedelta = OVERLAP) -> None:
        self.seen = SeenMessages(user_arn)
        self._overlap = overlap
        self._clock_lead: timedelta | None = None
        self._heard = self._complete_again = NEVER
        self._since: datetime | None = None
        self._established = False
        self._planned = True
        self._listings: dict[str, tuple[Listing, int]] = {}
        self._held: dict[str, deque[Event]] = {}
        self._held_in_all = 0
        self._given_up: set[str] = set()
        self._gaps = 0
        self._messages = 0
        self._channels = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being recovered: every event passes directly."""
        return self._planned and not self._listings and not self._held

    def opened(self, moment: datetime) -> None:
        """Say that a socket is open. What was said before the first one that leads to a session was not missed."""
        if not self._established:
            # The service tells milliseconds: what it dates like this moment may have been said before.
            self.seen.floor = self._service_time(moment) + TICK

    def established(self, moment: datetime) -> bool:
        """Say that the session is established; return whether something may have been missed."""
        self._heard = self._service_time(moment)
        # The service's time is a lower estimate; a gap must not end too early.
        self._complete_again = max(moment, self._heard)
        if self._since is None:
            self._established = True
            return False
        self._planned = False
        return True

    def lost(self, moment: datetime) -> None:
        """Say that an established session lost its connection, noticed at `moment`. Harmless otherwise."""
        del moment  # a dead connection is noticed late; what counts is when it was last alive
        if self._established:
            self._since = self._since or self._heard
            self._planned = False
        self._listings.clear()
        self._given_up.clear()

    def live(self, events: Sequence[Event], moment: datetime) -> list[Event]:
        """Take events as they arrive; return those to deliver now."""
        self._heard = self._service_time(moment)
        if self.is_idle:
            accepted = self.seen.accept_all(events)
        else:
            accepted = [out for event in events for out in self._sort(event)]
        if accepted and type(last := accepted[-1]) is MessageCreated:
            self._learn_clock(last.message.created_timestamp, moment)
        return accepted

    def plan(self, channels: Iterable[ChannelActivity]) -> list[Listing]:
        """Take all the channels of the user; return those that must be listed."""
        since = self._since or self._heard
        known = self.seen.channels
        present = set()
        for activity in channels:
            arn = activity.channel_arn
            present.add(arn)
            not_before = self._missing_from(activity, since)
            if not_before is not None and arn not in self._given_up:
                self._listings[arn] = (Listing(arn, not_before, activity.sub_channel_id), 0)
        for arn in [arn for arn in known if arn not in present]:
            del known[arn]
        self._planned = True
        self._channels += len(self._listings)
        return [listing for listing, _ in self._listings.values()]

    def plan_failed(self, reason: str) -> list[Event]:
        """Say that the user's channels cannot be listed: what was missed is lost, in channels unknown."""
        self._planned = True
        return [self._gap("", reason)]

    def is_wanted(self, listing: Listing) -> bool:
        """Whether a listing is still to go on: it may have been given up meanwhile."""
        return listing.channel_arn in self._listings

    def fetched(self, listing: Listing, messages: Iterable[ChannelMessage], *, has_more: bool) -> list[Event]:
        """Take a page, oldest message first; return the events to deliver now."""
        entry = self._listings.get(listing.channel_arn)
        if entry is None:
            return []
        pages = entry[1] + 1
        self._listings[listing.channel_arn] = (entry[0], pages)
        held = self._held.get(listing.channel_arn)
        live = {event.message.message_id for event in held if type(event) is MessageCreated} if held else set()
        out: list[Event] = []
        for message in messages:
            if held and message.message_id in live:
                out += self._release_through(listing.channel_arn, message.message_id, live)
            if _is_told(message) and (kind := self.seen.accept_fetched(message)) is not None:
                self._messages += kind is MessageCreated
                out.append(_recovered(kind, message))
        if has_more and pages >= MAX_PAGES:
            out += self.fail(listing, f"more than {pages} pages of messages")
        return out

    def finish(self, listing: Listing) -> None:
        """Say that a channel is listed to the end."""
        self._listings.pop(listing.channel_arn, None)

    def fail(self, listing: Listing, reason: str) -> list[Event]:
        """Say that a channel cannot be listed (further)."""
        if self._listings.pop(listing.channel_arn, None) is None:
            return []
        return [self._gap(listing.channel_arn, reason)]

    def drain(self, limit: int) -> list[Event]:
        """Return up to `limit` held events of channels that are complete; none when there are no more.

        A channel's later events pass directly only when all of its held ones have been given out.
        """
        out: list[Event] = []
        if not self._planned:
            return out
        for arn in [arn for arn in self._held if arn not in self._listings]:
            held = self._held[arn]
            while held and len(out) < limit:
                self._held_in_all -= 1
                out += self.seen.accept_all((held.popleft(),))
            if not held:
                del self._held[arn]
            if len(out) >= limit:
                break
        return out

    def complete(self) -> list[Event]:
        """Say that all listings are over and all is drained; return `Recovered` unless there was a gap."""
        if not self.is_idle or self._since is None:
            return []
        since, gaps = self._since, self._gaps
        event = Recovered(since, self._messages, self._channels)
        self._since = None
        self._gaps = self._messages = self._channels = 0
        self._given_up.clear()
        return [] if gaps else [event]

    def _missing_from(self, activity: ChannelActivity, since: datetime) -> datetime | None:
        if activity.last_message is None:
            return None
        channel = self.seen.channels.get(activity.channel_arn)
        if channel is None or channel.last == NEVER:
            # Everything up to the drop was delivered, and that was nothing.
            floor = self.seen.floor if channel is None else channel.floor
            not_before = min(since, max(since - self._overlap, floor))
            return not_before if activity.last_message >= not_before else None
        if activity.last_message > channel.last or channel.last >= since - self._overlap:
            return channel.complete_from(self._overlap)
        return None

    def _sort(self, event: Event) -> list[Event]:
        arn = _channel_of(event)
        if arn is None or not (self._is_held_back(arn)):
            return self.seen.accept_all((event,))
        held = self._held.setdefault(arn, deque())
        held.append(event)
        self._held_in_all += 1
        if len(held) <= MAX_HELD and self._held_in_all <= MAX_HELD_IN_ALL:
            return []
        self._listings.pop(arn, None)
        self._given_up.add(arn)
        self._held_in_all -= len(held)
        del self._held[arn]
        return [self._gap(arn, f"{len(held)} live events waited for it"), *self.seen.accept_all(held)]

    def _is_held_back(self, arn: str) -> bool:
        if arn in self._given_up:
            return False
        return not self._planned or arn in self._listings or arn in self._held

    def _release_through(self, arn: str, message_id: str, live: set[str]) -> list[Event]:
        held = self._held[arn]
        released: list[Event] = []
        while held:
            event = held.popleft()
            self._held_in_all -= 1
            released.append(event)
            if type(event) is MessageCreated:
                live.discard(event.message.message_id)
                if event.message.message_id == message_id:
                    break
        if not held:
            # Not deleted: while it is being listed the channel is held back anyway, and `drain` tidies up.
            live.clear()
        return self.seen.accept_all(released)

    def _gap(self, arn: str, reason: str) -> GapDetected:
        self._gaps += 1
        channel = self.seen.channels.get(arn)
        since = (
            (self._since or self._heard) - self._overlap if channel is None else channel.complete_from(self._overlap)
        )
        return GapDetected(arn, since, max(since, self._complete_again), reason)

    def _service_time(self, moment: datetime) -> datetime:
        return moment if self._clock_lead is None else moment + self._clock_lead

    def _learn_clock(self, created: datetime | None, moment: datetime) -> None:
        # A message is never younger than the service's clock, so the largest difference seen is nearest to the truth.
        if created is None:
            return
        lead = created - moment
        if (self._clock_lead is None or lead > self._clock_lead) and lead < _MAX_CLOCK_LEAD:
            self._clock_lead = lead


def _is_told(message: ChannelMessage) -> bool:
    """Whether a listed message has been sent, and not only been handed to a channel flow."""
    return message.status is None or message.status.value in (None, "SENT")


def _channel_of(event: Event) -> str | None:
    """ARN of the channel whose order an event belongs to; None for what may pass any time."""
    if isinstance(event, MessageEvent):
        return event.message.channel_arn
    if isinstance(event, MembershipsCreated):
        return event.memberships.channel_arn
    if isinstance(event, ChannelDetailsReceived) or not isinstance(event, ChannelEvent):
        return None
    about = getattr(event, "channel", None) or getattr(event, "membership", None)
    return getattr(about, "channel_arn", None)


def _recovered(kind: type[MessageCreated | MessageUpdated | MessageRedacted], message: ChannelMessage) -> Event:
    body = msgspec.to_builtins(message, builtin_types=(datetime,))
    for name, value in body.items():
        if isinstance(value, datetime):
            body[name] = timestamps.to_wire(value)
    frame = envelope.encode(_EVENT_NAMES[kind], body, message_type=message.type or "STANDARD")
    return kind(envelope.decode(frame.decode()), message, recovered=True)
