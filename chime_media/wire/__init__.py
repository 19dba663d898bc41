"""Bytes and text <-> values of media: RTP, RTCP, SDP, payload headers. Pure; imports chime_messaging.wire and errors."""
