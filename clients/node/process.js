// Starts the program `martinet serve`, or finds a running server.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, watch } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

const START_MS = 30_000;

/** The path of the program: `MARTINET_BINARY`, the one in the package for the platform, or the first one on the path. */
export function findBinary() {
  const named = process.env.MARTINET_BINARY;
  if (named) {
    if (existsSync(named)) return named;
    throw new Error(`MARTINET_BINARY names ${named}, which does not exist`);
  }
  try {
    return createRequire(import.meta.url).resolve(`@martinet/${process.platform}-${process.arch}/bin/martinet`);
  } catch {
    const found = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, "martinet")).find(existsSync);
    if (found && !found.endsWith(join(".bin", "martinet"))) return found;
    throw new Error("the program martinet is not installed: set MARTINET_BINARY, or MARTINET to the URL of a running server");
  }
}

/** Starts `martinet serve` on free ports; returns its URL and a function that ends it. */
export async function start(args = []) {
  const folder = await mkdtemp(join(tmpdir(), "martinet-"));
  const ready = join(folder, "ready.json");
  const free = "127.0.0.1:0";
  const command = ["serve", "--smtp", free, "--dns", free, "--http", free, "--ready-file", ready, ...args];
  const child = spawn(findBinary(), command, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (text) => (said += text));
  const ended = new Promise((resolve) => child.once("close", resolve));
  const failed = ended.then((code) => {
    throw new Error(`martinet serve ended with ${code}: ${said.trim()}`);
  });
  failed.catch(() => {});
  const stop = async () => {
    // Without this reference the event loop would end before the process ends.
    child.ref();
    child.kill();
    await ended;
  };
  const onExit = () => child.kill();
  process.once("exit", onExit);
  ended.then(() => process.removeListener("exit", onExit));
  try {
    const addresses = await Promise.race([contents(folder, ready), failed]);
    child.unref();
    child.stderr.unref?.();
    return { url: `http://${addresses.http}`, stop };
  } catch (error) {
    child.kill();
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Waits for the ready file, and returns its content. */
async function contents(folder, file) {
  const changes = watch(folder, { signal: AbortSignal.timeout(START_MS) });
  const read = async () => {
    const text = await readFile(file, "utf8").catch(() => "");
    return text.trimEnd().endsWith("}") ? JSON.parse(text) : null;
  };
  // The watch starts before the first read, so that no change is missed.
  const next = changes[Symbol.asyncIterator]();
  let changed = next.next();
  for (;;) {
    const found = await read();
    if (found) {
      changed.catch(() => {});
      await next.return?.();
      return found;
    }
    await changed.catch(() => {
      throw new Error(`martinet serve was not ready within ${START_MS / 1000} seconds`);
    });
    changed = next.next();
  }
}
