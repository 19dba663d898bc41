"""Bytes and text <-> values of media: RTP, RTCP, SDP, payload headers. Pure; may import chime_messaging.wire."""
