from __future__ import annotations

from chime_media.events import MediaConnected, MediaDropped, MediaReconnectCancelled, VideoSendUnavailable
from chime_media.protocol.media_life import MediaLife
from chime_messaging.meeting_events import (
    MeetingReconnectScheduled,
    MeetingSessionConnecting,
    MeetingSessionStatusCode,
    MeetingSessionStopped,
    MeetingStatusReceived,
)

LOST = MeetingReconnectScheduled(0.5, 1, MeetingSessionStatusCode.CONNECTION_HEALTH_RECONNECT, "")
LOST_AGAIN = MeetingReconnectScheduled(0.5, 2, MeetingSessionStatusCode.SIGNALING_CHANNEL_CLOSED_UNEXPECTEDLY, "")
ENDED = MeetingSessionStopped(MeetingSessionStatusCode.LEFT)


def test_media_is_dropped_once_however_often_it_is_tried_again() -> None:
    life = MediaLife()
    assert life.noticed(LOST) == []
    assert life.noticed(MediaConnected(reconnected=False)) == []
    assert [life.noticed(LOST), life.noticed(LOST_AGAIN)] == [[MediaDropped()], []]
    assert life.noticed(MediaConnected(reconnected=True)) == []
    assert life.noticed(LOST) == [MediaDropped()]


def test_an_end_while_media_is_lost_cancels_the_reconnect() -> None:
    life = MediaLife()
    life.noticed(MediaConnected(reconnected=False))
    life.noticed(LOST)
    assert life.noticed(ENDED) == [MediaReconnectCancelled()]


def test_an_end_while_media_flows_cancels_nothing() -> None:
    life = MediaLife()
    life.noticed(MediaConnected(reconnected=False))
    assert life.noticed(ENDED) == []


def test_a_meeting_without_room_says_that_video_is_not_sent() -> None:
    status = MeetingStatusReceived(MeetingSessionStatusCode.VIDEO_CALL_SWITCH_TO_VIEW_ONLY)
    assert MediaLife().noticed(status) == [VideoSendUnavailable()]
    assert MediaLife().noticed(MeetingStatusReceived(MeetingSessionStatusCode.OK)) == []


def test_the_first_try_to_connect_is_no_loss() -> None:
    assert MediaLife().noticed(MeetingSessionConnecting(reconnecting=False)) == []
