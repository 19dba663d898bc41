"""The only room that knows aioice, OpenSSL, pylibsrtp, Opus and the codecs of aiortc: transport, peers, codecs."""
