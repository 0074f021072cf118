import assert from "node:assert";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync, mkdtempSync, symlinkSync, mkdirSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { MartinetError, WaitTimeout, serve } from "../index.js";
import * as matchers from "../matchers.js";
import setup from "../vitest.js";

const root = fileURLToPath(new URL("..", import.meta.url));
// The process of the server ends with this one.
const server = await serve();

/** Plays lines and resolves when the server closes. */
function play(world, ...lines) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(world.smtpPort, world.smtpHost);
    let said = "";
    socket.on("data", (octets) => (said += octets)).on("close", () => resolve(said)).on("error", reject);
    socket.write([...lines, "QUIT", ""].join("\r\n"));
  });
}

const message = ["EHLO mail.example.test", "MAIL FROM:<a@example.test>", "RCPT TO:<b@contoso.test>", "DATA", "Subject: x", "", "It works.", "."];

async function inWorld(options, run) {
  const world = await server.world(options);
  try {
    await run(world);
  } finally {
    await world.delete();
  }
}

test("a refusal has rule, reply and remedies", () =>
  inWorld({ scenario: "no-ptr", receiver: "fcrdns" }, async (world) => {
    await play(world, ...message);
    const session = await world.waitForSession();
    await session.assertRejected({ rule: "iprev", code: 550, enhanced: "5.7.25" });
    assert.ok(session.refusals[0].remedies.one_of[0].text);
    assert.match(await session.picture(), /^<svg/);
    await assert.rejects(session.assertAccepted(), /expected a session with verdict accept, found reject, iprev, 550[^]*PTR: NXDOMAIN/);
    await assert.rejects(session.assertRejected({ code: 421 }), /code 421/);
    assert.equal((await matchers.toBeRefusedBy(session, "iprev", 550)).pass, true);
    const wrong = await matchers.toBeRefusedBy(session, "helo-ptr-match");
    assert.equal(wrong.pass, false);
    assert.match(wrong.message(), /expected a session refused by helo-ptr-match[^]*iprev/);
    assert.equal((await matchers.toBeAccepted(session)).pass, false);
  }));

test("an accepted message is found", () =>
  inWorld({ scenario: "one-to-one" }, async (world) => {
    await world.expect("one message", { verdict: "accept" }, { least: 1, most: 1 });
    await assert.rejects(world.verify(), /one message/);
    await play(world, ...message);
    const [mail] = await world.waitForMail({ recipient: "b@contoso.test" });
    assert.deepEqual([mail.sender, mail.recipients], ["a@example.test", ["b@contoso.test"]]);
    assert.match(await world.content(mail), /It works\./);
    const [session] = await world.sessions({ verdict: "accept" });
    await session.assertAccepted();
    await world.verify();
  }));

test("a wait that fails tells what was seen", () =>
  inWorld({}, async (world) => {
    await play(world, ...message);
    await world.waitForSession();
    await assert.rejects(world.waitForSession({ rule: "iprev" }, { timeout: 100 }), (error) => error instanceof WaitTimeout && /iprev; 0 matched[^]*seen: /.test(error.message));
    await assert.rejects(world.waitForSession({ rule: "iprv" }), (error) => error instanceof MartinetError && /400 rule: .*iprev/.test(error.message));
  }));

test("a world is changed while it runs", () =>
  inWorld({ receiver: { title: "Greylists", rule: [{ check: "greylist", delay: "5m" }] } }, async (world) => {
    await play(world, ...message);
    await (await world.waitForSession()).assertDeferred({ rule: "greylist" });
    await world.advance("301s");
    await play(world, ...message);
    await world.waitForSession({ verdict: "accept" });
    await world.setReceiver("fcrdns");
    await world.setClient({ address: "192.0.2.10" });
    await world.setFaults({ name: "10.2.0.192.in-addr.arpa.", type: "PTR", do: "servfail" });
    await world.reset({ only: "journal" });
    await play(world, ...message);
    await (await world.waitForSession()).assertDeferred({ rule: "iprev" });
    await world.setFaults();
    await world.setZone("2.0.192.in-addr.arpa", "10 PTR other.elsewhere.test.");
    await world.setScenario("one-to-one");
    await world.reset();
  }));

test("check asks every receiver", async () => {
  const judgements = await server.check({ client_address: "192.0.2.10", helo: "mail.example.test", scenario: "one-to-one", receiver: "all" });
  assert.ok(judgements.length > 50);
});

test("Vitest's global setup provides a server", async () => {
  const provided = {};
  const teardown = await setup({ provide: (key, value) => (provided[key] = value) });
  assert.equal((await fetch(`${provided.martinet}/readyz`)).status, 200);
  await teardown();
  await assert.rejects(fetch(`${provided.martinet}/readyz`));
});

test("the test of the README passes", () => {
  const [, text] = readFileSync(join(root, "README.md"), "utf8").match(/```javascript\n(import assert[^]*?)```/);
  assert.ok(text.trim().split("\n").length <= 12);
  const folder = mkdtempSync(join(tmpdir(), "martinet-readme-"));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules", "martinet"));
  writeFileSync(join(folder, "readme.test.mjs"), text);
  const { NODE_TEST_CONTEXT, ...environment } = process.env;
  const done = spawnSync(process.execPath, ["--test", folder], { encoding: "utf8", env: { ...environment, MARTINET: server.url } });
  assert.equal(done.status, 0, done.stdout + done.stderr);
  assert.match(done.stdout, /pass 1/);
});

test("a program that is missing, or does not start, is named", async () => {
  const { MARTINET, MARTINET_BINARY, ...environment } = process.env;
  const run = (env, code) => spawnSync(process.execPath, ["--input-type=module", "-e", code], { cwd: root, encoding: "utf8", env });
  const missing = run({ ...environment, PATH: "/nowhere" }, `await (await import("./index.js")).serve()`);
  assert.match(missing.stderr, /the program martinet is not installed: set MARTINET_BINARY/);
  const wrong = run({ ...environment, MARTINET_BINARY }, `await (await import("./index.js")).serve({ args: ["--scenario", "nosuch"] })`);
  assert.match(wrong.stderr, /martinet serve ended with 2: [^]*nosuch/);
});

test("every field of the types is in the description of the API", async () => {
  const { components } = await (await fetch(`${server.url}/api/openapi.json`)).json();
  const types = readFileSync(join(root, "index.d.ts"), "utf8");
  const fields = (name) => [...types.match(new RegExp(`(?:interface|class) ${name} (?:extends \\w+ )?\\{([^]*?)\\n?\\}\\n`))[1].matchAll(/(\w+)\??: /g)].map((match) => match[1]);
  const described = (name) => {
    const schema = components.schemas[name];
    return Object.assign({}, schema.properties, ...(schema.allOf ?? []).map((part) => part.properties ?? components.schemas[part.$ref.split("/").pop()].properties));
  };
  for (const [type, schema] of [["Refusal", "RefusalView"], ["Transaction", "TransactionView"], ["Message", "MailView"], ["Query", "DnsQuery"], ["SessionFilter", "Sessions"]]) {
    const known = Object.keys(described(schema));
    for (const field of fields(type).filter((field) => !["field", "one_of"].includes(field))) assert.ok(known.includes(field), `${schema} has no ${field}`);
  }
});
