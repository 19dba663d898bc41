"""Room: what do the bytes on the wire mean?

Pure functions and values, both directions. May import only `ids` and `errors`. No IO, no clock.
"""
