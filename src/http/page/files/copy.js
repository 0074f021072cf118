// A session as a test, in the languages of the README, and as an expectation of a scenario file.

/** A quoted word for a shell. */
export const sh = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

/** A quoted string for JavaScript, Python or TOML: all three read JSON strings without invisible characters. */
const quoted = (text) => JSON.stringify(text).replace(/[\u007f-\u009f\u2028\u2029]/g, (found) =>
  `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`);

const rust = (text) => `"${text.replace(/[\\"]/g, "\\$&").replace(/[\u0000-\u001f\u007f-\u009f]/g, (found) =>
  `\\u{${found.charCodeAt(0).toString(16)}}`)}"`;

/** The conditions of a test that identify a session. */
function conditions(session) {
  const { verdict, rule, code } = session;
  return Object.entries({ verdict, rule, code }).filter(([, value]) => value !== undefined);
}

const word = (session) => `${session.verdict}_${session.rule ?? session.stage ?? "session"}`.replaceAll(/\W/g, "_");

function rustTest(session, { scenario, receiver }) {
  const asserted = { accept: "assert_accepted", defer: "assert_deferred", reject: "assert_rejected" }[session.verdict];
  const rule = session.rule ? `.by_rule(${rust(session.rule)})` : "";
  const code = session.code && session.verdict !== "accept" ? `.with_code(${session.code})` : "";
  const check = asserted ? `session.${asserted}()${rule}${code};` : "assert_eq!(session.verdict(), martinet::verdict::Verdict::None);";
  return `#[tokio::test]
async fn ${word(session)}() -> Result<(), Box<dyn std::error::Error>> {
    let client = martinet::smtp::ClientSource::Fixed(${rust(session.client_address)}.parse()?);
    let world = martinet::World::builder().scenario(${rust(scenario)}).receiver(${rust(receiver)}).client(client).start().await?;
    send_mail(world.smtp_addr(), world.dns_addr()).await; // the software under test, saying EHLO ${session.helo.replaceAll(/\s/g, " ")}
    let session = world.wait_for_session().await?;
    ${check}
    Ok(())
}
`;
}

function python(session, { scenario, receiver }) {
  const query = new URLSearchParams(conditions(session)).toString();
  const asserts = conditions(session).map(([key, value]) =>
    `    assert session[${quoted(key)}] == ${typeof value === "number" ? value : quoted(value)}, session`).join("\n");
  return `import json, os, urllib.request

api = os.environ.get("MARTINET", "${location.origin}") + "/api/v1"

def call(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(api + path, data, {"Content-Type": "application/json"}, method=method)
    return json.loads(urllib.request.urlopen(request).read() or b"null")

def test_${word(session)}():
    world = call("POST", "/worlds", {"scenario": ${quoted(scenario)}, "receiver": ${quoted(receiver)},
                                     "client": {"address": ${quoted(session.client_address)}}})
    try:
        send_mail(world["smtp"], world["dns"])  # the software under test, saying EHLO ${session.helo.replaceAll(/\s/g, " ")}
        session = call("GET", f"/worlds/{world['name']}/wait?${query}")["sessions"][0]
    finally:
        call("DELETE", f"/worlds/{world['name']}")
${asserts}
`;
}

function node(session, { scenario, receiver }) {
  const query = new URLSearchParams(conditions(session)).toString();
  const asserts = conditions(session).map(([key, value]) =>
    `  assert.equal(session.${key}, ${typeof value === "number" ? value : quoted(value)});`).join("\n");
  return `import assert from "node:assert";
import { test } from "node:test";

const api = (process.env.MARTINET ?? "${location.origin}") + "/api/v1";
const call = async (method, path, body) => {
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(api + path, { method, headers, body: body && JSON.stringify(body) });
  return answer.status === 204 ? null : answer.json();
};

test(${quoted(word(session).replaceAll("_", " "))}, async () => {
  const world = await call("POST", "/worlds", {
    scenario: ${quoted(scenario)}, receiver: ${quoted(receiver)}, client: { address: ${quoted(session.client_address)} },
  });
  await sendMail(world.smtp, world.dns); // the software under test, saying EHLO ${session.helo.replaceAll(/\s/g, " ")}
  const { sessions: [session] } = await call("GET", \`/worlds/\${world.name}/wait?${query}\`);
  await call("DELETE", \`/worlds/\${world.name}\`);
${asserts}
});
`;
}

function curl(session, { scenario, receiver, sender, recipient }) {
  const body = JSON.stringify({ name: "shell", scenario, receiver, client: { address: session.client_address } });
  const query = new URLSearchParams(conditions(session)).toString();
  return `api=\${MARTINET:-${location.origin}}/api/v1
smtp=$(curl -fsS -H 'Content-Type: application/json' -d ${sh(body)} "$api/worlds" | sed 's/.*"smtp":"\\([^"]*\\)".*/\\1/')
printf 'Subject: Hello\\r\\n\\r\\nIt works.\\r\\n' |                # the software under test
    curl -sS "smtp://$smtp/"${sh(encodeURIComponent(session.helo || "localhost"))} --mail-from ${sh(sender)} --mail-rcpt ${sh(recipient)} -T - || true
curl -fsS "$api/worlds/shell/wait?${query}"        # 417, and so a failure, where no session matches
curl -fsS -X DELETE "$api/worlds/shell"
`;
}

function expectation(session, { receiver, sender, recipient }) {
  if (session.verdict === "none") return "# An [[expect]] sends a message, and this session sent none.\n";
  const refusal = session.refusals[0];
  const reply = [session.code, refusal?.enhanced].filter(Boolean).join(" ");
  const lines = [
    ["client", session.client_address], ["helo", session.helo], ["receiver", receiver],
    ["sender", session.transactions.length > 0 || session.recipients.length > 0 ? sender : undefined],
    ["recipient", session.recipients.length > 0 ? recipient : undefined],
    ["reply", reply || "250"], ["rule", session.rule], ["stage", session.stage],
    ["verdict", session.verdict === "none" ? undefined : session.verdict],
  ].filter(([, value]) => value !== undefined);
  return `[[expect]]\n${lines.map(([key, value]) => `${key.padEnd(9)}= ${quoted(String(value))}`).join("\n")}\n`;
}

/** All forms of a test, by title. `place` has the names of scenario and receiver. */
export function tests(session, place) {
  const whole = {
    ...place,
    sender: (session.sender) || "sender@example.test",
    recipient: session.recipients[0] ?? place.recipient,
  };
  return [
    { id: "rust", title: "Rust", text: rustTest(session, whole) },
    { id: "pytest", title: "pytest", text: python(session, whole) },
    { id: "node", title: "Node", text: node(session, whole) },
    { id: "curl", title: "curl", text: curl(session, whole) },
    { id: "expect", title: "[[expect]]", text: expectation(session, whole) },
  ];
}
