"""Room: what can be done from a shell? ``chime serve|env|tail|send|demo|user|channel|meeting|data|load``.

May import any room.
"""
