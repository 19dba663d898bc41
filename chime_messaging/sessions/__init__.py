"""Room: what does a user hold? Messaging sessions and channels; the one connect, pump and reconnect loop.

May import `aws` and what stands below it; never `server`.
"""
