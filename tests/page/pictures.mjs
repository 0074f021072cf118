// Makes the screenshots of docs/page.md: `node tests/page/pictures.mjs` after `bash scripts/page.sh`. Check them afterwards.
import { fileURLToPath } from "node:url";

import { arrive, close, launch, open } from "./browser.mjs";
import { deliver, speak, start } from "./server.mjs";
import { BOUNCE, HONEST, HOSTILE, message, OFFICE } from "./views.mjs";

const folder = fileURLToPath(new URL("../../docs/pictures/", import.meta.url));
await launch();
const server = await start("--scenario", "office365", "--receiver", "helo-equals-ptr");

/** Sessions of several kinds; the first is rejected and the last accepted. */
async function play() {
  const from = (address, ...lines) => speak(server.smtp, [`XCLIENT ADDR=${address}`, ...lines, "QUIT"]);
  const whole = (helo) => [`EHLO ${helo}`, "MAIL FROM:<someone@fabrikam.test>", "RCPT TO:<b@contoso.test>", "DATA", `${message}\r\n.`];
  await from("207.46.163.150", `EHLO ${OFFICE}`);
  await from("203.0.113.9", "EHLO NAM02-BL2-obe.outbound.protection.outlook.com");
  await from("207.46.163.149", ...whole(HONEST));
  await from("104.47.38.131", "EHLO NAM02-BL2-obe.outbound.protection.outlook.com");
  await from("157.56.110.65", `EHLO ${OFFICE}`);
  await server.call("PUT", "/api/v1/receiver", { receiver: "postfix-postscreen" });
  await from("207.46.163.151", ...whole(OFFICE));
  await server.call("PUT", "/api/v1/receiver", { receiver: "gmx" });
  await from("203.0.113.9", `EHLO ${OFFICE}`);
  await from("207.46.163.152", ...whole(OFFICE));
  await server.call("PUT", "/api/v1/receiver", { receiver: "helo-equals-ptr" });
  for (let at = 149; at < 158; at += 1) await from(`207.46.163.${at}`, `EHLO ${at % 3 === 0 ? HOSTILE : OFFICE}`);
}

async function shoot(name, address, title, { ready, ...how } = {}) {
  const page = await open(server.base, address, how);
  await arrive(page, title);
  await page.waitForLoadState("networkidle").catch(() => {});
  await ready?.(page);
  await page.screenshot({ path: `${folder}${name}.png` });
  await page.context().close();
}

await play();
await deliver(server.smtp, HONEST, message);
await shoot("page-session", "#/sessions/1", "Session 1", { height: 1000 });
await shoot("page-remedy", "#/sessions/1", "Session 1", { height: 800, scheme: "dark", ready: async (page) => {
  await page.locator("#remedies button[aria-pressed]").first().click();
  await page.locator(".turned.accept").waitFor();
} });
await shoot("page-sessions", "#/sessions", "Sessions", { height: 600 });
await shoot("page-narrow", "#/sessions", "Sessions", { width: 360, height: 740, scheme: "dark" });
await shoot("page-what-if", `#/what-if?client_address=203.0.113.9&helo=${OFFICE}&receiver=all`, "What if", { height: 720 });
await shoot("page-matrix", "#/matrix?scenario=office365-pool&group=generic", "Matrix", { height: 560, ready: async (page) => {
  await page.locator("table.matrix a.bars").first().waitFor();
  await page.locator("table.matrix a.bars").nth(14).focus();
  await page.waitForTimeout(600);
} });
await shoot("page-bounce", `#/bounce?text=${encodeURIComponent(BOUNCE)}`, "Bounce", { height: 860, ready: (page) => page.locator("#match-1").waitFor() });
await shoot("page-mail", "#/mail/1", "Message 1", { height: 760 });
await close();
await server.stop();
