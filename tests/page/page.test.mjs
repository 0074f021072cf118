// The page in a real browser: live updates, keyboard, accessibility, hostile mail, and speed with many rows.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { arrive, axe, close, launch, open } from "./browser.mjs";
import { deliver, flood, speak, start } from "./server.mjs";
import { BOUNCE, HONEST, HOSTILE, message, OFFICE, views } from "./views.mjs";

let server;

before(async () => {
  await launch();
  server = await start("--scenario", "office365", "--receiver", "helo-equals-ptr");
});
after(async () => {
  await close();
  await server?.stop();
});

test("the first refusal appears without reload", async () => {
  const page = await open(server.base, "");
  await page.getByRole("heading", { name: "No session yet" }).waitFor();
  assert.equal(await page.locator(".guide .copyable").count(), 5, "two addresses and three commands");
  await page.evaluate(() => { window.kept = true; });
  await page.locator(".live.live").getByText("live").waitFor();
  const said = await speak(server.smtp, ["XCLIENT ADDR=207.46.163.149", `EHLO ${OFFICE}`, "QUIT"]);
  assert.match(said, /554 5\.7\.1/);
  await page.locator(".list-body .row", { hasText: "helo-ptr-match" }).waitFor();
  assert.equal(await page.evaluate(() => window.kept), true, "the page was not loaded anew");
  assert.equal(await page.getByRole("heading", { name: "No session yet" }).isVisible(), false);
  await page.waitForFunction(() => document.getElementById("announcer").textContent.includes("rejected by helo-ptr-match"));
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test("each view by keyboard alone", async () => {
  const said = await speak(server.smtp, ["XCLIENT ADDR=207.46.163.149", `EHLO ${HONEST}`, "MAIL FROM:<a@example.test>", "RCPT TO:<b@contoso.test>", "DATA", `${message}\r\n.`, "QUIT"]);
  assert.match(said, /250 2\.0\.0 Ok/);
  const page = await open(server.base, "");
  const { keyboard } = page;
  await arrive(page, "Sessions");
  const tabTo = async (wanted) => {
    for (let steps = 0; steps < 80; steps += 1) {
      if (await page.evaluate((selector) => document.activeElement.matches(selector), wanted)) return;
      await keyboard.press("Tab");
    }
    assert.fail(`Tab never reaches ${wanted}`);
  };
  const go = async (letter, title) => {
    await keyboard.press("g");
    await keyboard.press(letter);
    await arrive(page, title);
  };
  // Sessions: the rows, one session, its dialogue, a remedy, and back.
  await page.locator(".list-body .row").nth(1).waitFor();
  await tabTo("a.open");
  await keyboard.press("End");
  await page.waitForFunction(() => document.activeElement.textContent === "1");
  await keyboard.press("Enter");
  await arrive(page, "Session 1");
  await tabTo(".dialogue");
  const chosen = () => page.locator(".step[aria-selected=true]").innerText();
  const before = await chosen();
  assert.match(before, /554 5\.7\.1/, "the refusal is chosen at first");
  await keyboard.press("ArrowUp");
  assert.notEqual(await chosen(), before);
  await keyboard.press("ArrowDown");
  assert.equal(await chosen(), before);
  await tabTo("#remedies button[aria-pressed]");
  await keyboard.press("Enter");
  await page.locator(".turned.accept").waitFor();
  assert.equal(await page.locator("#strip .broken").count(), 0, "the strip is whole");
  await keyboard.press("Enter");
  await page.locator("#strip .broken").waitFor();
  await tabTo("#copy [role=tab]");
  await keyboard.press("ArrowRight");
  assert.match(await page.locator("#copy pre").innerText(), /def test_/);
  await keyboard.press("Escape");
  await arrive(page, "Sessions");
  // The filter.
  await keyboard.press("/");
  await keyboard.type("helo-ptr-match");
  await keyboard.press("Enter");
  await page.waitForURL(/rule=helo-ptr-match/);
  await page.waitForFunction(() => document.querySelector(".count")?.textContent === "1 session");
  // Mail: the row, the tabs.
  await go("m", "Mail");
  await tabTo("a.open");
  await keyboard.press("Enter");
  await arrive(page, "Message 1");
  await tabTo("[role=tab]");
  await keyboard.press("ArrowRight");
  await keyboard.press("ArrowRight");
  await page.locator("#content table th[scope=row]").first().waitFor();
  // DNS: the faults, one added, switched off, switched on.
  await go("d", "DNS");
  await tabTo(".segments a[href$=faults]");
  await keyboard.press("Enter");
  await arrive(page, "DNS: Faults");
  await tabTo("#fault-name");
  await keyboard.type("*.contoso.test");
  await keyboard.press("Enter");
  await page.locator("input[type=checkbox]:checked").waitFor();
  await page.locator("main").focus();
  await tabTo("input[type=checkbox]");
  await keyboard.press("Space");
  await page.locator("td", { hasText: /^off$/ }).waitFor();
  assert.deepEqual((await server.call("GET", "/api/v1/faults")).faults, []);
  // What if, against all receivers.
  await go("w", "What if");
  await tabTo("#client_address");
  await keyboard.type("207.46.163.149");
  await tabTo("#helo");
  await keyboard.type(OFFICE);
  await keyboard.press("Enter");
  await page.locator(".headline.reject").waitFor();
  assert.match(page.url(), /client_address=207\.46\.163\.149&helo=na01/, "the question can be sent to somebody");
  // The matrix: from cell to cell, and to the what-if of one.
  await go("x", "Matrix");
  await page.locator("table.matrix").waitFor();
  await tabTo("a.cell");
  await keyboard.press("ArrowDown");
  await keyboard.press("ArrowRight");
  await page.waitForFunction(() => document.querySelector(".matrix-detail").textContent.includes("207.46.163"));
  await keyboard.press("Enter");
  await arrive(page, "What if");
  // A bounce, pasted: the answer, its commands, and the drawing of the first match.
  await go("b", "Bounce");
  await tabTo("#bounce");
  await keyboard.type(BOUNCE);
  await keyboard.press("Control+Enter");
  await page.locator("#match-1 .commands code").first().waitFor();
  assert.match(page.url(), /bounce\?text=550/, "the reply can be sent to somebody");
  await tabTo("#match-1 .commands button");
  await tabTo("#match-1 a[href*=what-if]");
  await keyboard.press("Enter");
  await page.locator(".headline.reject").waitFor();
  await page.goBack();
  await arrive(page, "Bounce");
  // Scenario: a mistake is reported while it is typed.
  await go("c", "Scenario");
  await tabTo("textarea");
  await keyboard.press("Control+Home");
  await keyboard.type("nonsense = 1\n");
  await page.locator(".findings", { hasText: "unknown key" }).waitFor();
  await tabTo(".findings button");
  // Worlds: one started, opened, left.
  await go("o", "Worlds");
  await tabTo("#world-name");
  await keyboard.type("second");
  await keyboard.press("Enter");
  await page.locator("th a", { hasText: "second" }).waitFor();
  await page.locator("main").focus();
  await tabTo("a[href='#/world/second/sessions']");
  await keyboard.press("Enter");
  await arrive(page, "Sessions");
  assert.match(await page.locator("#top .badge").innerText(), /second/);
  // Help.
  await keyboard.press("?");
  await page.locator("dialog[open]").waitFor();
  await keyboard.press("Escape");
  await page.locator("dialog").waitFor({ state: "detached" });
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test("a hostile mail opens in every view", async () => {
  const ptr = "$ORIGIN 2.0.192.in-addr.arpa.\n66 PTR \\<script\\>alert\\(1\\)\\<\\/script\\>.example.test.\n";
  const scenario = {
    title: "Hostile names", receiver: "lenient", domain: [{ name: "contoso.test" }],
    zone: [{ origin: "2.0.192.in-addr.arpa.", text: ptr }, { origin: "example.test.", text: "@ TXT \"<script>alert(1)</script>\"\n" }],
  };
  const { smtp, name } = await server.call("POST", "/api/v1/worlds", { name: "hostile", scenario, receiver: "lenient", client: { address: "192.0.2.66" } });
  await deliver(smtp, HOSTILE, message, "\"<script>alert(1)</script>\"@example.test");
  await server.call("PUT", `/api/v1/worlds/${name}/receiver`, { receiver: "helo-strict" });
  await deliver(smtp, HOSTILE, message);
  const shown = [];
  for (const [address, title] of [...views("/world/hostile"), ["#/world/hostile/sessions/2", "Session 2"],
    [`#/world/hostile/bounce?text=${encodeURIComponent(`550 5.7.25 ${HOSTILE} <img src=x onerror=alert(8)> no PTR record`)}`, "Bounce"], [`#/world/hostile/what-if?client_address=192.0.2.66&helo=${encodeURIComponent(HOSTILE)}`, "What if"]]) {
    const page = await open(server.base, address);
    await arrive(page, title);
    await page.waitForLoadState("networkidle").catch(() => {});
    shown.push(await page.locator("main").innerText());
    assert.deepEqual(page.faults, [], address);
    await page.context().close();
  }
  const text = shown.join("\n");
  for (const hostile of [HOSTILE, "<script>alert(1)</script>", "onerror=alert(8)"]) assert.ok(text.includes(hostile), `${hostile} is shown as text`);
});

test("axe finds nothing, light and dark, narrow and wide", async () => {
  const found = [];
  for (const [width, height] of [[360, 740], [1280, 860]]) {
    for (const scheme of ["light", "dark"]) {
      const page = await open(server.base, "", { width, height, scheme });
      await arrive(page, "Sessions");
      for (const [address, title] of views()) {
        await page.evaluate((hash) => { document.title = ""; location.hash = hash; }, address);
        await arrive(page, title);
        await page.waitForTimeout(100);
        await page.evaluate(axe);
        const { violations } = await page.evaluate(() => window.axe.run(document, {
          runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], iframes: false,
        }));
        for (const each of violations) found.push(`${address} ${width} ${scheme}: ${each.id}: ${each.nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} ${node.any[0]?.message ?? ""}`).join(" | ")}`);
        const beyond = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        if (beyond > 0) found.push(`${address} ${width}: ${beyond} px beyond the edge`);
      }
      await page.context().close();
    }
  }
  assert.deepEqual([...new Set(found)], []);
});

test("back and forward", async () => {
  const page = await open(server.base, "#/sessions");
  await arrive(page, "Sessions");
  await page.locator(".segments a", { hasText: "Rejected" }).click();
  await page.waitForURL(/verdict=reject/);
  await page.locator("a.open").first().click();
  await arrive(page, "Session 1");
  await page.locator("nav a", { hasText: "Mail" }).click();
  await arrive(page, "Mail");
  await page.goBack();
  await arrive(page, "Session 1");
  await page.goBack();
  await arrive(page, "Sessions");
  assert.match(page.url(), /verdict=reject/);
  assert.equal(await page.locator(".segments a[aria-current]").innerText(), "✕Rejected");
  await page.goForward();
  await arrive(page, "Session 1");
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test("10,000 messages", async () => {
  const { smtp } = await server.call("POST", "/api/v1/worlds", { name: "many", scenario: "one-to-one", receiver: "lenient", client: { address: "192.0.2.10" } });
  const each = 2500;
  await Promise.all([0, 1, 2, 3].map((part) => flood(smtp, "mail.example.test", part * each, (part + 1) * each)));
  const page = await open(server.base, "#/world/many/mail");
  await page.waitForFunction(() => document.querySelector(".count")?.textContent === "10,000 messages");
  assert.ok(await page.locator(".list-body .row").count() < 100, "only what is seen is in the document");
  await page.locator("a.open").first().focus();
  await page.keyboard.press("End");
  await page.waitForFunction(() => document.activeElement.textContent === "1");
  await page.locator(".list-body .row", { hasText: "Message " }).last().waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test("100,000 sessions scroll like few, and 2,000 are painted soon after their data", async () => {
  const context = await open(server.base, "#/worlds");
  const one = (id) => ({
    id, started: "2026-11-26T01:02:03.004Z", ended: "2026-11-26T01:02:03.104Z", peer: "127.0.0.1:4000", client_address: `192.0.2.${id % 256}`,
    client_source: "socket", clock_ms: 1, helo: `mail${id}.example.test`, sender: "a@example.test", recipients: ["b@contoso.test"],
    verdict: ["reject", "defer", "accept"][id % 3], code: 550, rule: "iprev", stage: "helo", reply: ["550 5.7.25 no"], allowed: "", closed_by: "quit",
    refusals: [{ enhanced: "5.7.25" }], transactions: [], transcript_dropped: 0,
  });
  let total = 100000;
  let asked = 0;
  // The API's responses for a log of this length, with the same cursor: a server keeps fewer sessions unless it is embedded.
  await context.route(/\/api\/v1\/sessions\?/, (route) => {
    asked += 1;
    const query = new URL(route.request().url()).searchParams;
    const limit = Number(query.get("limit") ?? 100);
    const back = query.get("newest") ? total : query.has("before") ? Number(query.get("before")) - 1 : undefined;
    const ids = Array.from({ length: limit }, (_, at) => (back === undefined ? Number(query.get("after") ?? 0) + 1 + at : back - at)).filter((id) => id > 0 && id <= total);
    route.fulfill({ json: { sessions: ids.map(one), next: ids.at(-1) ?? 0, more: true, dropped: 0 } });
  });
  await context.evaluate(() => { location.hash = "#/sessions"; });
  await context.waitForFunction(() => document.querySelector(".count")?.textContent === "100,000 sessions");
  const slow = await context.evaluate(async () => {
    const scroller = document.querySelector(".scroller");
    let worst = 0;
    for (let step = 0; step < 60; step += 1) {
      const began = performance.now();
      scroller.scrollTop = (scroller.scrollHeight * step) / 60;
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      worst = Math.max(worst, performance.now() - began);
    }
    return worst;
  });
  console.log(`100,000 sessions: the slowest of 60 jumps took ${slow.toFixed(0)} ms, ${asked} requests`);
  assert.ok(slow < 1000, `${slow} ms`);
  assert.ok(await context.locator(".list-body .row").count() < 100);
  await context.locator("a.open").first().focus();
  await context.keyboard.press("End");
  await context.waitForFunction(() => document.activeElement.textContent === "1");
  total = 2000;
  await context.evaluate(() => { location.hash = "#/worlds"; });
  await arrive(context, "Worlds");
  const painted = await context.evaluate(async () => {
    performance.clearResourceTimings();
    location.hash = "#/sessions";
    for (;;) {
      await new Promise((resolve) => requestAnimationFrame(resolve));
      if (document.querySelector(".list-body .row")) break;
    }
    const now = performance.now();
    const data = performance.getEntriesByType("resource").filter((each) => each.name.includes("/sessions?"));
    return now - Math.max(...data.map((each) => each.responseEnd));
  });
  console.log(`2,000 sessions: painted ${painted.toFixed(0)} ms after their data`);
  assert.ok(painted < 300, `${painted} ms`);
  assert.deepEqual(context.faults, []);
  await context.context().close();
});
