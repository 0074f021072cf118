// Requests to the API of one world, and its event stream.

/** A problem that the API reported. */
export class ApiError extends Error {
  constructor(status, problem) {
    super(problem?.detail ?? `the server answered ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

export class Api {
  constructor(world, signal) {
    this.world = world;
    this.signal = signal;
    this.base = world === "main" ? "/api/v1" : `/api/v1/worlds/${encodeURIComponent(world)}`;
    // The path of Mailpit's API for the same world.
    this.mailpit = world === "main" ? "" : `/worlds/${encodeURIComponent(world)}`;
  }

  url(path, query = {}) {
    const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
    const text = new URLSearchParams(pairs).toString();
    const whole = path.startsWith("/") ? path : `${this.base}/${path}`;
    return text ? `${whole}?${text}` : whole;
  }

  async #ask(path, query, options = {}) {
    const answer = await fetch(this.url(path, query), { signal: this.signal, ...options });
    if (answer.ok) return answer;
    let problem;
    try { problem = await answer.json(); } catch { problem = undefined; }
    throw new ApiError(answer.status, problem);
  }

  async get(path, query) { return (await this.#ask(path, query)).json(); }

  async text(path, query) { return (await this.#ask(path, query)).text(); }

  async send(method, path, body) {
    const options = { method };
    if (body !== undefined) {
      options.headers = { "Content-Type": "application/json" };
      options.body = JSON.stringify(body);
    }
    const answer = await this.#ask(path, {}, options);
    return answer.status === 204 ? undefined : answer.json();
  }

  /**
   * Calls `heard` for each event of these kinds, and `state` with whether the stream is open. A hidden page closes its
   * stream, because browsers limit the connections to one server. Returns a function that ends the stream.
   */
  listen(kinds, heard, state) {
    let source;
    const open = () => {
      source = new EventSource(this.url("events", { event: kinds.join(",") }));
      source.onopen = () => state(true);
      source.onerror = () => state(false);
      for (const kind of kinds) source.addEventListener(kind, (event) => heard(JSON.parse(event.data)));
      source.addEventListener("gap", () => heard({ event: "gap" }));
    };
    const look = () => {
      if (document.hidden) {
        source?.close();
        source = undefined;
      } else if (!source) {
        open();
        heard({ event: "gap" });
      }
    };
    document.addEventListener("visibilitychange", look);
    if (!document.hidden) open();
    return () => {
      document.removeEventListener("visibilitychange", look);
      source?.close();
    };
  }
}
