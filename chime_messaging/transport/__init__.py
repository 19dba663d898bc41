"""Room: how do messages travel? Websocket (asyncio and trio), in-memory pair, scripted faults.

The only client room that knows `websockets`. May import `protocol` and what stands below it.
"""
