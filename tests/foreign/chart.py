"""Lints helm/martinet with Helm's own library, renders it, and checks the output.

Usage: chart.py CHART. The library is PyPI's helm-python-sdk; nothing asks a cluster.
"""

import sys

import yaml
from helm_python import Chart, HelmRenderError, lint

CHART = sys.argv[1]
ADDRESS = "10.96.0.25"
SCENARIO = 'title = "Mine"\n\n[[domain]]\nname = "contoso.test"\n'
ALL = {
    "files": {"mine.toml": SCENARIO},
    "scenario": "./mine.toml",
    "receiver": "fcrdns",
    "env": {"MARTINET_LOG": "info"},
    "service": {"clusterIP": ADDRESS},
    "sender": {"enabled": True},
}


def check(values: dict) -> dict:
    """Lint and render with these values, and return the manifests by kind."""
    report = lint(CHART, values)
    wrong = [message for message in report["messages"] if message["severity"] not in ("INFO", "info", 1)]
    assert not wrong, wrong
    with Chart.load(CHART) as chart:
        rendered = chart.render(values=values, name="tests", namespace="mail")
    texts = [text for path, text in rendered.items() if path.endswith(".yaml")]
    return {part["kind"]: part for text in texts for part in yaml.safe_load_all(text) if part}


plain = check({})
assert set(plain) == {"ConfigMap", "Deployment", "Service"}, set(plain)
assert "clusterIP" not in plain["Service"]["spec"]

whole = check(ALL)
assert whole["ConfigMap"]["data"] == {"mine.toml": SCENARIO}, whole["ConfigMap"]
pod = whole["Deployment"]["spec"]["template"]["spec"]
(container,) = pod["containers"]
assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
variables = {one["name"]: one.get("value") for one in container["env"]}
assert variables["MARTINET_SCENARIO"] == "./mine.toml" and variables["MARTINET_RECEIVER"] == "fcrdns"
assert variables["MARTINET_LOG"] == "info" and variables["MARTINET_HTTP_HOST"].startswith("tests,tests.mail,")
(mount,), (volume,) = container["volumeMounts"], pod["volumes"]
assert mount["name"] == volume["name"] and volume["configMap"]["name"] == whole["ConfigMap"]["metadata"]["name"]
names = {port["name"] for port in container["ports"]}
assert {port["targetPort"] for port in whole["Service"]["spec"]["ports"]} == names == {"smtp", "dns", "dns-tcp", "http"}
labels = whole["Deployment"]["spec"]["template"]["metadata"]["labels"]
assert whole["Service"]["spec"]["selector"].items() <= labels.items()
sender = whole["Pod"]["spec"]
assert sender["dnsPolicy"] == "None" and sender["dnsConfig"]["nameservers"] == [ADDRESS]
assert not whole["Service"]["spec"]["selector"].items() <= whole["Pod"]["metadata"]["labels"].items()
assert sender["containers"][0]["args"][:3] == ["send", "--smtp", f"{ADDRESS}:25"]

try:
    with Chart.load(CHART) as chart:
        chart.render(values={"sender": {"enabled": True}}, name="tests", namespace="mail")
except HelmRenderError as error:
    assert "sender.enabled needs service.clusterIP" in str(error), error
else:
    raise AssertionError("a sender without the address of its nameserver was rendered")
print("helm/martinet: linted, rendered")
