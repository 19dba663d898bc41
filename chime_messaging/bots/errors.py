"""What can go wrong between a person and a bot. The text of each is what the person is told."""

from __future__ import annotations

from chime_messaging.errors import ChimeError


class CommandError(ChimeError):
    """A message that a bot understood as meant for it and will not, or cannot, carry out."""


class ArgumentError(CommandError):
    """The words after a command are not what it takes."""

    def __init__(self, problem: str, usage: str) -> None:
        super().__init__(problem, usage)
        self.problem = problem
        self.usage = usage
        """How the command is written, for example ``/roll [sides]``."""

    def __str__(self) -> str:
        return f"{self.problem}. Usage: {self.usage}"


class NotAllowedError(CommandError):
    """The sender may not do this."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else "You may not do this."


class RateLimitedError(CommandError):
    """The sender asks too often."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after
        """Seconds until the next try is taken."""

    def __str__(self) -> str:
        return f"Slow down, please: try again in {max(1, round(self.retry_after))} s."
