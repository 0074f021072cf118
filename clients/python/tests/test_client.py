import asyncio
import json
import smtplib
import socket
import urllib.request

import pytest

import martinet
from martinet import aio

OUTLOOK = "na01-bn1-obe.outbound.protection.outlook.com"


def send(world, helo="mail.example.test", sender="a@example.test", message="Subject: Hello\n\nIt works.\n"):
    with smtplib.SMTP(world.smtp_host, world.smtp_port, local_hostname=helo) as smtp:
        smtp.sendmail(sender, ["b@contoso.test"], message)


@pytest.mark.martinet(scenario="office365", receiver="helo-equals-ptr")
def test_a_refusal_has_rule_reply_and_remedies(martinet_world):
    with pytest.raises(smtplib.SMTPResponseException):
        send(martinet_world, OUTLOOK)
    session = martinet_world.wait_for_session()
    session.assert_rejected(rule="helo-ptr-match", code=554, enhanced="5.7.1")
    refusal = session.refusals[0]
    assert (refusal.source, refusal.stage, refusal.temporary) == ("rule", "helo", False)
    assert any("PTR" in remedy.text for remedy in refusal.remedies) and refusal.remedies[0].changes
    assert "S: 554" in session.transcript() and session.picture().startswith("<svg")


@pytest.mark.martinet(scenario="one-to-one")
def test_an_accepted_message_is_found(martinet_world):
    send(martinet_world)
    martinet_world.wait_for_session(verdict="accept").assert_accepted()
    (message,) = martinet_world.wait_for_mail(recipient="b@contoso.test")
    assert (message.sender, message.recipients) == ("a@example.test", ["b@contoso.test"])
    assert b"It works." in message.content()
    assert martinet_world.sessions()[0].transactions[0].message == message.id


@pytest.mark.martinet(scenario="no-ptr", receiver="fcrdns")
def test_a_wrong_assertion_prints_the_session(martinet_world):
    with pytest.raises(smtplib.SMTPResponseException):
        send(martinet_world)
    session = martinet_world.wait_for_session()
    for wrong in (session.assert_accepted, lambda: session.assert_rejected(rule="helo-ptr-match"), lambda: session.assert_rejected(code=421)):
        with pytest.raises(AssertionError, match="(?s)expected a session with .* found reject, iprev.*PTR"):
            wrong()


def test_a_wait_that_fails_tells_what_was_seen(martinet_world):
    send(martinet_world)
    with pytest.raises(martinet.WaitTimeout, match="(?s)rule iprev; 0 matched.*seen: "):
        martinet_world.wait_for_session(timeout=0.2, rule="iprev")


def test_mistakes_are_errors_that_name_the_field(martinet, martinet_world):
    from martinet import Error

    with pytest.raises(Error, match="400 rule: .*iprev"):
        martinet_world.wait_for_session(rule="iprv")
    with pytest.raises(Error, match="nosuch"):
        martinet.world(scenario="nosuch")


@pytest.mark.martinet(receiver={"title": "Greylists", "rule": [{"check": "greylist", "delay": "5m"}]})
def test_time_passes_when_told_to(martinet_world):
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(martinet_world)
    martinet_world.wait_for_session().assert_deferred(rule="greylist")
    martinet_world.advance("301s")
    send(martinet_world)
    martinet_world.wait_for_session(verdict="accept")


def test_a_world_is_changed_while_it_runs(martinet_world):
    martinet_world.set_receiver("fcrdns")
    martinet_world.set_client({"address": "192.0.2.10"})
    martinet_world.set_faults({"name": "10.2.0.192.in-addr.arpa.", "type": "PTR", "do": "servfail"})
    with pytest.raises(smtplib.SMTPResponseException):
        send(martinet_world)
    martinet_world.wait_for_session().assert_deferred(rule="iprev")
    martinet_world.set_faults()
    martinet_world.set_zone("2.0.192.in-addr.arpa", "10 PTR other.elsewhere.test.")
    martinet_world.reset(only_journal=True)
    with pytest.raises(smtplib.SMTPResponseException):
        send(martinet_world)
    martinet_world.wait_for_session().assert_rejected(rule="iprev")


def test_expectations_are_counted(martinet_world):
    martinet_world.expect("one message", 1, 1, verdict="accept")
    with pytest.raises(AssertionError, match="one message"):
        martinet_world.verify()
    send(martinet_world)
    martinet_world.wait_for_session(verdict="accept")


def test_dns_queries_are_recorded(martinet_world):
    question = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07contoso\x04test\x00\x00\x0f\x00\x01"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dns:
        dns.sendto(question, (martinet_world.dns_host, martinet_world.dns_port))
        dns.recv(1232)
    (query,) = martinet_world.wait_for_queries(name="contoso.test", type="MX")
    assert query.rcode == "NOERROR" and query.answers


def test_check_asks_every_receiver(martinet):
    judgements = martinet.check("192.0.2.10", "mail.example.test", scenario="one-to-one", receiver="all")
    assert len(judgements) > 50 and {j["verdict"] for j in judgements} >= {"accept"}


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
def test_the_same_for_asyncio(martinet, anyio_backend):
    async def run():
        server = await aio.serve(martinet.url)
        async with await server.world(scenario="no-ptr", receiver="fcrdns") as world:
            with pytest.raises(smtplib.SMTPResponseException):
                await asyncio.to_thread(send, world)
            session, queries = await asyncio.gather(world.wait_for_session(rule="iprev"), world.queries())
            return session.assert_rejected(code=550), queries

    assert asyncio.run(run())[0].rule == "iprev"


def test_every_field_and_path_is_in_the_description(martinet):
    """The client is compared with the OpenAPI document, so that neither changes alone."""
    with urllib.request.urlopen(f"{martinet.url}/api/openapi.json") as answer:
        described = json.load(answer)
    schemas = described["components"]["schemas"]
    fields = {
        "SessionView": ["id", "verdict", "client_address", "helo", "sender", "recipients", "reply", "refusals", "transactions", "code", "rule",
                        "stage", "closed_by"],
        "RefusalView": ["source", "stage", "code", "reply", "why", "rule", "enhanced", "temporary", "remedies"],
        "TransactionView": ["sender", "recipients", "verdict", "reply", "message"],
        "MailView": ["id", "session", "sender", "recipients"],
        "DnsQuery": ["id", "client_address", "name", "type", "rcode", "answers"],
        "WorldView": ["name", "scenario", "receiver", "smtp", "dns"],
    }

    def properties(schema):
        parts = [schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema]
        found = set()
        for part in parts:
            found |= set(part.get("properties", ()))
            parts.extend(schemas[one["$ref"].rpartition("/")[2]] if "$ref" in one else one for one in part.get("allOf", ()))
        return found

    for schema, names in fields.items():
        assert set(names) <= properties(schemas[schema]), schema
    paths = {("post", "/worlds"), ("get", "/check")} | {
        (method, f"/worlds/{{world}}{path}")
        for method, path in [
            ("get", "/sessions"), ("get", "/sessions/{id}"), ("get", "/sessions/{id}/story"), ("get", "/sessions/{id}/transcript"),
            ("get", "/sessions/{id}/picture.svg"), ("get", "/mail"), ("get", "/mail/{id}/raw"), ("get", "/dns/queries"), ("get", "/wait"),
            ("get", "/wait/mail"), ("get", "/wait/dns/queries"), ("post", "/expectations"), ("get", "/expectations/verify"), ("post", "/clock"),
            ("put", "/receiver"), ("put", "/scenario"), ("put", "/client"), ("put", "/faults"), ("put", "/zones/{name}"), ("post", "/reset"),
        ]
    }
    missing = {(m, p) for m, p in paths if m not in described["paths"].get(f"/api/v1{p}", {})}
    assert not missing
