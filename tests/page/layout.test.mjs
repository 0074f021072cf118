// The layout of the views: at 200 % zoom, on paper, and with reduced motion.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { arrive, close, launch, open } from "./browser.mjs";
import { start } from "./server.mjs";
import { prepare, views } from "./views.mjs";

let server;
before(async () => {
  await launch();
  server = await start("--scenario", "office365", "--receiver", "helo-equals-ptr");
  await prepare(server);
});
after(async () => {
  await close();
  await server?.stop();
});

/** Goes from view to view in one page. */
async function eachView(page, look) {
  for (const [address, title] of views()) {
    await page.evaluate((hash) => { document.title = ""; location.hash = hash; }, address);
    await arrive(page, title);
    await page.waitForLoadState("networkidle").catch(() => {});
    await look(address);
  }
}

/** The parts of a page that cannot be reached: beyond an edge without scrolling, or cut off without an ellipsis. */
function missing() {
  const found = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) found.push(`${root.scrollWidth - root.clientWidth} px beyond the edge`);
  const name = (element) => `${element.tagName.toLowerCase()}.${element.className?.baseVal ?? element.className} ${(element.textContent ?? "").trim().slice(0, 40)}`;
  const scrolls = (element) => ["auto", "scroll"].includes(getComputedStyle(element).overflowX);
  const shown = [...document.querySelectorAll("body *")].filter((element) => element.checkVisibility({ visibilityProperty: true }) && !element.closest(".unseen, .skip, svg, input"));
  for (const element of shown) {
    const { left, right, width } = element.getBoundingClientRect();
    let around = element.parentElement;
    while (around && !scrolls(around)) around = around.parentElement;
    if (width > 0 && !around && (left < -1 || right > root.clientWidth + 1)) found.push(`outside: ${name(element)}`);
    const style = getComputedStyle(element);
    const cut = ["hidden", "clip"].includes(style.overflowX) && element.scrollWidth > element.clientWidth + 1 && style.clipPath === "none";
    // A cell of a list ends with an ellipsis, and the row opens the full text.
    if (cut && style.textOverflow !== "ellipsis") found.push(`cut: ${name(element)}`);
    const overlaid = ["hidden", "clip"].includes(style.overflowY) && element.scrollHeight > element.clientHeight + 1 && style.clipPath === "none"
      && !element.matches("html, body, main.fills, main.fills > .page") && element.clientHeight > 0 && style.textOverflow !== "ellipsis";
    if (overlaid) found.push(`cut below: ${name(element)}`);
  }
  return [...new Set(found)];
}

test("at 200 % zoom nothing is cut, and nothing scrolls sideways", async () => {
  const found = [];
  // A window of 1280 × 860 at 200 % has half as many CSS pixels, each two device pixels wide. So has one of 640 at 100 %.
  for (const [width, height, deviceScaleFactor] of [[640, 430, 2], [360, 740, 1], [1920, 1080, 2]]) {
    const page = await open(server.base, "", { width, height, deviceScaleFactor });
    await arrive(page, "Sessions");
    await eachView(page, async (address) => {
      for (const fault of await page.evaluate(missing)) found.push(`${address} at ${width}: ${fault}`);
    });
    assert.deepEqual(page.faults, []);
    await page.context().close();
  }
  assert.deepEqual(found, []);
});

test("each view reaches its last line at 200 % zoom", async () => {
  const page = await open(server.base, "", { width: 640, height: 430, deviceScaleFactor: 2 });
  await arrive(page, "Sessions");
  await eachView(page, async (address) => {
    const last = page.locator("main a, main button, main input, main select, main td").filter({ visible: true }).last();
    if (await last.count() === 0) return;
    await last.scrollIntoViewIfNeeded();
    const { y, height } = await last.boundingBox();
    assert.ok(y >= 0 && y + height <= 431, `${address}: ${y} + ${height}`);
  });
  await page.context().close();
});

test("a session on paper: the picture whole, no navigation", async () => {
  for (const address of ["#/sessions/1", "api/v1/sessions/1/picture"]) {
    // A4 between margins of 1 cm.
    const page = await open(server.base, address, { width: 718, height: 1047, scheme: "dark" });
    await page.locator("svg.picture").first().waitFor();
    await page.emulateMedia({ media: "print", colorScheme: "dark" });
    assert.equal(await page.locator("#top, .tools, button").filter({ visible: true }).count(), 0, "no navigation");
    const pictures = await page.locator("svg.picture[viewBox]").evaluateAll((all) => all.map((each) => {
      const { left, right, width } = each.getBoundingClientRect();
      const [, , wide] = each.getAttribute("viewBox").split(" ").map(Number);
      return { visible: each.checkVisibility({ contentVisibilityAuto: true }), left, right, width, wide };
    }));
    const strips = pictures.filter((each) => each.wide > 500);
    assert.ok(strips.length >= 1);
    for (const each of strips) {
      assert.ok(each.visible && each.width > 600, JSON.stringify(each));
      assert.ok(each.left >= 0 && each.right <= 718, `cut: ${JSON.stringify(each)}`);
    }
    assert.deepEqual((await page.evaluate(missing)).filter((fault) => !fault.startsWith("cut below")), [], address);
    const [paper, ink] = await page.evaluate(() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]);
    assert.deepEqual([paper, ink], ["rgb(255, 255, 255)", "rgb(0, 0, 0)"], "black on white, whatever the scheme");
    // Everything: the lines of the dialogue, and on the picture's page the result of each remedy.
    const said = await page.locator(address.startsWith("#") ? ".dialogue .step" : "#timeline ~ * tbody tr").evaluateAll((rows) => rows.map((row) => row.checkVisibility() && row.getBoundingClientRect().height > 0));
    assert.ok(said.length > 5 && said.every(Boolean), JSON.stringify(said));
    const scrolls = await page.evaluate(() => [...document.querySelectorAll("main *")].filter((each) =>
      ["auto", "scroll"].includes(getComputedStyle(each).overflowY) && each.scrollHeight > each.clientHeight + 1).map((each) => each.className));
    assert.deepEqual(scrolls, [], "what scrolls is cut on paper");
    if (!address.startsWith("#")) assert.ok(strips.length >= 2, "the strip after each remedy is printed");
    const pdf = await page.pdf({ format: "A4", margin: { top: "1cm", right: "1cm", bottom: "1cm", left: "1cm" } });
    assert.ok(pdf.length > 10000 && pdf.subarray(0, 5).toString() === "%PDF-");
    await page.context().close();
  }
});

test("nothing moves, with reduced motion or without", async () => {
  for (const reducedMotion of ["reduce", "no-preference"]) {
    const page = await open(server.base, "", { reducedMotion });
    await arrive(page, "Sessions");
    await page.evaluate(() => {
      window.moved = [];
      for (const kind of ["animationstart", "transitionstart"]) addEventListener(kind, (event) => window.moved.push(`${kind} ${event.target.className}`), true);
    });
    await eachView(page, async (address) => {
      const moving = await page.evaluate(() => document.getAnimations().map((each) => each.effect?.target?.className ?? "?"));
      assert.deepEqual(moving, [], address);
    });
    await page.evaluate(() => { location.hash = "#/sessions/1"; });
    await arrive(page, "Session 1");
    await page.locator("#remedies button[aria-pressed]").first().click();
    await page.locator(".turned.accept").waitFor();
    assert.deepEqual(await page.evaluate(() => window.moved), []);
    await page.context().close();
  }
});
