// A `globalSetup` for Vitest: one server for the run, whose URL tests get by `inject("martinet")`.

import { serve } from "./index.js";

export default async function setup({ provide }) {
  const server = await serve();
  provide("martinet", server.url);
  return () => server.close();
}
