"""Room: the local Chime. What would AWS answer, store and deliver?

`rest` turns HTTP into calls by botocore's own service models; `identity` and `messaging` hold one handler per
operation; `store` keeps what must last; `connections` and `broker` are the websocket side. Needs the extra ``server``.
May import `aws` and what stands below it; never `sessions`.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chime_messaging.server.callbacks import ProcessorRegistry
    from chime_messaging.server.configuration import Authorization, ServerConfiguration
    from chime_messaging.server.control import Control
    from chime_messaging.server.local_server import LocalServer

__all__ = ["Authorization", "Control", "LocalServer", "ProcessorRegistry", "ServerConfiguration"]

# Loaded when asked for: ``chime env`` and the like need one small module of this room and not the web server.
_HOMES = {
    "Authorization": "configuration",
    "Control": "control",
    "LocalServer": "local_server",
    "ProcessorRegistry": "callbacks",
    "ServerConfiguration": "configuration",
}


if not TYPE_CHECKING:  # or type checkers would take any name for granted

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
