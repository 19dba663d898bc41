"""Room: the local Chime. What would AWS answer, store and deliver?

`rest` turns HTTP into calls by botocore's own service models; `identity` and `messaging` hold one handler per
operation; `store` keeps what must last; `connections` and `broker` are the websocket side. Needs the extra ``server``.
May import `aws` and what stands below it; never `sessions`.
"""
