"""The Python module for testcontainers, against the engine at DOCKER_HOST."""

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
