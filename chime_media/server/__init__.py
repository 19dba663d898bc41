"""The media node of the local Chime: audio mixer, video forwarder, one UDP port. Plugs into chime_messaging.server."""
