"""The short cut in front of the state machine must never be noticed: same bytes, same messages, same end."""

import struct
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from chime_messaging.transport.base import MAX_FRAMES
from chime_messaging.transport.framing import ClientFraming

URI = parse_uri("ws://host/connect?secret")
LIMIT = 70_000


@dataclass
class Seen:
    """What came out of one way to read."""

    messages: list[str | bytes] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)
    end: tuple[int, str] | None = None


def opened(limit: int = LIMIT) -> ClientFraming:
    framing = ClientFraming(URI, max_size=limit, user_agent="test")
    server = ServerProtocol()
    server.receive_data(framing.to_send())
    (request,) = server.events_received()
    assert isinstance(request, Request)
    server.send_response(server.accept(request))
    assert framing.receive_handshake(b"".join(server.data_to_send()))
    return framing


def frame(data: bytes, first: int = 0x81) -> bytes:
    if len(data) < 126:
        return bytes([first, len(data)]) + data
    if len(data) < 1 << 16:
        return struct.pack("!BBH", first, 126, len(data)) + data
    return struct.pack("!BBQ", first, 127, len(data)) + data


def through_framing(stream: bytes, cuts: list[int]) -> Seen:
    framing, seen = opened(), Seen()
    for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        framing.receive(stream[start:stop])
        while batch := framing.take():
            assert len(batch) <= MAX_FRAMES
            seen.messages.extend(batch)
    seen.answers = unmasked(framing.to_send())
    closed = framing.outcome("")
    seen.end = None if framing.open else (closed.code, closed.reason)
    return seen


def through_library(stream: bytes) -> Seen:
    """The same with nothing but the state machine, joined and decoded by hand."""
    protocol, seen = ClientProtocol(URI, state=OPEN, max_size=LIMIT), Seen()
    protocol.parser = super(ClientProtocol, protocol).parse()
    next(protocol.parser)
    parts: list[bytes] = []
    binary = False
    protocol.receive_data(stream)
    # What comes after a message that is not UTF-8 must not count, so the answers are those up to there.
    for event in protocol.events_received():
        if not isinstance(event, Frame) or event.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            continue
        if event.opcode is not Opcode.CONT:
            binary = event.opcode is Opcode.BINARY
        parts.append(bytes(event.data))
        if event.fin:
            data = b"".join(parts)
            parts.clear()
            try:
                seen.messages.append(data if binary else data.decode())
            except UnicodeDecodeError as exc:
                seen.end = (1007, f"{exc.reason} at position {exc.start}")
                return seen
    seen.answers = unmasked(b"".join(protocol.data_to_send()))
    if protocol.state is not OPEN:
        close = protocol.close_rcvd or protocol.close_sent
        assert close is not None
        seen.end = (close.code, close.reason)
    return seen


def unmasked(data: bytes) -> list[bytes]:
    """First byte and payload of each frame of the client, whose masks are random."""
    frames = []
    while data:
        length = data[1] & 127
        assert length < 126
        mask, body = data[2:6], data[6 : 6 + length]
        frames.append(data[:1] + bytes(byte ^ mask[index % 4] for index, byte in enumerate(body)))
        data = data[6 + length :]
    return frames


TEXTS = st.text(max_size=300).map(lambda text: frame(text.encode()))
PIECES = st.one_of(
    TEXTS,
    st.sampled_from([0, 1, 125, 126, 127, 65_535, 65_536, LIMIT]).map(lambda size: frame(b"x" * size)),
    st.binary(max_size=200).map(lambda data: frame(data, 0x82)),
    st.binary(max_size=125).map(lambda data: frame(data, 0x89)),
    st.binary(max_size=125).map(lambda data: frame(data, 0x8A)),
    # A fragmented text whose cut may go through a character, with a ping in between.
    st.tuples(st.text(min_size=1, max_size=50), st.integers(0, 50)).map(
        lambda pair: (
            frame(pair[0].encode()[: pair[1]], 0x01)
            + frame(b"between", 0x89)
            + frame(pair[0].encode()[pair[1] :], 0x80)
        )
    ),
)
LAST = st.one_of(
    st.just(b""),
    st.sampled_from([b"", b"\x03\xe8", b"\x0f\xa3put out"]).map(lambda data: frame(data, 0x88)),
    st.binary(max_size=40),
    st.binary(min_size=1, max_size=40).map(frame),
    st.just(struct.pack("!BBQ", 0x81, 127, LIMIT + 1) + b"x"),
    st.just(struct.pack("!BBQ", 0x82, 127, 1 << 63)),
    st.just(frame(b"x" * LIMIT, 0x01) + frame(b"y", 0x80)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=12), LAST, st.lists(st.integers(0, 1 << 20), max_size=30))
def test_any_bytes_cut_anywhere_mean_what_the_state_machine_alone_makes_of_them(
    pieces: list[bytes], last: bytes, cuts: list[int]
) -> None:
    stream = b"".join(pieces) + last
    places = sorted(cut % (len(stream) + 1) for cut in cuts)
    ours, theirs = through_framing(stream, places), through_library(stream)
    assert ours.messages == theirs.messages
    assert ours.end == theirs.end
    if theirs.end is None or theirs.end[0] != 1007:
        assert ours.answers == theirs.answers


def test_a_stream_cut_at_every_byte_means_the_same() -> None:
    stream = b"".join(
        [
            frame("häppchen".encode()),
            frame(b"x" * 200),
            frame(b"12", 0x01),
            frame(b"ping", 0x89),
            frame(b"34", 0x00),
            frame(b"56", 0x80),
            frame(b"\xff", 0x82),
            frame(b""),
            frame(b"\x0f\xa3out", 0x88),
            frame(b"after the end"),
        ]
    )
    expected = ["häppchen", "x" * 200, "123456", b"\xff", ""]
    for cut in range(len(stream) + 1):
        seen = through_framing(stream, [cut])
        assert seen.messages == expected
        assert seen.end == (4003, "out")
    assert through_framing(stream, list(range(len(stream)))).messages == expected


def test_a_batch_is_bounded_and_the_rest_waits() -> None:
    framing = opened()
    framing.receive(frame(b"x") * (2 * MAX_FRAMES + 5))
    assert [len(framing.take()) for _ in range(4)] == [MAX_FRAMES, MAX_FRAMES, 5, 0]
    assert not framing.buffered


def test_messages_before_one_that_is_not_utf_8_are_delivered_and_none_after_it() -> None:
    framing = opened()
    framing.receive(frame(b"good") + frame(b"\xff\xfe") + frame(b"late"))
    assert framing.take() == ["good"]
    assert framing.take() == []
    assert framing.finished
    framing.receive(frame(b"later still"))
    assert framing.take() == []
    assert framing.outcome("").code == 1007


def test_a_large_message_in_small_pieces_is_joined_once() -> None:
    framing = opened(1 << 24)
    data = frame(b"x" * (1 << 22))
    for start in range(0, len(data), 1 << 10):
        assert framing.take() == []
        framing.receive(data[start : start + (1 << 10)])
    assert framing.take() == ["x" * (1 << 22)]


def test_after_our_close_nothing_is_delivered_and_the_peers_answer_is_understood() -> None:
    framing = opened()
    framing.receive(frame(b"waiting") + frame(b"half")[:-2])
    framing.close(1000, "done")
    assert framing.take() == []
    framing.receive(b"lf" + frame(b"late") + frame(b"\x03\xe8done", 0x88))
    assert framing.take() == []
    assert framing.finished
    closed = framing.outcome("")
    assert (closed.code, closed.reason, closed.initiated_by) == (1000, "done", "us")


def test_the_end_of_the_connection_in_the_middle_of_a_frame_is_abnormal() -> None:
    framing = opened()
    framing.receive(frame(b"half")[:-2])
    assert framing.take() == []
    framing.receive_eof()
    closed = framing.outcome("gone")
    assert (closed.code, closed.reason, closed.initiated_by) == (1006, "gone", "network")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_an_answer_to_the_upgrade_that_is_noise_is_refused_in_order(noise: bytes, cuts: list[int]) -> None:
    framing = ClientFraming(URI, max_size=LIMIT, user_agent="test")
    places = sorted(min(cut, len(noise)) for cut in cuts)
    try:
        for start, stop in zip([0, *places], [*places, len(noise)], strict=True):
            assert not framing.receive_handshake(noise[start:stop])
    except InvalidHandshake:
        return
    assert isinstance(framing.receive_handshake_eof(), InvalidHandshake)
