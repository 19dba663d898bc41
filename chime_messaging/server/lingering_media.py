"""Media whose signalling was lost. It mostly comes back, and until then nobody need hear a gap."""

from __future__ import annotations

from chime_messaging.server.media import AttendeeMedia


class LingeringMedia:
    """The media of a meeting's attendees that are expected back, by their ids."""

    __slots__ = ("_media",)

    def __init__(self) -> None:
        self._media: dict[str, AttendeeMedia] = {}

    def keep(self, attendee_id: str, media: AttendeeMedia | None) -> None:
        """Let media go on until `let_go`, in place of what lingers of this attendee."""
        if media is not None:
            self.let_go(attendee_id)
            self._media[attendee_id] = media
            media.linger()

    def let_go(self, attendee_id: str) -> None:
        """End the media of an attendee that is back, or that nobody expects any more. Harmless if there is none."""
        media = self._media.pop(attendee_id, None)
        if media is not None:
            media.close()

    def close(self) -> None:
        """End all of it."""
        for attendee_id in tuple(self._media):
            self.let_go(attendee_id)
