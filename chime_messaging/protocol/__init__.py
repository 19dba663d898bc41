"""Room: what happens next? The state machines of a messaging session, in both roles.

Pure: no IO, no clock (`now` is an argument), no randomness of its own. May import `events`, `wire`, `ids`, `errors`.
"""
