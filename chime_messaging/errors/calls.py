"""What can go wrong with a call to another attendee."""

from __future__ import annotations

from typing import ClassVar

from chime_messaging.errors.base import ChimeError


class CallError(ChimeError):
    """A call to another attendee has no result."""

    _summary: ClassVar[str] = "no result"

    def __init__(self, attendee_id: str, method: str, problem: str = "") -> None:
        super().__init__(attendee_id, method, problem)
        self.attendee_id = attendee_id
        """Who was called."""
        self.method = method
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.method} of {self.attendee_id}: {self._summary}{f' ({self.problem})' if self.problem else ''}"


class CallTimeoutError(CallError, TimeoutError):
    """No answer in time. The method may have run or not."""

    _summary = "no answer in time"


class CallFailedError(CallError):
    """The method raised; `problem` is the name of its error, and its text if the callee tells it."""

    _summary = "failed"


class MethodNotFoundError(CallError):
    """The one who was called has no such method."""

    _summary = "no such method"


class CalleeBusyError(CallError):
    """The one who was called works on as many calls as it takes."""

    retryable = True
    _summary = "busy"


class CalleeLeftError(CallError):
    """The one who was called left the meeting before it answered."""

    _summary = "left the meeting"
