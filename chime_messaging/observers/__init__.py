"""Room: who is told? One event hub with three faces: observer objects, decorated handlers, async iteration.

May import `protocol` and what stands below it, and anyio.
"""
