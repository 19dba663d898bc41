"""Compressed descriptions: raw DEFLATE with the previous description as dictionary."""

from __future__ import annotations

import zlib

from chime_media.wire.sdp import MAX_LENGTH
from chime_messaging.errors import DecodeError

DICTIONARY_LENGTH = 31744
"""Characters of the previous description that serve as dictionary."""
_RAW = -15
_MEMORY_LEVEL = 9


def compress(text: str, previous: str = "") -> bytes:
    """Compress a description; empty `previous` is no dictionary, which every peer understands."""
    dictionary = _dictionary(previous)
    if dictionary:
        compressor = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, _RAW, _MEMORY_LEVEL, zdict=dictionary)
    else:
        compressor = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, _RAW, _MEMORY_LEVEL)
    return compressor.compress(text.encode()) + compressor.flush()


def decompress(data: bytes, previous: str = "", limit: int = MAX_LENGTH) -> str:
    """Undo `compress`. What was compressed without a dictionary is read with any.

    Raises:
        DecodeError: It is not compressed, cut off, empty, no text, or longer than `limit` bytes.
    """
    dictionary = _dictionary(previous)
    inflater = zlib.decompressobj(_RAW, zdict=dictionary) if dictionary else zlib.decompressobj(_RAW)
    try:
        raw = inflater.decompress(data, limit + 1)
    except zlib.error as error:
        raise DecodeError(f"a description that cannot be decompressed: {error}") from error
    if len(raw) > limit:
        raise DecodeError(f"a compressed description longer than {limit} bytes")
    if not inflater.eof:
        raise DecodeError("a compressed description that is cut off")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise DecodeError("a compressed description that is no text") from error
    if not text:
        raise DecodeError("an empty compressed description")
    return text


def _dictionary(previous: str) -> bytes:
    return previous[:DICTIONARY_LENGTH].encode()
