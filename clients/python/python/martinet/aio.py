"""The same worlds for asyncio: every method that waits for the server is a coroutine.

    async with await martinet.aio.serve() as server:
        async with await server.world(scenario="no-ptr", receiver="fcrdns") as world:
            await send_mail(world.smtp_host, world.smtp_port)
            session = await world.wait_for_session(rule="iprev")
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from typing import Any, Optional, Sequence

from . import _client, _process


class _Asynchronous:
    """Runs the methods of another object in threads; its attributes are read directly."""

    def __init__(self, inner: Any):
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if not inspect.ismethod(value):
            return value

        @functools.wraps(value)
        async def call(*arguments: Any, **keywords: Any) -> Any:
            return _wrapped(await asyncio.to_thread(functools.partial(value, *arguments, **keywords)))

        return call

    async def __aenter__(self) -> "_Asynchronous":
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._inner.__exit__)


def _wrapped(value: Any) -> Any:
    return _Asynchronous(value) if isinstance(value, (_client.World, _client.Server)) else value


async def serve(url: Optional[str] = None, arguments: Sequence[str] = ()) -> _Asynchronous:
    """Start a server like `martinet.serve`."""
    return _Asynchronous(await asyncio.to_thread(_process.serve, url, arguments))
