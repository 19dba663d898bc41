"""What the benchmarks of the media node share: the attendees' transport, and the loop that they run on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from chime_media.rtc import dtls, srtp
from chime_media.rtc.certificate import Certificate, Fingerprint
from chime_media.rtc.ice import ClientTransport


class PinnedTransport(ClientTransport):
    """The attendee's transport with one SRTP profile, so that both servers encrypt alike."""

    profile = srtp.AES128_CM_SHA1_80

    def _start_dtls(self, certificate: Certificate, remote: Fingerprint, setup: dtls.Setup) -> None:
        self._dtls = dtls.DtlsSession(certificate, remote, setup, [self.profile])
        self._handshake(self._dtls, self._dtls.start(self._loop.time()))


def run(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run on the same kind of loop for either server."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work())
