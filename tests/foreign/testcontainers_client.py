"""Tests the Python module for testcontainers with the engine at DOCKER_HOST."""

import pathlib
import smtplib

from martinet.testcontainers import MartinetContainer

with MartinetContainer("localhost/martinet:latest", scenario="no-ptr", receiver="fcrdns") as container:
    world = container.world()
    try:
        with smtplib.SMTP(container.get_container_host_ip(), container.get_exposed_smtp_port(), local_hostname="mail.example.test") as smtp:
            smtp.sendmail("a@example.test", ["b@contoso.test"], "Subject: x\n\nx\n")
    except smtplib.SMTPResponseException as refusal:
        assert refusal.smtp_code == 550, refusal
    else:
        raise AssertionError("the message was accepted")
    world.wait_for_session().assert_rejected(rule="iprev", code=550)
print("testcontainers for Python: refused by iprev")

# A scenario without client addresses: through a published port, the client is the gateway of the bridge, and the server reports that.
SCENARIOS = pathlib.Path(__file__).parents[2] / "docker" / "scenarios"
container = MartinetContainer("localhost/martinet:latest", scenario="./sender.toml").with_volume_mapping(str(SCENARIOS), "/scenarios")
with container:
    for _ in range(2):
        with smtplib.SMTP(container.get_container_host_ip(), container.get_exposed_smtp_port(), local_hostname="mail.example.test") as smtp:
            smtp.ehlo()
        container.world().wait_for_session()
    said = b"".join(container.get_logs()).decode()
    assert said.count("is the default gateway of this machine") == 1, said
print("testcontainers for Python: the gateway is reported")
