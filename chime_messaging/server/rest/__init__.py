"""Room: HTTP into calls and back. What does AWS's service model say about this request?

Routes, decoding, constraints, encoding and errors are all read from botocore's models once per process; a handler
holds only the semantics. May import `server.operations`, `server.configuration`, `server.faults`, `server.store`.
"""
