"""A module for PyPI's `testcontainers`: martinet as a container.

    from martinet.testcontainers import MartinetContainer

    with MartinetContainer(scenario="no-ptr", receiver="fcrdns") as martinet:
        send_mail(martinet.get_container_host_ip(), martinet.get_exposed_smtp_port())     # the software under test
        martinet.world().wait_for_session().assert_rejected(rule="iprev")
"""

from __future__ import annotations

from typing import Optional

from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import HttpWaitStrategy

from ._client import Server, World

SMTP_PORT = 1025
HTTP_PORT = 8025


class MartinetContainer(DockerContainer):
    """The image `martinet`, ready when `/readyz` says so. Its files are below /scenarios: `with_volume_mapping(folder, "/scenarios")`."""

    def __init__(self, image: str = "martinet", scenario: Optional[str] = None, receiver: Optional[str] = None, **options: object):
        super().__init__(image, **options)
        self.with_exposed_ports(SMTP_PORT, HTTP_PORT)
        if scenario:
            self.with_env("MARTINET_SCENARIO", scenario)
        if receiver:
            self.with_env("MARTINET_RECEIVER", receiver)
        self.waiting_for(HttpWaitStrategy(HTTP_PORT, "/readyz").for_status_code(200))

    def get_exposed_smtp_port(self) -> int:
        """Return the port of this host that is forwarded to the SMTP server."""
        return int(self.get_exposed_port(SMTP_PORT))

    def get_http_url(self) -> str:
        """Return the URL of the HTTP server, as this host reaches it."""
        return f"http://{self.get_container_host_ip()}:{self.get_exposed_port(HTTP_PORT)}"

    def world(self) -> World:
        """Return the main world. `smtp_host` and `smtp_port` are those of this host; the DNS server has no port here."""
        world = Server(self.get_http_url()).existing_world("main")
        world.smtp_host, world.smtp_port = self.get_container_host_ip(), self.get_exposed_smtp_port()
        world.smtp = f"{world.smtp_host}:{world.smtp_port}"
        return world
