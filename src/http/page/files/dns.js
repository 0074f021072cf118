// DNS: queries, zones as text, faults.
import { announce, copyButton, h, problem, section, tabs } from "./dom.js";
import { format, parse } from "./filter.js";
import { count, time } from "./format.js";
import { LogList } from "./list.js";

export async function show(context) {
  const part = context.id ?? "queries";
  const views = { queries, zones, faults };
  const names = { queries: "Queries", zones: "Zones", faults: "Faults" };
  const shown = await (views[part] ?? queries)(context);
  const choices = h("nav", { class: "segments", "aria-label": "DNS" }, Object.entries(names).map(([word, title]) =>
    h("a", { href: context.link("dns", { id: word }), "aria-current": word === part ? "true" : undefined }, title)));
  const element = h("div", { class: "page" }, h("div", { class: "toolbar" }, h("h1", {}, "DNS"), choices, shown.tools ?? []), shown.body);
  return { title: `DNS: ${names[part] ?? part}`, element, fills: shown.fills, shown: shown.shown };
}

const COLUMNS = [
  { title: "#", kind: "num" }, { title: "Time", kind: "time" }, { title: "Client", kind: "client" }, { title: "Transport", kind: "transport" },
  { title: "Name", kind: "name" }, { title: "Type", kind: "type" }, { title: "RCODE", kind: "rcode" }, { title: "Answer", kind: "answer" },
  { title: "Fault", kind: "fault-cell" },
];

async function queries({ api, query, link, go, live, signal }) {
  const chosen = Object.fromEntries(query);
  const number = h("p", { class: "count" });
  const nothing = h("p", { class: "nothing", hidden: true });
  const mistake = h("div", {});
  const list = new LogList({
    api, path: "dns/queries", key: "queries", query: chosen, name: "DNS queries", columns: COLUMNS,
    row: (each) => cells(each, link),
    counted: (queries, whole) => {
      number.textContent = `${count(queries, "query", "queries")}${whole ? "" : " and more"}`;
      nothing.hidden = queries > 0;
      nothing.textContent = list.filtered ? "No query matches." : "No query yet. This list has the queries that clients sent; the receiver's own lookups are in each session.";
    },
  });
  try {
    await list.load();
  } catch (error) {
    if (signal.aborted) throw error;
    mistake.replaceChildren(problem(error));
  }
  signal.addEventListener("abort", () => list.observer.disconnect());
  live(["dns-query", "changed"], (event) => {
    if (event.event === "dns-query") list.happened(event.query.id);
    else if (event.event === "gap" || event.what === "reset") list.happened(undefined);
  });
  const input = h("input", { type: "search", "data-filter": true, "aria-label": "Filter", autocomplete: "off", spellcheck: "false", value: format(chosen),
    placeholder: "Filter, such as contoso.test type:MX rcode:NXDOMAIN", title: "client_address, name, type, rcode, since" });
  const usual = (word) => (/^[A-Z]+\d*$/.test(word) ? (/^(NOERROR|NXDOMAIN|SERVFAIL|REFUSED|FORMERR|NOTIMP)$/.test(word) ? "rcode" : "type") : "name");
  const submit = (event) => {
    event.preventDefault();
    go("dns", { id: "queries", query: parse(input.value, usual) });
  };
  input.addEventListener("search", submit);
  return {
    tools: [number, h("form", { class: "filter", role: "search", onsubmit: submit }, input)],
    body: [mistake, nothing, list.element], fills: true, shown: () => list.draw(),
  };
}

function cells(query, link) {
  const answers = query.answers.map((record) => record.replace(/^\S+ \d+ IN /, ""));
  const text = answers.length > 3 ? `${answers.slice(0, 3).join(", ")} and ${answers.length - 3} more` : answers.join(", ");
  return [
    h("div", { class: "num" }, h("a", { class: "open", href: link("dns", { id: "queries", query: { name: query.name } }), "aria-label": `Query ${query.id}: all queries for ${query.name}` }, String(query.id))),
    h("div", { class: "time" }, time(query.at)),
    h("div", { class: "client" }, query.client ?? query.client_address),
    h("div", { class: "transport" }, query.transport),
    h("div", { class: "name", title: query.name }, query.name),
    h("div", { class: "type" }, query.type),
    h("div", { class: "rcode" }, query.rcode, query.truncated && " TC"),
    h("div", { class: "answer", title: query.answers.join("\n") }, text),
    h("div", { class: "fault-cell fault" }, query.fault),
  ];
}

async function zones({ api, query, link, go }) {
  const { zones: all } = await api.get("zones");
  const chosen = query.get("zone") ?? all[0]?.origin;
  const place = h("div", { class: "column" });
  const list = h("nav", { class: "column picks", "aria-label": "Zones" }, all.map((zone) => h("a", {
    href: link("dns", { id: "zones", query: { zone: zone.origin } }), "aria-current": zone.origin === chosen ? "true" : undefined,
  }, h("span", {}, zone.origin), h("span", { class: "soft" }, count(zone.records, "record")))));
  if (chosen) {
    const { text } = await api.get(`zones/${encodeURIComponent(chosen)}`);
    const area = h("textarea", { class: "source", rows: Math.min(32, text.split("\n").length + 2), spellcheck: "false", "aria-label": `Zone ${chosen}`, value: text });
    const result = h("div", {});
    const save = async () => {
      try {
        await api.send("PUT", `zones/${encodeURIComponent(chosen)}`, { text: area.value });
        result.replaceChildren(h("p", { class: "done" }, "✓ The zone is served."));
        announce("The zone is served");
      } catch (error) {
        result.replaceChildren(problem(error));
      }
    };
    place.append(section(chosen, { tools: [copyButton(() => area.value, "Copy", "Copy the zone"), h("button", { type: "button", class: "small", onclick: save }, "Save")] }, area, result));
  }
  return { tools: [h("p", { class: "count" }, count(all.length, "zone"))], body: h("div", { class: "picker" }, list, place) };
}

/** Faults without parameters. */
const ACTIONS = ["servfail", "nxdomain", "nodata", "refused", "drop", "delay", "notimp", "formerr", "truncate", "tcp-refused", "tcp-hang", "lame",
  "referral", "wrong-id", "wrong-question", "wrong-answer", "cname-loop", "cname-chain", "oversized", "malformed"];
/** Faults that were switched off on this page, so that they can be switched on again. */
const off = new Map();

async function faults({ api, link }) {
  const place = h("div", {});
  const parked = off.get(api.world) ?? [];
  off.set(api.world, parked);
  const mistake = h("div", {});
  const bare = ({ seen, fired, ...fault }) => fault;
  const attempt = async (work) => {
    try {
      await work();
      mistake.replaceChildren();
    } catch (error) {
      mistake.replaceChildren(problem(error));
    }
    await draw();
  };
  const draw = async () => {
    const { faults: on } = await api.get("faults");
    const described = (fault) => Object.entries(bare(fault)).filter(([key]) => !["name", "do", "type"].includes(key)).map(([key, value]) => `${key} ${value}`).join(", ");
    const row = (fault, at, active) => {
      const title = `${fault.do} for ${fault.name}${fault.type ? ` ${fault.type}` : ""}`;
      const box = h("input", { type: "checkbox", "aria-label": title });
      box.checked = active;
      box.addEventListener("change", () => attempt(async () => {
        if (active) {
          await api.send("PUT", "faults", { faults: on.filter((_, place) => place !== at).map(bare) });
          parked.push(bare(fault));
        } else {
          await api.send("POST", "faults", fault);
          parked.splice(at, 1);
        }
      }));
      return h("tr", { class: active ? "" : "soft" }, h("td", {}, box), h("td", {}, h("code", {}, fault.do)), h("td", {}, h("code", {}, fault.name)), h("td", {}, fault.type ?? "all"),
        h("td", {}, described(fault)), h("td", {}, active ? `${fault.fired} of ${fault.seen}` : "off"));
    };
    const rows = [...on.map((fault, at) => row(fault, at, true)), ...parked.map((fault, at) => row(fault, at, false))];
    place.replaceChildren(rows.length === 0 ? h("p", { class: "soft" }, "No fault is set.")
      : h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Faults" }, h("table", {}, h("thead", {}, h("tr", {}, ["On", "Does", "Name", "Type", "How", "Fired / matched"].map((title) => h("th", { scope: "col" }, title)))), h("tbody", {}, rows))));
  };
  await draw();
  const name = h("input", { id: "fault-name", placeholder: "*.example.test", required: true });
  const action = h("select", { id: "fault-do" }, ACTIONS.map((word) => h("option", {}, word)));
  const type = h("select", { id: "fault-type" }, h("option", { value: "" }, "all types"), ["PTR", "A", "AAAA", "MX", "TXT", "NS", "SOA", "CNAME"].map((word) => h("option", {}, word)));
  const delay = h("input", { id: "fault-delay", placeholder: "none", size: "8" });
  const field = (label, input) => h("div", { class: "field" }, h("label", { for: input.id }, label), input);
  const form = h("form", { class: "inline-form", onsubmit: (event) => {
    event.preventDefault();
    const fault = { name: name.value, do: action.value };
    if (type.value) fault.type = type.value;
    if (delay.value) fault.delay = delay.value;
    attempt(() => api.send("POST", "faults", fault));
  } }, field("Name", name), field("Does", action), field("Type", type), field("Delay", delay), h("button", { class: "first" }, "Add"));
  return { body: h("div", { class: "page" }, mistake, section("Faults", {}, place), section("Add a fault", {}, form)) };
}
