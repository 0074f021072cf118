// For node:test: a world for each test, deleted at its end.

import { serve } from "./index.js";

let server;

/** Returns a world for the test `t`; its expectations are verified at the end of the test. */
export async function world(t, options = {}) {
  server ??= serve();
  const made = await (await server).world(options);
  t.after(async () => {
    try {
      await made.verify();
    } finally {
      await made.delete();
    }
  });
  return made;
}
