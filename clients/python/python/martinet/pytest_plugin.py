"""The pytest plugin: one server for a test run, and one world for each test.

    @pytest.mark.martinet(scenario="office365", receiver="helo-equals-ptr")
    def test_refused(martinet_world):
        send_mail(martinet_world.smtp_host, martinet_world.smtp_port)
        martinet_world.wait_for_session().assert_rejected(rule="helo-ptr-match")

If a test fails, its report has each session of its world, and the picture of each refused one in a file.
With pytest-xdist, each worker has its own server, unless `--martinet-url` or `MARTINET` names one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

import pytest

from . import Error, Server, World, serve

STORIES = 20


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("martinet")
    group.addoption("--martinet-url", metavar="URL", help="use this running server instead of starting one")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "martinet(scenario, receiver, client): the world of this test")


@pytest.fixture(scope="session")
def martinet(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The server of the test run."""
    with serve(request.config.getoption("--martinet-url")) as server:
        yield server


@pytest.fixture
def martinet_world(martinet: Server, request: pytest.FixtureRequest) -> Iterator[World]:
    """A separate world for this test; its expectations are verified at the end."""
    marker = request.node.get_closest_marker("martinet")
    with martinet.world(**(marker.kwargs if marker else {})) as world:
        request.node._martinet_world = world
        yield world
        world.verify()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: "pytest.CallInfo[None]") -> Any:
    outcome = yield
    report = outcome.get_result()
    world = getattr(item, "_martinet_world", None)
    if world is None or report.when != "call" or not report.failed:
        return
    try:
        for session in world.sessions()[:STORIES]:
            report.sections.append((f"martinet session {session.id}", session.story()))
            if session.verdict in ("defer", "reject"):
                report.sections.append((f"martinet picture {session.id}", _picture(item, session)))
    except Error as error:
        report.sections.append(("martinet", str(error)))


def _picture(item: pytest.Item, session: Any) -> str:
    directory = Path(str(item.config.rootpath)) / ".martinet"
    directory.mkdir(exist_ok=True)
    name = "".join(c if c.isalnum() else "-" for c in item.nodeid)[-100:]
    path = directory / f"{name}-{session.id}.svg"
    path.write_text(session.picture())
    return str(path)
