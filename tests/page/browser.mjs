// Starts Chromium, and watches each page for errors, dialogs and requests to other origins.
import { createRequire } from "node:module";

const require = createRequire(`${process.env.MARTINET_PAGE_MODULES ?? `${process.cwd()}/target/foreign/page`}/`);
const { chromium } = require("playwright-core");
export const axe = require("axe-core").source;

let browser;
export const launch = async () => {
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
};
export const close = () => browser.close();

/** Opens a page; `faults` collects forbidden events. */
export async function open(base, address, { width = 1280, height = 860, scheme = "light", ...more } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, reducedMotion: "reduce", ...more });
  const page = await context.newPage();
  page.setDefaultTimeout(20000);
  const faults = [];
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) faults.push(`console: ${message.text()}`); });
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(`${base}/`) && !url.startsWith("data:")) faults.push(`request: ${url}`);
  });
  page.faults = faults;
  await page.goto(`${base}/${address}`);
  return page;
}

/** Waits for a view, whose title becomes that of the document. */
export async function arrive(page, title) {
  await page.waitForFunction((text) => document.title.startsWith(text), title);
}
