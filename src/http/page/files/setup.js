// The setup of a world: scenario, receiver, source of client addresses, clock.
import { announce, copyButton, h, problem, section, terms } from "./dom.js";
import { count } from "./format.js";

export async function show(context) {
  const { api } = context;
  const [scenario, receiver, { client }, clock, { scenarios }, { receivers }] = await Promise.all([
    api.get("scenario"), api.get("receiver"), api.get("client"), api.get("clock"), api.get("/api/v1/scenarios"), api.get("/api/v1/receivers")]);
  const again = () => dispatchEvent(new HashChangeEvent("hashchange"));
  return {
    title: "Scenario and receiver",
    element: h("div", { class: "page" }, h("div", { class: "toolbar" }, h("h1", {}, "Scenario and receiver")),
      h("div", { class: "columns even" },
        h("div", { class: "column" }, editor(context, { what: "scenario", current: scenario, all: scenarios, again,
          about: [["clients", count(scenario.clients.length, "client")], ["domains", scenario.domains.join(", ")], ["usual receiver", scenario.receiver], ["faults", scenario.faults || undefined], ["sources", list(scenario.sources)]] })),
        h("div", { class: "column" },
          editor(context, { what: "receiver", current: receiver, all: receivers, again,
            about: [["host", receiver.hostname], ["group", receiver.group], ["era", receiver.era], ["texts", receiver.confidence && `confidence ${receiver.confidence}`], ["sources", list(receiver.sources)]] }),
          origin(context, client, again), time(context, clock, again), reset(context, again)))),
  };
}

const list = (all) => all.length > 0 && h("ul", {}, all.map((each) => h("li", {}, each)));

/** Shows a file, offers others, and checks and applies the text. */
function editor({ api, signal }, { what, current, all, about, again }) {
  const findings = h("div", { class: "findings", role: "status" });
  const area = h("textarea", { class: "source", rows: "22", spellcheck: "false", wrap: "off", "aria-label": `${what} file`, value: current.text });
  const pick = h("select", { id: `pick-${what}`, "data-filter": what === "scenario" },
    h("option", { value: "" }, "another built-in one…"), all.map((each) => h("option", { value: each.name, title: each.title }, each.name)));
  pick.addEventListener("change", async () => {
    if (!pick.value) return;
    area.value = (await api.get(`/api/v1/${what}s/${encodeURIComponent(pick.value)}`)).text;
    lint();
  });
  const lint = async () => {
    try {
      report(findings, await api.send("POST", "/api/v1/lint", { text: area.value }), area);
    } catch (error) {
      if (!signal.aborted) findings.replaceChildren(problem(error));
    }
  };
  let timer;
  area.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(lint, 400);
  });
  const apply = async () => {
    // A built-in file keeps its name; edited text has none.
    const builtIn = pick.value && all.some((each) => each.name === pick.value)
      && (await api.get(`/api/v1/${what}s/${encodeURIComponent(pick.value)}`)).text === area.value;
    try {
      await api.send("PUT", what, { [what]: builtIn ? pick.value : area.value });
      announce(`The ${what} applies to new connections`);
      again();
    } catch (error) {
      findings.replaceChildren(problem(error));
    }
  };
  return section(what === "scenario" ? "Scenario" : "Receiver", { tools: [copyButton(() => area.value, "Copy", `Copy the ${what} file`), h("button", { type: "button", class: "small first", onclick: apply, "aria-label": `Apply the ${what}` }, "Apply")] },
    h("p", {}, h("strong", {}, current.name), " ", current.title), terms(about),
    h("div", { class: "field" }, h("label", { for: pick.id }, `Load a ${what}`), pick), area, findings);
}

/** The report of lint. A line of the report leads to the line of the file. */
function report(place, { mistakes, warnings }, area) {
  const row = (each, verdict, sign) => h("li", {}, h("span", { class: `mark ${verdict}`, "aria-hidden": "true" }, sign), " ",
    each.line > 0 && h("button", { type: "button", class: "small plain", onclick: () => goTo(area, each.line) }, `line ${each.line}`), ` expected ${each.expected}, found ${each.found}`);
  place.replaceChildren(mistakes.length + warnings.length === 0 ? h("p", { class: "done" }, "✓ No mistake.")
    : h("ul", { class: "plain-list" }, mistakes.map((each) => row(each, "reject", "✕")), warnings.map((each) => row(each, "defer", "!"))));
}

function goTo(area, line) {
  const lines = area.value.split("\n");
  const start = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
  area.focus();
  area.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
  area.scrollTop = Math.max(0, (line - 4) * (area.scrollHeight / lines.length));
}

/** The source of client addresses. */
function origin({ api }, client, again) {
  const kinds = { socket: "the address of the connection", address: "one address", map: "a map of addresses", pool: "a pool" };
  const kind = client === "socket" ? "socket" : Object.keys(client)[0];
  const now = kind === "pool" ? `${kinds.pool} of ${count(client.pool.addresses.length, "address", "addresses")}, ${client.pool.order}` : kind === "address" ? client.address : kinds[kind];
  const input = h("input", { id: "client-address", placeholder: "192.0.2.10", autocomplete: "off" });
  const result = h("div", {});
  const put = async (value) => {
    try {
      await api.send("PUT", "client", { client: value });
      announce("Changed");
      again();
    } catch (error) {
      result.replaceChildren(problem(error));
    }
  };
  return section("Client address", {}, h("p", {}, "The client address of connections is ", h("strong", {}, now), "."),
    h("form", { class: "inline-form", onsubmit: (event) => { event.preventDefault(); put({ address: input.value.trim() }); } },
      h("div", { class: "field" }, h("label", { for: input.id }, "Always this address"), input), h("button", {}, "Set"),
      h("button", { type: "button", onclick: () => put("socket") }, "The address of the connection")), result);
}

function time({ api }, clock, again) {
  const input = h("input", { id: "advance", placeholder: "5m", size: "8", autocomplete: "off" });
  const result = h("div", {});
  return section("Clock", {}, h("p", {}, "The receiver's clock is at ", h("strong", {}, `${(clock.now_ms / 1000).toFixed(0)} s`), ". Advancing it ages what the receiver remembers, so that greylisting ends."),
    h("form", { class: "inline-form", onsubmit: async (event) => {
      event.preventDefault();
      try {
        await api.send("POST", "clock", { advance: input.value.trim() });
        announce("The clock is advanced");
        again();
      } catch (error) {
        result.replaceChildren(problem(error));
      }
    } }, h("div", { class: "field" }, h("label", { for: input.id }, "Forward by"), input), h("button", {}, "Move")), result);
}

function reset({ api }, again) {
  const result = h("div", {});
  const ask = async (path, done) => {
    try {
      await api.send("POST", path);
      announce(done);
      again();
    } catch (error) {
      result.replaceChildren(problem(error));
    }
  };
  return section("Reset", {}, h("div", { class: "inline-form" },
    h("button", { type: "button", onclick: () => ask("reset?only=journal", "The journal is empty") }, "Empty the journal"),
    h("button", { type: "button", onclick: () => ask("reset", "The world is reset to its state at start") }, "Reset everything")),
  h("p", { class: "soft" }, "The journal has sessions, messages, DNS queries and events. Everything is also scenario, receiver, faults, clock and memory."), result);
}
