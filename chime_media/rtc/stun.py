"""Answers to the connectivity checks of ICE, for a side that only answers (ICE-lite, RFC 8445 section 2.5)."""

from __future__ import annotations

import secrets
import struct
from dataclasses import dataclass

from aioice import stun

Address = tuple[str, int]

_ROLE_CONFLICT = (487, "Role Conflict")


def is_stun(datagram: bytes) -> bool:
    """Whether a datagram of a connection that carries also DTLS and SRTP is STUN (RFC 7983)."""
    return len(datagram) >= stun.HEADER_LENGTH and datagram[0] < 4


@dataclass(frozen=True, slots=True)
class IceCredentials:
    """The user fragment and the password of one side."""

    ufrag: str
    pwd: str

    @classmethod
    def random(cls) -> IceCredentials:
        """New ones, in the service's shape: 32 lower-case hexadecimal digits each."""
        return cls(secrets.token_hex(16), secrets.token_hex(16))


class ConnectivityCheck:
    """A check that came in and is not authenticated yet.

    Attributes:
        ufrag: Whom it is for.
        nominates: Whether the peer wants this path to be used.
    """

    __slots__ = ("_message", "nominates", "ufrag")

    def __init__(self, message: stun.Message, ufrag: str) -> None:
        self._message = message
        self.ufrag = ufrag
        self.nominates = "USE-CANDIDATE" in message.attributes

    @classmethod
    def parse(cls, datagram: bytes) -> ConnectivityCheck | None:
        """Read a check; None if the datagram is something else."""
        try:
            message = stun.parse_message(datagram)
        except (ValueError, IndexError, struct.error):
            return None
        username = message.attributes.get("USERNAME")
        if (
            message.message_method is not stun.Method.BINDING
            or message.message_class is not stun.Class.REQUEST
            or not isinstance(username, str)
        ):
            return None
        return cls(message, username.partition(":")[0])

    def is_authentic(self, pwd: str) -> bool:
        """Whether it comes from who has our password."""
        return self._message.check_message_integrity(pwd.encode())

    @property
    def has_role_conflict(self) -> bool:
        """Whether the peer thinks that it is the controlled side, as an ICE-lite side always is."""
        return "ICE-CONTROLLED" in self._message.attributes

    def answer(self, address: Address, pwd: str) -> bytes:
        """The answer to a check that came from `address`."""
        if self.has_role_conflict:
            return self._respond(stun.Class.ERROR, {"ERROR-CODE": _ROLE_CONFLICT}, pwd)
        # What comes over IPv4 to a socket of both families has an IPv6 address to the system alone.
        seen = (address[0].removeprefix("::ffff:") if "." in address[0] else address[0], address[1])
        return self._respond(stun.Class.RESPONSE, {"XOR-MAPPED-ADDRESS": seen}, pwd)

    def _respond(self, kind: stun.Class, attributes: dict[str, object], pwd: str) -> bytes:
        response = stun.Message(stun.Method.BINDING, kind, self._message.transaction_id, attributes)
        response.add_message_integrity(pwd.encode())
        return bytes(response)
