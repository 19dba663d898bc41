"""Meetings with audio, video and content share: the media add-on of `chime_messaging`.

Contract: this package imports `chime_messaging`, never the other way round; it plugs its media node into
`chime_messaging.server` by registration; its sessions share the signalling connection and the observer hub.
Installed with ``pip install chime-messaging[media]``. Empty until the media capability lands.
"""
