"""The plugin in a separate test run, whose report is read as text."""

import os
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
FAILING = '''
import smtplib, pytest

@pytest.mark.martinet(scenario="no-ptr", receiver="fcrdns")
def test_that_is_wrong(martinet_world):
    try:
        with smtplib.SMTP(martinet_world.smtp_host, martinet_world.smtp_port, local_hostname="mail.example.test") as smtp:
            smtp.sendmail("a@example.test", ["b@contoso.test"], "Subject: x\\n\\nx\\n")
    except smtplib.SMTPResponseException:
        pass
    martinet_world.wait_for_session().assert_accepted()
'''


def run(directory, text, *arguments):
    (directory / "test_it.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-p", "martinet.pytest_plugin", "-p", "no:cacheprovider", *arguments, str(directory)]
    return subprocess.run(command, capture_output=True, text=True, cwd=directory, env={**os.environ, "PY_COLORS": "0"})


def test_the_test_of_the_readme_passes(tmp_path, martinet):
    text = re.search(r"```python\n(import smtplib.*?)```", README.read_text(), re.S)[1]
    assert len(text.strip().splitlines()) <= 12
    done = run(tmp_path, text, "--martinet-url", martinet.url)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_failure_prints_the_session(tmp_path, martinet):
    done = run(tmp_path, FAILING, "--martinet-url", martinet.url)
    assert done.returncode == 1, done.stdout + done.stderr
    for part in ("expected a session with verdict accept, found reject, iprev, 550", "martinet session 1", "PTR: NXDOMAIN", "550 5.7.25"):
        assert part in done.stdout, part
    picture = Path(re.search(r"^/.*\.svg$", done.stdout, re.M)[0])
    assert picture.read_text().startswith("<svg")


def test_a_missing_program_is_named(tmp_path):
    environment = {key: value for key, value in os.environ.items() if key not in ("MARTINET", "MARTINET_BINARY")}
    code = "import martinet; martinet.serve()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**environment, "PATH": str(tmp_path)})
    assert "the program martinet is not installed: set MARTINET_BINARY" in done.stderr


def test_a_program_that_does_not_start_is_quoted(tmp_path):
    code = "import martinet; martinet.serve(arguments=['--scenario', 'nosuch'])"
    environment = {key: value for key, value in os.environ.items() if key != "MARTINET"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert "martinet serve ended with 2: " in done.stderr and "nosuch" in done.stderr
