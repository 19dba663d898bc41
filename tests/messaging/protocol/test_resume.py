from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from chime_messaging.events import (
    Event,
    GapDetected,
    MembershipCreated,
    MembershipDeleted,
    MessageCreated,
    MessageDeleted,
    MessageRedacted,
    MessageUpdated,
    Recovered,
    SessionEstablished,
)
from chime_messaging.protocol import resume as module
from chime_messaging.protocol.resume import ChannelActivity, Listing, Resume
from chime_messaging.wire.envelope import Envelope
from chime_messaging.wire.payloads import ChannelMembership, ChannelMessage, Identity, MessageStatus

ALICE = "arn:aws:chime:us-east-1:123456789012:app-instance/i/user/alice"
START = datetime(2026, 1, 1, tzinfo=UTC)
A, B = "arn:channel/a", "arn:channel/b"
EMPTY = Envelope({})


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def said(seconds: float, arn: str = A, **more: object) -> ChannelMessage:
    return ChannelMessage(channel_arn=arn, message_id=f"{arn}@{seconds:g}", created_timestamp=at(seconds), **more)  # type: ignore[arg-type]


def created(seconds: float, arn: str = A) -> MessageCreated:
    return MessageCreated(EMPTY, said(seconds, arn))


def ids(events: list[Event]) -> list[str]:
    return [e.message.message_id.rpartition("@")[2] for e in events if isinstance(e, MessageCreated)]


def by_channel(listings: list[Listing]) -> dict[str, Listing]:
    return {listing.channel_arn: listing for listing in listings}


def returned(*before: Event, drop: float = 100.0) -> Resume:
    """A session that received `before`, the last of it at `drop`, lost its connection, and has it back at 200 s."""
    resume = Resume(ALICE)
    resume.opened(at(0))
    assert resume.established(at(0)) is False
    resume.live(list(before), at(drop))
    resume.lost(at(150))
    resume.opened(at(200))
    assert resume.established(at(200)) is True
    return resume


def test_the_first_connection_catches_up_on_nothing() -> None:
    resume = Resume(ALICE)
    resume.opened(at(0))
    assert not resume.established(at(0))
    assert resume.is_idle
    assert resume.complete() == []


def test_what_was_missed_is_told_in_order_before_what_came_live_meanwhile() -> None:
    resume = returned(created(10), created(90))
    assert resume.live([created(201)], at(201)) == []
    (listing,) = resume.plan([ChannelActivity(A, at(201))])
    assert listing.not_before == at(60)
    out = resume.fetched(listing, [said(90), said(120), said(130)], has_more=False)
    assert ids(out) == ["120", "130"]
    assert all(isinstance(e, MessageCreated) and e.recovered for e in out)
    resume.finish(listing)
    assert ids(resume.drain(10)) == ["201"]
    assert resume.complete() == [Recovered(at(100), 2, 1)]
    assert ids(resume.live([created(202)], at(202))) == ["202"]


def test_a_message_that_came_live_and_is_listed_is_told_once_in_its_place() -> None:
    resume = returned(created(90))
    resume.live([created(201), created(203)], at(203))
    (listing,) = resume.plan([ChannelActivity(A, at(204))])
    out = resume.fetched(listing, [said(120), said(201), said(202), said(203), said(204)], has_more=False)
    assert ids(out) == ["120", "201", "202", "203", "204"]
    assert [e.recovered for e in out if isinstance(e, MessageCreated)] == [True, False, True, False, True]
    resume.finish(listing)
    assert resume.drain(10) == []
    assert resume.live([created(202), created(204)], at(205)) == []


def test_a_message_under_way_at_the_drop_is_found_within_the_overlap() -> None:
    resume = returned(created(99))
    (listing,) = resume.plan([ChannelActivity(A, at(99))])
    assert ids(resume.fetched(listing, [said(95), said(99)], has_more=False)) == ["95"]


def test_channels_that_were_quiet_are_not_listed() -> None:
    resume = returned(created(10), created(90, B))
    held = created(201)
    resume.live([held], at(201))
    assert [
        listing.channel_arn for listing in resume.plan([ChannelActivity(A, at(10)), ChannelActivity(B, at(90))])
    ] == [B]
    assert resume.drain(10) == [held]


def test_channels_without_messages_are_not_listed() -> None:
    assert returned().plan([ChannelActivity(A, None)]) == []


def test_a_channel_that_appeared_meanwhile_is_listed_from_the_drop() -> None:
    resume = returned(created(90))
    listings = resume.plan([ChannelActivity(A, at(10)), ChannelActivity(B, at(150), sub_channel_id="s")])
    assert Listing(B, at(70), "s") in listings


def test_nothing_from_before_the_session_or_of_its_first_millisecond_is_recovered() -> None:
    for resume in (returned(drop=5.0), returned(created(1, B), drop=5.0)):
        (listing,) = resume.plan([ChannelActivity(B, at(150))])
        assert listing.not_before == at(0.001)


def test_nothing_from_before_the_user_joined_is_recovered() -> None:
    membership = ChannelMembership(channel_arn=B, member=Identity(arn=ALICE), created_timestamp=at(95))
    resume = returned(MembershipCreated(EMPTY, membership))
    (listing,) = resume.plan([ChannelActivity(B, at(150))])
    assert listing.not_before == at(95)


def test_a_channel_that_was_left_meanwhile_is_forgotten() -> None:
    resume = returned(created(90))
    assert resume.plan([]) == []
    assert A not in resume.seen.channels


def test_leaving_and_joining_again_starts_afresh() -> None:
    member = ChannelMembership(channel_arn=A, member=Identity(arn=ALICE), created_timestamp=at(50))
    resume = returned(created(10), MembershipDeleted(EMPTY, member), MembershipCreated(EMPTY, member))
    (listing,) = resume.plan([ChannelActivity(A, at(150))])
    assert listing.not_before == at(50)


def test_edits_and_redactions_of_known_messages_are_told() -> None:
    resume = returned(created(80), created(85), created(90))
    (listing,) = resume.plan([ChannelActivity(A, at(90))])
    page = [said(80), said(85, content="new", last_edited_timestamp=at(120)), said(90, redacted=True)]
    out = resume.fetched(listing, page, has_more=False)
    assert [type(event) for event in out] == [MessageUpdated, MessageRedacted]
    assert resume.fetched(listing, page, has_more=False) == []


def test_an_edit_that_was_told_live_is_not_told_again() -> None:
    edited = said(90, last_edited_timestamp=at(95))
    resume = returned(created(90), MessageUpdated(EMPTY, edited))
    (listing,) = resume.plan([ChannelActivity(A, at(90))])
    assert resume.fetched(listing, [edited], has_more=False) == []


def test_messages_that_a_channel_flow_still_has_are_not_recovered() -> None:
    resume = returned(created(90))
    (listing,) = resume.plan([ChannelActivity(A, at(120))])
    page = [said(110, status=MessageStatus(value="PENDING")), said(120, status=MessageStatus(value="SENT"))]
    assert ids(resume.fetched(listing, page, has_more=False)) == ["120"]


def test_recovered_events_carry_an_envelope_as_the_service_writes_it() -> None:
    resume = returned(created(90))
    (listing,) = resume.plan([ChannelActivity(A, at(120))])
    (event,) = resume.fetched(listing, [said(120.5, content="hi", type="STANDARD")], has_more=False)
    assert isinstance(event, MessageCreated)
    assert event.type == "CREATE_CHANNEL_MESSAGE"
    body = json.loads(event.envelope.payload or "")
    assert body["Content"] == "hi"
    assert body["CreatedTimestamp"] == "2026-01-01T00:02:00.500Z"
    assert "Metadata" not in body


def test_a_listing_that_fails_for_good_is_a_gap_and_releases_what_waited() -> None:
    resume = returned(created(90))
    resume.live([created(201)], at(201))
    (listing,) = resume.plan([ChannelActivity(A, at(201))])
    assert resume.fail(listing, "forbidden") == [GapDetected(A, at(60), at(200), "forbidden")]
    assert resume.fail(listing, "forbidden") == []
    assert ids(resume.drain(10)) == ["201"]
    assert resume.complete() == []
    assert resume.is_idle


def test_without_the_list_of_channels_there_is_a_gap_in_channels_unknown() -> None:
    resume = returned(created(90))
    resume.live([created(201)], at(201))
    assert resume.plan_failed("throttled") == [GapDetected("", at(70), at(200), "throttled")]
    assert ids(resume.drain(10)) == ["201"]
    assert resume.complete() == []


def test_too_many_pages_are_a_gap_from_the_last_message_on() -> None:
    resume = returned(created(90))
    (listing,) = resume.plan([ChannelActivity(A, at(199))])
    out: list[Event] = []
    for page in range(module.MAX_PAGES):
        out += resume.fetched(listing, [said(101 + page)], has_more=True)
    assert isinstance(out[-1], GapDetected)
    assert out[-1].since == at(70 + module.MAX_PAGES)
    assert not resume.is_wanted(listing)


def test_more_live_events_than_may_wait_are_a_gap_and_are_told() -> None:
    resume = returned(created(90))
    (listing,) = resume.plan([ChannelActivity(A, at(199))])
    live: list[Event] = [created(201 + n) for n in range(module.MAX_HELD + 1)]
    out = resume.live(live, at(2000))
    assert isinstance(out[0], GapDetected)
    assert out[1:] == live
    assert not resume.is_wanted(listing)
    assert resume.fetched(listing, [said(150)], has_more=False) == []
    assert ids(resume.live([created(5000)], at(5000))) == ["5000"]


def test_a_second_drop_during_the_catch_up_loses_nothing() -> None:
    resume = returned(created(90))
    resume.live([created(201)], at(201))
    (listing,) = resume.plan([ChannelActivity(A, at(201)), ChannelActivity(B, at(150))])[:1]
    assert ids(resume.fetched(listing, [said(120)], has_more=True)) == ["120"]
    resume.lost(at(210))
    assert resume.drain(10) == []
    assert resume.fetched(listing, [said(130)], has_more=False) == []
    resume.established(at(300))
    listings = {
        item.channel_arn: item for item in resume.plan([ChannelActivity(A, at(250)), ChannelActivity(B, at(150))])
    }
    assert listings[B].not_before == at(70)
    out = resume.fetched(listings[A], [said(120), said(130), said(201), said(250)], has_more=False)
    assert ids(out) == ["130", "201", "250"]
    resume.finish(listings[A])
    resume.fetched(listings[B], [said(150, B)], has_more=False)
    resume.finish(listings[B])
    assert resume.drain(10) == []
    (recovered,) = resume.complete()
    assert isinstance(recovered, Recovered)
    assert (recovered.since, recovered.messages) == (at(100), 4)


def test_events_without_a_channel_pass_while_others_wait() -> None:
    resume = returned(created(90))
    event = SessionEstablished("1", reconnected=True)
    assert resume.live([event], at(200)) == [event]


def test_other_events_of_a_channel_keep_their_place() -> None:
    resume = returned(created(90))
    deleted = MessageDeleted(EMPTY, said(90))
    resume.live([deleted, created(201)], at(201))
    (listing,) = resume.plan([ChannelActivity(A, at(201))])
    out = resume.fetched(listing, [said(120), said(201)], has_more=False)
    assert out[1] is deleted
    assert ids(out) == ["120", "201"]


def test_held_events_are_given_out_in_batches_and_later_ones_wait_for_them() -> None:
    resume = returned()
    resume.live([created(201 + n) for n in range(5)], at(205))
    assert resume.plan([ChannelActivity(A, None)]) == []
    assert ids(resume.drain(3)) == ["201", "202", "203"]
    assert resume.live([created(210)], at(210)) == []
    assert ids(resume.drain(3)) == ["204", "205", "210"]
    assert resume.is_idle


def test_a_clock_that_is_ahead_of_the_service_loses_nothing() -> None:
    # Alice's clock shows ten minutes more than the service's.
    resume = Resume(ALICE)
    resume.opened(at(600))
    resume.established(at(600))
    resume.live([created(1)], at(601))
    resume.live([created(90)], at(690))
    resume.lost(at(700))
    resume.established(at(800))
    listings = {
        item.channel_arn: item for item in resume.plan([ChannelActivity(A, at(120)), ChannelActivity(B, at(95))])
    }
    assert listings[A].not_before <= at(90)
    assert listings[B].not_before <= at(90)


def test_losing_a_connection_that_was_never_established_means_nothing() -> None:
    resume = Resume(ALICE)
    resume.opened(at(0))
    resume.lost(at(1))
    assert not resume.established(at(2))
    assert resume.is_idle
