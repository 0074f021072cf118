// The forms in which a session can be copied: each copy is run with the server, and gives the verdict of the session.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { arrive, close, launch, open } from "./browser.mjs";
import { program, speak, start } from "./server.mjs";
import { HONEST, OFFICE, prepare } from "./views.mjs";

const run = promisify(execFile);
let server;
let folder;
before(async () => {
  await launch();
  server = await start("--scenario", "office365", "--receiver", "helo-equals-ptr");
  await prepare(server);
  folder = await mkdtemp(join(tmpdir(), "martinet-copies-"));
});
after(async () => {
  await close();
  await server?.stop();
  if (folder) await rm(folder, { recursive: true });
});

/** Every copy of a session, by the title of its tab. */
async function copies(id) {
  const page = await open(server.base, `#/sessions/${id}`);
  await arrive(page, `Session ${id}`);
  const found = {};
  for (const tab of await page.locator("#copy [role=tab]").all()) {
    await tab.click();
    found[await tab.innerText()] = await page.locator("#copy pre").innerText();
  }
  await page.context().close();
  return found;
}

/** Runs a program; returns its output and its exit code. */
async function result(command, arguments_, options = {}) {
  try {
    const { stdout, stderr } = await run(command, arguments_, { cwd: folder, env: { ...process.env, MARTINET: server.base }, timeout: 60000, ...options });
    return { code: 0, said: stdout + stderr };
  } catch (error) {
    return { code: error.code, said: `${error.stdout}${error.stderr}` };
  }
}

const SEND = {
  node: (helo) => `import net from "node:net";
const sendMail = (smtp) => new Promise((resolve) => {
  const [host, port] = smtp.split(":");
  const socket = net.connect(port, host);
  const lines = ["EHLO ${helo}", "MAIL FROM:<a@example.test>", "RCPT TO:<b@contoso.test>", "DATA", "Subject: x\\r\\n\\r\\nx\\r\\n.", "QUIT"];
  socket.on("data", (data) => { if (/^\\d{3} /m.test(data) && lines.length) socket.write(lines.shift() + "\\r\\n"); });
  socket.on("close", resolve);
});
`,
  python: (helo) => `import smtplib

def send_mail(smtp, dns):
    host, port = smtp.split(":")
    client = smtplib.SMTP(host, int(port), local_hostname="${helo}")
    try:
        client.sendmail("a@example.test", ["b@contoso.test"], "Subject: x\\r\\n\\r\\nx\\r\\n")
    except smtplib.SMTPException:
        pass
    client.close()

`,
};

for (const [id, helo, verdict] of [[1, OFFICE, "a refusal"], [2, HONEST, "an acceptance"]]) {
  test(`${verdict} as a test of Node, Python and a shell, and as an expectation`, async () => {
    const all = await copies(id);
    assert.deepEqual(Object.keys(all), ["Rust", "pytest", "Node", "curl", "[[expect]]"]);

    await writeFile(join(folder, "copied.test.mjs"), SEND.node(helo) + all.Node);
    const node = await result("node", ["--test", "copied.test.mjs"], { env: { PATH: process.env.PATH, MARTINET: server.base } });
    assert.equal(node.code, 0, node.said);
    await writeFile(join(folder, "other.test.mjs"), SEND.node("other.test") + all.Node);
    if (id === 2) assert.notEqual((await result("node", ["--test", "other.test.mjs"], { env: { PATH: process.env.PATH, MARTINET: server.base } })).code, 0, "a session of another kind is none");

    const called = /def (test_\w+)/.exec(all.pytest)[1];
    await writeFile(join(folder, "copied.py"), `${SEND.python(helo)}${all.pytest}\n${called}()\n`);
    const python = await result("python3", ["copied.py"]);
    assert.equal(python.code, 0, python.said);

    await writeFile(join(folder, "copied.sh"), `set -euo pipefail\n${all.curl}`);
    const shell = await result("bash", ["copied.sh"]);
    assert.equal(shell.code, 0, shell.said);
    assert.match(shell.said, new RegExp(`"helo":"${helo}"`));

    const scenario = await readFile(new URL("../../scenarios/office365.toml", import.meta.url), "utf8");
    await writeFile(join(folder, "copied.toml"), `${scenario.split("[[expect]]")[0]}\n${all["[[expect]]"]}`);
    const verify = await result(resolve(program), ["verify", "copied.toml"]);
    assert.equal(verify.code, 0, verify.said);
    assert.match(verify.said, /1 expectation, 1 as expected/);
  });
}

test("the Rust copy compiles", async () => {
  await speak(server.smtp, ["XCLIENT ADDR=207.46.163.149", `EHLO ${HONEST}`, "QUIT"]);
  const all = [];
  for (const id of [1, 2, 3]) {
    const { Rust } = await copies(id);
    assert.match(Rust, /^#\[tokio::test\]\n/);
    // Without the attribute, which needs tokio as a dependency: only the calls of the library are checked.
    all.push(`mod copy_${id} {\nuse super::send_mail;\n${Rust.replace("#[tokio::test]\n", "#[allow(dead_code)]\n")}}`);
  }
  await writeFile(join(folder, "copied.rs"), `${all.join("\n")}
async fn send_mail(_: std::net::SocketAddr, _: std::net::SocketAddr) {}
`);
  const built = dirname(resolve(program));
  const compiled = await result("rustc", ["--edition=2024", "--crate-type=lib", "--emit=metadata", "-L", `dependency=${join(built, "deps")}`,
    "--extern", `martinet=${join(built, "libmartinet.rlib")}`, "copied.rs"]);
  assert.equal(compiled.code, 0, compiled.said);
});
