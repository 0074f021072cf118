// Tests a running server with npm mailpit-api: list, search, get, raw, headers, part, wait, marks, send, delete.
import assert from "node:assert/strict";
import { MailpitClient } from "mailpit-api";
import { send } from "./smtp.mjs";

const client = new MailpitClient(process.env.MARTINET);
await client.deleteMessages();
const waiting = client.waitForMessage({ query: "subject:Grü" });
await send(process.env.MARTINET_SMTP, "Grüße");
assert.equal((await waiting).Subject, "Grüße");

const list = await client.listMessages(0, 10);
assert.equal(list.total, 1);
const id = list.messages[0].ID;
assert.equal((await client.searchMessages({ query: "subject:Grü" })).messages_count, 1);
assert.equal((await client.searchMessages({ query: "subject:other" })).messages_count, 0);
const message = await client.getMessageSummary(id);
assert.equal(message.Text.trim(), "words");
assert.equal(message.Attachments[0].FileName, "a.pdf");
assert.equal((await client.getMessageHeaders("latest"))["Subject"].length, 1);
assert.match(await client.getMessageSource(id), /^Return-Path: <a@example.test>/);
const part = await client.getMessageAttachment(id, message.Attachments[0].PartID);
assert.equal(await part.text(), "%PDF-");
await client.setReadStatus({ IDs: [id], Read: false });
assert.equal((await client.listMessages()).unread, 1);
await client.setTags({ IDs: [id], Tags: ["mine"] });
assert.deepEqual(await client.getTags(), ["mine"]);
assert.match((await client.getInfo()).Version, /martinet/);
const sent = await client.sendMessage({ From: { Email: "a@example.test" }, To: [{ Email: "b@contoso.test" }], Subject: "sent", Text: "x" });
await client.deleteMessages({ IDs: [sent.ID] });
await client.deleteMessagesBySearch({ query: "subject:Grü" });
assert.equal((await client.listMessages()).total, 0);
console.log("npm mailpit-api: passed");
