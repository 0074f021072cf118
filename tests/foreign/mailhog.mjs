// Tests a running server with npm mailhog: list, search, latest, parts, delete.
import assert from "node:assert/strict";
import mailhog from "mailhog";
import { send } from "./smtp.mjs";

const { hostname: host, port } = new URL(process.env.MARTINET);
const client = mailhog({ host, port: Number(port) });
await client.deleteAll();
await send(process.env.MARTINET_SMTP, "Grüße");
for (;;) if ((await client.messages()).count === 1) break;

const latest = await client.latestTo("b@contoso.test");
assert.equal(latest.subject, "Grüße");
assert.match(latest.from, /a@example.test/);
assert.match(latest.text, /words/);
assert.equal(latest.attachments[0].name, "a.pdf");
assert.equal((await client.search("words", "containing", 0, 10)).count, 1);
assert.equal((await client.search("nobody", "to", 0, 10)).count, 0);
await client.deleteMessage(latest.ID);
assert.equal((await client.messages()).count, 0);
await client.deleteAll();
console.log("npm mailhog: passed");
