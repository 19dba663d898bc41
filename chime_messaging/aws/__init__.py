"""Room: what does AWS want? Endpoint lookup, SigV4 presigning, credentials, control-plane calls off the event loop.

The only client room that knows boto3 and botocore. May import `transport`, `observers` and what stands below them.
"""
