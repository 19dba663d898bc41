"""Amazon Chime SDK messaging for Python: sessions, channels, data messages, and a local Chime.

Room map, top to bottom; each may import only what stands below it:
``cli | testing``, ``bots | state``, ``sessions | server``, ``aws``, ``transport | observers``, ``protocol``,
``events``, ``wire``, ``ids``, ``errors``.
"""

__version__ = "0.1.0"
