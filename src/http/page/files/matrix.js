// The matrix: the clients of a scenario against every receiver. A pool is one band of cells, which shows at a glance if
// some of its clients are refused.
import { h, problem } from "./dom.js";
import { count, MARKS, WORDS } from "./format.js";

export async function show(context) {
  const { api, query, go, link } = context;
  const [world, { scenarios }, { receivers }] = await Promise.all([api.get("scenario"), api.get("/api/v1/scenarios"), api.get("/api/v1/receivers")]);
  const named = scenarios.some((each) => each.name === world.name);
  const chosen = query.get("scenario") ?? (named ? world.name : "office365");
  const group = query.get("group") ?? "";
  const option = (value, text = value) => h("option", { value }, text);
  const ask = () => go("matrix", { query: { scenario: scenario.value, group: groups.value } });
  const scenario = h("select", { id: "matrix-scenario", "data-filter": true, onchange: ask }, scenarios.map((each) => option(each.name)));
  scenario.value = chosen;
  const groups = h("select", { id: "matrix-group", onchange: ask }, option("", "all receivers"), option("generic"), option("software"), option("operator"));
  groups.value = group;
  const listed = receivers.filter((each) => group === "" || each.group === group);
  const detail = h("p", { class: "matrix-detail", role: "status" }, "Point at a cell, or use the arrow keys, to read the reply.");
  const title = scenarios.find((each) => each.name === chosen)?.title ?? "";
  const place = h("div", { class: "scroller matrix-place", tabindex: "0", role: "region", "aria-label": "Matrix" }, h("p", { class: "nothing" }, "The receivers judge…"));
  const fill = async () => {
    try {
      const { rows } = await api.get("/api/v1/matrix", { scenario: chosen, receiver: group === "" ? undefined : listed.map((each) => each.name).join(",") });
      place.replaceChildren(draw(rows, { link, scenario: chosen, tell: teller(api, chosen, detail) }));
    } catch (error) {
      if (!context.signal.aborted) place.replaceChildren(problem(error));
    }
  };
  return {
    title: `Matrix of ${chosen}`, fills: true,
    element: h("div", { class: "page" },
      h("div", { class: "toolbar" }, h("h1", {}, "Matrix"), h("label", { for: "matrix-scenario" }, "Scenario"), scenario,
        h("label", { for: "matrix-group" }, "Receivers"), groups, legend(), h("p", { class: "soft title" }, title)),
      detail, place),
    shown: fill,
  };
}

/** Describes a cell: its verdict at once, and the reply when the server has sent it. */
function teller(api, scenario, place) {
  let timer;
  return (text, { client, helo, receiver }) => {
    place.textContent = text;
    clearTimeout(timer);
    timer = setTimeout(async () => {
      try {
        const { judgements: [judged] } = await api.get("check", { scenario, receiver, helo, client_address: client });
        if (place.textContent === text) place.textContent = `${text}: ${judged.reply.join(" ")}`;
      } catch { /* The cell has told what it came to. */ }
    }, 150);
  };
}

const legend = () => h("p", { class: "legend" }, ["accept", "defer", "reject"].map((verdict) =>
  h("span", { class: verdict }, h("span", { class: `mark ${verdict}`, "aria-hidden": "true" }, MARKS[verdict]), ` ${WORDS[verdict]}`)));

/** Receivers are rows, and clients are columns, because receivers are many and their names are short. */
function draw(rows, { link, scenario, tell }) {
  const helos = [...new Set(rows.map((row) => row.helo))];
  const columns = helos.map((helo) => {
    const clients = rows.filter((row) => row.helo === helo).flatMap((row) => row.clients.map((client) => ({ client, row })));
    return { helo, clients: clients.sort((one, other) => compare(one.client, other.client)) };
  });
  const names = rows[0]?.cells.map((cell) => cell.receiver) ?? [];
  const head = h("thead", {}, h("tr", {}, h("th", { scope: "col", class: "corner" }, "Receiver"), columns.map(({ helo, clients }) =>
    h("th", { scope: "col", title: clients.map(({ client }) => client).join(", ") }, h("span", { class: "helo" }, breakable(helo)),
      h("span", { class: "soft" }, clients.length === 1 ? clients[0].client : count(clients.length, "address", "addresses"))))));
  const body = h("tbody", {}, names.map((name, at) => h("tr", {}, h("th", { scope: "row" }, name), columns.map(({ helo, clients }) =>
    h("td", {}, band(name, helo, clients.map(({ client, row }) => ({ client, cell: row.cells[at] })), { link, scenario, tell }))))));
  const table = h("table", { class: "matrix" }, head, body);
  walk(table);
  return table;
}

/** A name that can be broken after its dots. */
const breakable = (name) => name.split(".").flatMap((label, at) => (at === 0 ? [label] : [".", h("wbr"), label]));

/** With more clients than this, the clients of a HELO name are one band: one bar each, with a height for the verdict. */
const FEW = 12;

/** The cells of one HELO name at one receiver. */
function band(name, helo, cells, { link, scenario, tell }) {
  const all = cells.map(({ client, cell }) => ({
    verdict: cell.verdict, code: cell.code, ask: { client, helo, receiver: name },
    said: `${name}, ${client}: ${WORDS[cell.verdict]} with ${cell.code}${cell.rule ? `, rule ${cell.rule} at ${cell.stage}` : ""}`,
    href: link("what-if", { query: { client_address: client, helo, scenario, receiver: name } }),
  }));
  if (all.length > FEW) return bars(name, all, tell);
  return h("div", { class: all.length > 1 ? "band" : "single" }, all.map((each) => h("a", {
    class: `cell ${each.verdict}`, tabindex: "-1", "aria-label": each.said, title: each.said, href: each.href,
    onfocus: () => tell(each.said, each.ask), onmouseenter: () => tell(each.said, each.ask),
  }, MARKS[each.verdict], all.length === 1 && ` ${each.code}`)));
}

/** Many clients as bars of one link, which leads to the client selected by the arrow keys or the mouse. */
function bars(name, all, tell) {
  const tally = ["reject", "defer", "accept"].map((verdict) => [all.filter((each) => each.verdict === verdict).length, WORDS[verdict]]).filter(([number]) => number > 0);
  const summary = `${name}: ${tally.map(([number, word]) => `${number} of ${all.length} ${word}`).join(", ")}`;
  const spans = all.map((each) => h("span", { class: `bar ${each.verdict}` }));
  const element = h("a", { class: "cell bars", tabindex: "-1", href: all[0].href, "aria-label": summary }, spans);
  const choose = (at) => {
    spans.forEach((span, place) => span.classList.toggle("chosen", place === at));
    element.href = all[at].href;
    element.setAttribute("aria-label", `${summary}. ${all[at].said}`);
    tell(`${all[at].said} (${tally.map(([number, word]) => `${number} ${word}`).join(", ")})`, all[at].ask);
  };
  element.inner = { at: 0, length: all.length, choose };
  element.addEventListener("focus", () => choose(element.inner.at));
  element.addEventListener("mousemove", (event) => {
    const at = spans.indexOf(event.target);
    if (at >= 0 && at !== element.inner.at) {
      element.inner.at = at;
      choose(at);
    }
  });
  return element;
}

/** Arrow keys move from cell to cell; only one cell is in the Tab order. */
function walk(table) {
  const rows = [...table.tBodies[0].rows].map((row) => [...row.querySelectorAll("a.cell")]);
  if (!rows[0]?.[0]) return;
  let [down, across] = [0, 0];
  rows[0][0].tabIndex = 0;
  const move = (toDown, toAcross, focus) => {
    rows[down][across].tabIndex = -1;
    down = Math.min(rows.length - 1, Math.max(0, toDown));
    across = Math.min(rows[down].length - 1, Math.max(0, toAcross));
    rows[down][across].tabIndex = 0;
    if (focus) rows[down][across].focus();
  };
  table.addEventListener("keydown", (event) => {
    const to = {
      ArrowDown: [down + 1, across], ArrowUp: [down - 1, across], ArrowRight: [down, across + 1], ArrowLeft: [down, across - 1],
      Home: [down, 0], End: [down, rows[down].length - 1],
    }[event.key];
    if (!to) return;
    event.preventDefault();
    const inner = rows[down][across].inner;
    const within = inner && { ArrowRight: inner.at + 1, ArrowLeft: inner.at - 1 }[event.key];
    if (within !== undefined && within >= 0 && within < inner.length) {
      inner.at = within;
      inner.choose(within);
      return;
    }
    move(...to, true);
  });
  table.addEventListener("focusin", (event) => {
    const row = rows.findIndex((cells) => cells.includes(event.target));
    if (row >= 0) move(row, rows[row].indexOf(event.target), false);
  });
}

/** Sorts addresses by number. */
function compare(one, other) {
  const numbers = (text) => text.split(/[.:]/).map((part) => parseInt(part, text.includes(":") ? 16 : 10) || 0);
  const [a, b] = [numbers(one), numbers(other)];
  for (let at = 0; at < Math.max(a.length, b.length); at += 1) {
    if ((a[at] ?? 0) !== (b[at] ?? 0)) return (a[at] ?? 0) - (b[at] ?? 0);
  }
  return 0;
}
