"""Worlds, sessions and waits over the HTTP API."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Union
from urllib.parse import quote, urlencode

Json = Dict[str, Any]


class Error(Exception):
    """The server refused a request, or cannot be reached."""


class WaitTimeout(AssertionError):
    """Too few sessions, messages or queries matched in time. The text has the entries seen and the near misses."""

    def __init__(self, result: Json):
        self.result = result
        lines = [f"expected {result['wanted']}; {result['found']} matched"]
        for near in result.get("near_misses", []):
            differs = "; ".join(str(m) for m in near.get("mismatches", []))
            lines.append(f"  near miss: {near.get('headline', near)} {differs}".rstrip())
        lines += [f"  seen: {seen}" for seen in result.get("seen", [])]
        super().__init__("\n".join(lines))


@dataclass(frozen=True)
class Remedy:
    """One way to fix a refusal; `changes` belong together."""

    text: str
    changes: List[Json]


@dataclass(frozen=True)
class Refusal:
    """One refusal of a session."""

    source: str
    stage: str
    code: int
    reply: List[str]
    why: str
    rule: Optional[str] = None
    enhanced: Optional[str] = None
    temporary: bool = False
    remedies: List[Remedy] = field(default_factory=list)


@dataclass(frozen=True)
class Transaction:
    """One transaction of a session."""

    sender: str
    recipients: List[str]
    verdict: str
    reply: List[str]
    message: Optional[int] = None


@dataclass(frozen=True)
class Session:
    """An SMTP session. `raw` has all fields of the API."""

    id: int
    verdict: str
    client_address: str
    helo: str
    sender: str
    recipients: List[str]
    reply: List[str]
    refusals: List[Refusal]
    transactions: List[Transaction]
    code: Optional[int]
    rule: Optional[str]
    stage: Optional[str]
    closed_by: Optional[str]
    raw: Json = field(repr=False)
    world: "World" = field(repr=False)

    def story(self) -> str:
        """Return the explanation of the session: DNS, refusals, remedies and dialogue."""
        return self.world._text(f"/sessions/{self.id}/story")

    def transcript(self) -> str:
        """Return the dialogue as text."""
        return self.world._text(f"/sessions/{self.id}/transcript")

    def picture(self) -> str:
        """Return the picture of the session as SVG."""
        return self.world._text(f"/sessions/{self.id}/picture.svg")

    def assert_accepted(self) -> "Session":
        """Fail with the session as text unless a message was acknowledged and nothing refused."""
        return self._assert("accept")

    def assert_rejected(self, rule: Optional[str] = None, code: Optional[int] = None, enhanced: Optional[str] = None) -> "Session":
        """Fail with the session as text unless a 5yz reply refused the session, by this rule and with these codes."""
        return self._assert("reject", rule, code, enhanced)

    def assert_deferred(self, rule: Optional[str] = None, code: Optional[int] = None, enhanced: Optional[str] = None) -> "Session":
        """Fail with the session as text unless a 4yz reply refused the session, by this rule and with these codes."""
        return self._assert("defer", rule, code, enhanced)

    def _assert(self, verdict: str, rule: Optional[str] = None, code: Optional[int] = None, enhanced: Optional[str] = None) -> "Session":
        wanted = {"rule": rule, "code": code, "enhanced": enhanced}
        fits = any(all(value is None or getattr(refusal, key) == value for key, value in wanted.items()) for refusal in self.refusals)
        if self.verdict != verdict or not (fits or all(value is None for value in wanted.values())):
            said = ", ".join(f"{key} {value}" for key, value in {"verdict": verdict, **wanted}.items() if value is not None)
            found = ", ".join(str(x) for x in (self.verdict, self.rule, self.code) if x is not None)
            raise AssertionError(f"expected a session with {said}, found {found}\n\n{self.story()}")
        return self


@dataclass(frozen=True)
class Message:
    """An accepted message."""

    id: int
    session: int
    sender: str
    recipients: List[str]
    raw: Json = field(repr=False)
    world: "World" = field(repr=False)

    def content(self) -> bytes:
        """Return the message as stored, below the trace fields of the receiver."""
        return self.world._bytes(f"/mail/{self.id}/raw")


@dataclass(frozen=True)
class Query:
    """A DNS query with its answer."""

    id: int
    client_address: str
    name: str
    type: str
    rcode: str
    answers: List[str]
    raw: Json = field(repr=False)


@dataclass(frozen=True)
class Expectation:
    """The outcome of an expectation."""

    id: int
    met: bool
    raw: Json = field(repr=False)


class World:
    """An isolated server: one scenario and one receiver on their own ports. A context manager deletes it."""

    def __init__(self, server: "Server", view: Json):
        self.server = server
        self.name: str = view["name"]
        self.scenario: str = view["scenario"]
        self.receiver: str = view["receiver"]
        self.smtp: str = view["smtp"]
        self.dns: str = view["dns"]
        self.smtp_host, self.smtp_port = _address(self.smtp)
        self.dns_host, self.dns_port = _address(self.dns)
        self._at = f"/worlds/{quote(self.name)}"

    def __enter__(self) -> "World":
        return self

    def __exit__(self, *_: object) -> None:
        self.delete()

    def delete(self) -> None:
        """Stop the world and close its ports."""
        self.server._call("DELETE", self._at)

    def wait_for_session(self, timeout: float = 5.0, **filters: Any) -> Session:
        """Wait for a session with a verdict that matches `filters`, and return the first one. Raises `WaitTimeout`."""
        return self.wait_for_sessions(1, timeout, **filters)[0]

    def wait_for_sessions(self, count: int, timeout: float = 5.0, **filters: Any) -> List[Session]:
        """Wait until `count` sessions match. Filters are those of the API: client_address, helo, verdict, rule, code…"""
        return [self._session(s) for s in self._wait("", "sessions", count, timeout, filters)]

    def wait_for_mail(self, count: int = 1, timeout: float = 5.0, **filters: Any) -> List[Message]:
        """Wait until `count` messages match. Filters: recipient, sender, session, since."""
        return [self._message(m) for m in self._wait("/mail", "mail", count, timeout, filters)]

    def wait_for_queries(self, count: int = 1, timeout: float = 5.0, **filters: Any) -> List[Query]:
        """Wait until `count` DNS queries match. Filters: client_address, name, type, rcode, since."""
        return [_query(q) for q in self._wait("/dns/queries", "queries", count, timeout, filters)]

    def sessions(self, **filters: Any) -> List[Session]:
        """Return the sessions that match, oldest first, at most 1000."""
        page = self._call("GET", "/sessions", query={"limit": 1000, "full": True, **filters})
        return [self._session(s) for s in page["sessions"]]

    def session(self, number: int) -> Session:
        """Return one session by its number."""
        return self._session(self._call("GET", f"/sessions/{number}"))

    def mail(self, **filters: Any) -> List[Message]:
        """Return the accepted messages that match, oldest first, at most 1000."""
        return [self._message(m) for m in self._call("GET", "/mail", query={"limit": 1000, **filters})["mail"]]

    def queries(self, **filters: Any) -> List[Query]:
        """Return the DNS queries that match, oldest first, at most 1000."""
        return [_query(q) for q in self._call("GET", "/dns/queries", query={"limit": 1000, **filters})["queries"]]

    def expect(self, name: str, least: int = 1, most: Optional[int] = None, **sessions: Any) -> Expectation:
        """Declare an expectation about the sessions that follow; `verify` checks it."""
        times: Json = {"least": least}
        if most is not None:
            times["most"] = most
        outcome = self._call("POST", "/expectations", {"name": name, "sessions": sessions, "times": times})
        return Expectation(outcome["id"], outcome["met"], outcome)

    def verify(self) -> None:
        """Fail with the report unless every expectation is met."""
        outcomes = self._call("GET", "/expectations/verify", allowed=(417,))
        if not outcomes["met"]:
            raise AssertionError(outcomes["report"])

    def advance(self, by: str) -> None:
        """Advance the clock of the world by a duration such as "5m": the entries in the receiver's memory get older."""
        self._call("POST", "/clock", {"advance": by})

    def set_receiver(self, receiver: Union[str, Json]) -> None:
        """Replace the receiver: a name, TOML text, or the content of a receiver file as a mapping."""
        self._call("PUT", "/receiver", {"receiver": receiver})

    def set_scenario(self, scenario: Union[str, Json]) -> None:
        """Replace the scenario: a name, TOML text, or the content of a scenario file as a mapping."""
        self._call("PUT", "/scenario", {"scenario": scenario})

    def set_client(self, source: Union[str, Json]) -> None:
        """Replace the source of client addresses: "socket", {"address": …}, {"pool": …} or {"map": …}."""
        self._call("PUT", "/client", {"client": source})

    def set_faults(self, *faults: Mapping[str, Any]) -> None:
        """Replace the DNS faults, for example {"name": "…", "type": "PTR", "do": "servfail"}."""
        self._call("PUT", "/faults", {"faults": list(faults)})

    def set_zone(self, origin: str, records: str) -> None:
        """Add a zone from master-file text, or replace the one with this origin."""
        self._call("PUT", f"/zones/{quote(origin)}", {"text": records})

    def reset(self, only_journal: bool = False) -> None:
        """Reset the world to its state at start, or empty its journal only."""
        self._call("POST", "/reset", query={"only": "journal"} if only_journal else {})

    def _call(self, method: str, path: str, body: Any = None, query: Mapping[str, Any] = {}, allowed: tuple = ()) -> Any:
        return self.server._call(method, self._at + path, body, query, allowed)

    def _bytes(self, path: str) -> bytes:
        return self.server._open("GET", self._at + path)

    def _text(self, path: str) -> str:
        return self._bytes(path).decode()

    def _wait(self, kind: str, key: str, count: int, timeout: float, filters: Mapping[str, Any]) -> List[Json]:
        query = {"count": count, "timeout_ms": int(timeout * 1000), **filters}
        result = self._call("GET", f"/wait{kind}", query=query, allowed=(417,))
        if not result["matched"]:
            raise WaitTimeout(result)
        return result[key]

    def _session(self, view: Json) -> Session:
        refusals = [
            Refusal(
                r["source"], r["stage"], r["code"], r["reply"], r["why"], r.get("rule"), r.get("enhanced"), r["temporary"],
                [Remedy(one["text"], one["all_of"]) for one in r["remedies"]["one_of"]],
            )
            for r in view["refusals"]
        ]
        transactions = [Transaction(t["sender"], t["recipients"], t["verdict"], t["reply"], t.get("message")) for t in view["transactions"]]
        return Session(
            view["id"], view["verdict"], view["client_address"], view["helo"], view["sender"], view["recipients"], view["reply"],
            refusals, transactions, view.get("code"), view.get("rule"), view.get("stage"), view.get("closed_by"), view, self,
        )

    def _message(self, view: Json) -> Message:
        return Message(view["id"], view["session"], view["sender"], view["recipients"], view, self)


class Server:
    """A martinet server. A context manager ends its process, if `serve` started one."""

    def __init__(self, url: str, process: "Optional[subprocess.Popen[bytes]]" = None):
        self.url = url.rstrip("/")
        self._process = process

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """End the process, if `serve` started one."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait()

    def world(self, scenario: Union[str, Json, None] = None, receiver: Union[str, Json, None] = None,
              client: Union[str, Json, None] = None, name: Optional[str] = None) -> World:
        """Create a world on free ports. Scenario and receiver are names, TOML text or mappings."""
        given = {"scenario": scenario, "receiver": receiver, "client": client, "name": name}
        return World(self, self._call("POST", "/worlds", {key: value for key, value in given.items() if value is not None}))

    def existing_world(self, name: str) -> World:
        """Return a world that exists: `main` is the one that the server started with."""
        return World(self, self._call("GET", f"/worlds/{quote(name)}"))

    def check(self, client_address: str, helo: str, **query: Any) -> List[Json]:
        """Return what receivers would reply: `scenario`, `receiver` (a name or "all"), `sender`, `recipient`."""
        return self._call("GET", "/check", query={"client_address": client_address, "helo": helo, **query})["judgements"]

    def _call(self, method: str, path: str, body: Any = None, query: Mapping[str, Any] = {}, allowed: tuple = ()) -> Any:
        octets = self._open(method, path, body, query, allowed)
        return json.loads(octets) if octets else None

    def _open(self, method: str, path: str, body: Any = None, query: Mapping[str, Any] = {}, allowed: tuple = ()) -> bytes:
        words = {key: str(value).lower() if isinstance(value, bool) else value for key, value in query.items()}
        url = f"{self.url}/api/v1{path}" + (f"?{urlencode(words)}" if words else "")
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
        # The server is on this machine: a configured proxy must not get the requests.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            return opener.open(request).read()
        except urllib.error.HTTPError as error:
            octets = error.read()
            if error.code in allowed:
                return octets
            raise Error(_problem(octets, error)) from None
        except urllib.error.URLError as error:
            raise Error(f"no answer from {self.url}: {error.reason}") from None


def _problem(octets: bytes, error: urllib.error.HTTPError) -> str:
    try:
        problem = json.loads(octets)
    except ValueError:
        return f"{error.code} {octets.decode(errors='replace')}"
    where = f"{problem['field']}: " if problem.get("field") else ""
    return f"{problem.get('status', error.code)} {where}{problem.get('detail', problem.get('title'))}"


def _address(text: str) -> "tuple[str, int]":
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def _query(view: Json) -> Query:
    return Query(view["id"], view["client_address"], view["name"], view["type"], view["rcode"], view["answers"], view)
