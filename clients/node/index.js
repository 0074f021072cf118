// A client for martinet, the mail server that refuses your mail on purpose.

import { start } from "./process.js";

export { findBinary } from "./process.js";

/** The server refused a request, or cannot be reached. */
export class MartinetError extends Error {
  constructor(message, problem) {
    super(message);
    this.name = "MartinetError";
    this.problem = problem;
  }
}

/** Too few sessions, messages or queries matched in time. */
export class WaitTimeout extends Error {
  constructor(result) {
    const near = result.near_misses.map((miss) => `  near miss: ${miss.headline ?? JSON.stringify(miss)}`);
    const seen = result.seen.map((line) => `  seen: ${line}`);
    super([`expected ${result.wanted}; ${result.found} matched`, ...near, ...seen].join("\n"));
    this.name = "WaitTimeout";
    this.result = result;
  }
}

/** Returns a server: the one at `url` or at the variable MARTINET, otherwise a new process on free ports. */
export async function serve({ url = process.env.MARTINET, args = [] } = {}) {
  if (url) return new Server(url);
  const started = await start(args);
  return new Server(started.url, started.stop);
}

export class Server {
  #stop;

  constructor(url, stop) {
    this.url = url.replace(/\/+$/, "");
    this.#stop = stop;
  }

  /** Ends the process, if `serve` started one. */
  async close() {
    const stop = this.#stop;
    this.#stop = undefined;
    await stop?.();
  }

  async [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    await this.close();
  }

  /** Creates a world on free ports: `scenario`, `receiver`, `client`, `name`. */
  async world(options = {}) {
    return new World(this, await this.call("POST", "/worlds", { body: options }));
  }

  /** Returns a world that exists: `main` is the one that the server started with. */
  async existingWorld(name) {
    return new World(this, await this.call("GET", `/worlds/${encodeURIComponent(name)}`));
  }

  /** What receivers would reply to a client. */
  async check(query) {
    return (await this.call("GET", "/check", { query })).judgements;
  }

  async call(method, path, { body, query = {}, allowed = [], text = false } = {}) {
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    const url = new URL(`${this.url}/api/v1${path}`);
    given.forEach(([key, value]) => url.searchParams.set(key, value));
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch(url, { method, headers, body: body && JSON.stringify(body) }).catch((error) => {
      throw new MartinetError(`no answer from ${this.url}: ${error.cause?.message ?? error.message}`);
    });
    const content = await answer.text();
    if (answer.ok || allowed.includes(answer.status)) return text ? content : content ? JSON.parse(content) : null;
    let problem;
    try {
      problem = JSON.parse(content);
    } catch {
      throw new MartinetError(`${answer.status} ${content}`);
    }
    const where = problem.field ? `${problem.field}: ` : "";
    throw new MartinetError(`${answer.status} ${where}${problem.detail ?? problem.title}`, problem);
  }
}

/** An isolated server: one scenario and one receiver on their own ports. */
export class World {
  #at;

  constructor(server, view) {
    this.server = server;
    Object.assign(this, { name: view.name, scenario: view.scenario, receiver: view.receiver, smtp: view.smtp, dns: view.dns });
    [this.smtpHost, this.smtpPort] = address(view.smtp);
    [this.dnsHost, this.dnsPort] = address(view.dns);
    this.#at = `/worlds/${encodeURIComponent(view.name)}`;
  }

  /** Stops the world and closes its ports. */
  async delete() {
    await this.server.call("DELETE", this.#at);
  }

  async [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    await this.delete();
  }

  /** Waits for a session with a verdict that matches the filter, and returns the first one. */
  async waitForSession(filter = {}, options = {}) {
    return (await this.waitForSessions(1, filter, options))[0];
  }

  /** Waits until `count` sessions match. Filters are those of the API: client_address, helo, verdict, rule, code… */
  async waitForSessions(count, filter = {}, options = {}) {
    return (await this.#wait("", "sessions", count, filter, options)).map((view) => this.#session(view));
  }

  /** Waits until `count` messages match: recipient, sender, session, since. */
  async waitForMail(filter = {}, { count = 1, ...options } = {}) {
    return this.#wait("/mail", "mail", count, filter, options);
  }

  /** Waits until `count` DNS queries match: client_address, name, type, rcode, since. */
  async waitForQueries(filter = {}, { count = 1, ...options } = {}) {
    return this.#wait("/dns/queries", "queries", count, filter, options);
  }

  /** The sessions that match, oldest first, at most 1000. */
  async sessions(filter = {}) {
    const page = await this.call("GET", "/sessions", { query: { limit: 1000, full: true, ...filter } });
    return page.sessions.map((view) => this.#session(view));
  }

  /** The accepted messages that match, oldest first, at most 1000. */
  async mail(filter = {}) {
    return (await this.call("GET", "/mail", { query: { limit: 1000, ...filter } })).mail;
  }

  /** A message as stored, below the trace fields of the receiver. */
  async content(message) {
    return this.call("GET", `/mail/${message.id}/raw`, { text: true });
  }

  /** Declares an expectation about the sessions that follow; `verify` checks it. */
  async expect(name, sessions, times = { least: 1 }) {
    return this.call("POST", "/expectations", { body: { name, sessions, times } });
  }

  /** Throws the report unless every expectation is met. */
  async verify() {
    const outcomes = await this.call("GET", "/expectations/verify", { allowed: [417] });
    if (!outcomes.met) throw new Error(outcomes.report);
  }

  /** Advances the clock of the world by a duration such as "5m". */
  async advance(by) {
    await this.call("POST", "/clock", { body: { advance: by } });
  }

  /** Replaces the receiver: a name, TOML text, or the content of a receiver file as an object. */
  async setReceiver(receiver) {
    await this.call("PUT", "/receiver", { body: { receiver } });
  }

  /** Replaces the scenario: a name, TOML text, or the content of a scenario file as an object. */
  async setScenario(scenario) {
    await this.call("PUT", "/scenario", { body: { scenario } });
  }

  /** Replaces the source of client addresses: "socket", { address }, { pool } or { map }. */
  async setClient(client) {
    await this.call("PUT", "/client", { body: { client } });
  }

  /** Replaces the DNS faults, for example { name, type: "PTR", do: "servfail" }. */
  async setFaults(...faults) {
    await this.call("PUT", "/faults", { body: { faults } });
  }

  /** Adds a zone from master-file text, or replaces the one with this origin. */
  async setZone(origin, text) {
    await this.call("PUT", `/zones/${encodeURIComponent(origin)}`, { body: { text } });
  }

  /** Resets the world to its state at start, or empties its journal only. */
  async reset({ only } = {}) {
    await this.call("POST", "/reset", { query: { only } });
  }

  async call(method, path, options) {
    return this.server.call(method, this.#at + path, options);
  }

  async #wait(kind, key, count, filter, { timeout = 5000 } = {}) {
    const query = { count, timeout_ms: timeout, ...filter };
    const result = await this.call("GET", `/wait${kind}`, { query, allowed: [417] });
    if (!result.matched) throw new WaitTimeout(result);
    return result[key];
  }

  #session(view) {
    return new Session(this, view);
  }
}

/** An SMTP session, with the fields of the API. */
export class Session {
  #world;

  constructor(world, view) {
    Object.assign(this, view);
    this.#world = world;
  }

  /** The explanation of the session: DNS, refusals, remedies and dialogue. */
  async story() {
    return this.#world.call("GET", `/sessions/${this.id}/story`, { text: true });
  }

  /** The picture of the session as SVG. */
  async picture() {
    return this.#world.call("GET", `/sessions/${this.id}/picture.svg`, { text: true });
  }

  /** Throws an error with the session unless a message was acknowledged and nothing refused. */
  async assertAccepted() {
    return this.#assert("accept", {});
  }

  /** Throws an error with the session unless a 5yz reply refused the session, by this rule and with these codes. */
  async assertRejected(wanted = {}) {
    return this.#assert("reject", wanted);
  }

  /** Throws an error with the session unless a 4yz reply refused the session, by this rule and with these codes. */
  async assertDeferred(wanted = {}) {
    return this.#assert("defer", wanted);
  }

  async #assert(verdict, wanted) {
    const given = Object.entries(wanted);
    const fits = given.length === 0 || this.refusals.some((refusal) => given.every(([key, value]) => refusal[key] === value));
    if (this.verdict === verdict && fits) return this;
    const said = [["verdict", verdict], ...given].map((pair) => pair.join(" ")).join(", ");
    const found = [this.verdict, this.rule, this.code].filter((value) => value !== undefined).join(", ");
    throw new Error(`expected a session with ${said}, found ${found}\n\n${await this.story()}`);
  }
}

function address(text) {
  const cut = text.lastIndexOf(":");
  return [text.slice(0, cut).replace(/^\[|\]$/g, ""), Number(text.slice(cut + 1))];
}
