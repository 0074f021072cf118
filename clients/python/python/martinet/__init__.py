"""A client for martinet, the mail server that refuses your mail on purpose.

    import martinet

    with martinet.serve() as server, server.world(scenario="office365", receiver="helo-equals-ptr") as world:
        send_mail(world.smtp_host, world.smtp_port)          # the software under test
        world.wait_for_session().assert_rejected(rule="helo-ptr-match", code=554)

`serve` starts the program, or uses a running server if the variable MARTINET has its URL. The pytest plugin in
`martinet.pytest_plugin` makes a world for each test; `martinet.aio` has the same classes for asyncio.
"""

from ._client import Error, Expectation, Message, Query, Refusal, Remedy, Server, Session, Transaction, WaitTimeout, World
from ._process import find_binary, serve

__all__ = [
    "Error", "Expectation", "Message", "Query", "Refusal", "Remedy", "Server", "Session", "Transaction", "WaitTimeout", "World",
    "find_binary", "serve",
]
