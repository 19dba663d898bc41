"""Opus: one encoder and one decoder over libopus, which PyAV brings along where the system has none.

Through ctypes rather than PyAV because both ends need what PyAV hides: concealment of losses, in-band redundancy,
complexity, and a copy of an encoder's state. Calls into the library let go of the interpreter, so threads help.
"""

from __future__ import annotations

import ctypes
import glob
import importlib.util
import os
from functools import cache
from typing import Final, Literal, cast

import numpy as np
import numpy.typing as npt

from chime_media.wire.opus_packet import FRAME_SAMPLES, LONGEST_PACKET_SAMPLES, SAMPLE_RATE
from chime_messaging.errors import ChimeError, ConfigurationError

Samples = npt.NDArray[np.int16]
"""Samples at 48 kHz: shape (n,) for one channel, (n, 2) for two."""
Application = Literal["voip", "audio", "low-delay"]

_APPLICATIONS: Final[dict[str, int]] = {"voip": 2048, "audio": 2049, "low-delay": 2051}
_LARGEST_PACKET: Final = 1500
_SET_BITRATE: Final = 4002
_SET_COMPLEXITY: Final = 4010
_SET_INBAND_FEC: Final = 4012
_SET_PACKET_LOSS: Final = 4014
_SET_DTX: Final = 4016
_GET_LOOKAHEAD: Final = 4027
_RESET_STATE: Final = 4028
_SET_PREDICTION_DISABLED: Final = 4042


class OpusError(ChimeError):
    """libopus refused what it was given."""

    def __init__(self, what: str, code: int) -> None:
        super().__init__(what, code)
        self.what = what
        self.code = code
        """libopus' (negative) error code."""

    def __str__(self) -> str:
        return f"{self.what}: Opus error {self.code}"


def _candidates() -> list[str]:
    names = ["libopus.so.0", "libopus.0.dylib", "opus.dll", "libopus-0.dll"]
    found = importlib.util.find_spec("av")
    if found is not None and found.origin is not None:
        package = os.path.dirname(found.origin)
        for folder in (os.path.join(os.path.dirname(package), "av.libs"), os.path.join(package, ".dylibs")):
            names += sorted(glob.glob(os.path.join(folder, "*opus*")))
    return names


@cache
def _library() -> ctypes.CDLL:
    for name in _candidates():
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        return _declare(library)
    raise ConfigurationError("libopus", "not found: install it, or PyAV, whose wheels contain it")


def _declare(library: ctypes.CDLL) -> ctypes.CDLL:
    pointer, integer = ctypes.c_void_p, ctypes.c_int
    library.opus_get_version_string.restype = ctypes.c_char_p
    for name, result, arguments in (
        ("opus_encoder_get_size", integer, [integer]),
        ("opus_encoder_init", integer, [pointer, integer, integer, integer]),
        ("opus_encoder_ctl", integer, [pointer, integer]),
        ("opus_encode", integer, [pointer, pointer, integer, pointer, integer]),
        ("opus_decoder_get_size", integer, [integer]),
        ("opus_decoder_init", integer, [pointer, integer, integer]),
        ("opus_decoder_ctl", integer, [pointer, integer]),
        ("opus_decode", integer, [pointer, ctypes.c_char_p, integer, pointer, integer, integer]),
    ):
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library


def library_version() -> str:
    """What libopus calls itself, for example ``libopus 1.3.1``."""
    return bytes(_library().opus_get_version_string()).decode()


class OpusEncoder:
    """Turns 20 ms of samples into one packet.

    Args:
        channels: 1 or 2.
        application: ``voip`` for one talker (the only one with `fec` at speech bitrates), ``audio`` for music,
            ``low-delay`` for what is coded again on its way: half the work of ``voip`` and 4 ms less delay.
        bitrate: Bits a second.
        complexity: 0..10, processor time against quality.
        dtx: Send next to nothing while nothing is said.
        fec: Put a copy of each frame into the next packet, sized by `packet_loss`.
        packet_loss: Percent of the packets that are expected to be lost.
    """

    __slots__ = ("_encode", "_input", "_input_address", "_output", "_size", "_state", "_state_address", "channels")

    def __init__(
        self,
        *,
        channels: int = 1,
        application: Application = "voip",
        bitrate: int = 32000,
        complexity: int = 5,
        dtx: bool = False,
        fec: bool = False,
        packet_loss: int = 0,
    ) -> None:
        library = _library()
        self.channels = channels
        self._size = library.opus_encoder_get_size(channels)
        self._state = ctypes.create_string_buffer(self._size)
        self._state_address = ctypes.addressof(self._state)
        result = library.opus_encoder_init(self._state_address, SAMPLE_RATE, channels, _APPLICATIONS[application])
        if result < 0:
            raise OpusError(f"an encoder of {channels} channels", result)
        self._encode = library.opus_encode
        self._output = ctypes.create_string_buffer(_LARGEST_PACKET)
        # Copied there, as to ask an array for its address takes longer than to copy it.
        self._input = np.empty(FRAME_SAMPLES * channels, np.int16)
        self._input_address = self._input.ctypes.data
        self._control(_SET_BITRATE, bitrate)
        self._control(_SET_COMPLEXITY, complexity)
        self._control(_SET_DTX, int(dtx))
        self._control(_SET_INBAND_FEC, int(fec))
        self._control(_SET_PACKET_LOSS, packet_loss)

    def encode(self, samples: Samples) -> bytes:
        """Encode 20 ms: 960 contiguous samples per channel, interleaved.

        Raises:
            OpusError: a wrong number of samples.
        """
        if samples.size != self._input.size or samples.dtype != np.int16:
            raise OpusError(f"{samples.size} samples of {samples.dtype} for one frame of {self.channels} channels", -1)
        self._input[:] = samples.ravel()
        output = self._output
        size = self._encode(self._state_address, self._input_address, FRAME_SAMPLES, output, _LARGEST_PACKET)
        if size < 0:
            raise OpusError("encoding", size)
        return cast("bytes", output[:size])

    def set_bitrate(self, bitrate: int) -> None:
        """Aim at `bitrate` bits a second from the next packet on."""
        self._control(_SET_BITRATE, bitrate)

    def set_packet_loss(self, percent: int) -> None:
        """Say what part of the packets is lost, for the size of the in-band redundancy."""
        self._control(_SET_PACKET_LOSS, min(max(percent, 0), 100))

    def set_independent(self, independent: bool) -> None:
        """Whether the next packets stand for themselves, for listeners who come in midway, or lean on those before."""
        self._control(_SET_PREDICTION_DISABLED, int(independent))

    def continue_from(self, other: OpusEncoder) -> None:
        """Take over the state of another encoder of as many channels: a decoder can then follow either."""
        if other._size != self._size:
            raise OpusError("the state of an encoder of other channels", -1)
        ctypes.memmove(self._state, other._state, self._size)

    @property
    def lookahead(self) -> int:
        """Samples by which what comes out of a decoder is later than what went in."""
        value = ctypes.c_int(0)
        _library().opus_encoder_ctl(self._state_address, _GET_LOOKAHEAD, ctypes.byref(value))
        return value.value

    def _control(self, request: int, *values: int) -> None:
        result = _library().opus_encoder_ctl(self._state_address, request, *map(ctypes.c_int, values))
        if result < 0:
            raise OpusError(f"setting {request} to {values}", result)


class OpusDecoder:
    """Turns packets into samples, whatever their length, bandwidth and channels.

    Args:
        channels: 1 or 2; what is coded otherwise is mixed down or doubled.
    """

    __slots__ = ("_address", "_decode", "_samples", "_state", "_state_address", "channels")

    def __init__(self, *, channels: int = 1) -> None:
        library = _library()
        self.channels = channels
        self._state = ctypes.create_string_buffer(library.opus_decoder_get_size(channels))
        self._state_address = ctypes.addressof(self._state)
        result = library.opus_decoder_init(self._state_address, SAMPLE_RATE, channels)
        if result < 0:
            raise OpusError(f"a decoder of {channels} channels", result)
        self._decode = library.opus_decode
        self._samples = np.empty(FRAME_SAMPLES * channels, np.int16)
        self._address = self._samples.ctypes.data

    def decode(self, packet: bytes) -> Samples:
        """The samples of one packet.

        Raises:
            OpusError: it is no Opus packet.
        """
        if not packet:
            raise OpusError("an empty packet", -1)
        return self._run(packet, LONGEST_PACKET_SAMPLES if packet[0] & 3 else FRAME_SAMPLES * 3, 0)

    def decode_redundancy(self, packet: bytes, samples: int = FRAME_SAMPLES) -> Samples:
        """As many `samples` of the packet before a packet, from the copy within it, or concealed if there is none.

        Raises:
            OpusError: it is no Opus packet.
        """
        return self._run(packet, samples, 1)

    def conceal(self, samples: int = FRAME_SAMPLES) -> Samples:
        """As many `samples` as hide a loss, a multiple of 120 and 5760 at most; they fade when losses go on."""
        return self._run(None, samples, 0)

    def reset(self) -> None:
        """Forget what was decoded: the next packet belongs to another stream."""
        _library().opus_decoder_ctl(self._state_address, _RESET_STATE)

    def _run(self, packet: bytes | None, samples: int, redundancy: int) -> Samples:
        channels = self.channels
        if samples * channels > self._samples.size:
            self._samples = np.empty(samples * channels, np.int16)
            self._address = self._samples.ctypes.data
        count = self._decode(
            self._state_address, packet, len(packet) if packet else 0, self._address, samples, redundancy
        )
        if count < 0:
            raise OpusError("decoding", count)
        decoded = self._samples[: count * channels].copy()
        return decoded if channels == 1 else decoded.reshape(count, channels)
