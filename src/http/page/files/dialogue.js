// The dialogue: lines of client and receiver, with the receiver's lookups and the sender's queries in order of time.
// One line is selected; ↑ and ↓ select another.
import { h, unseen } from "./dom.js";
import { clock, stamp } from "./format.js";

const WHO = { client: "client", receiver: "receiver", lookup: "receiver asks DNS", query: "sender asks DNS", note: "martinet" };

/** The steps of a session, from its events, or from its transcript if the events are no longer kept. */
export function moments(session, events, queries) {
  const refused = new Set((session.refusals ?? []).flatMap((refusal) => refusal.reply));
  const told = events.map((event) => moment(event, refused)).filter(Boolean);
  const whole = events.some((event) => event.event === "connection");
  const lines = whole ? told : session.transcript.map((line) => ({
    at: line.at, who: line.from === "client" ? "client" : "receiver", text: line.text,
    refusal: line.from !== "client" && refused.has(line.text),
  }));
  const asked = queries.map((query) => ({
    at: query.at, who: "query", text: `${query.name} ${query.type}`, answer: query.answers.length > 0 ? query.answers : [query.rcode],
    fault: query.fault,
  }));
  const all = [...lines, ...asked].sort((one, other) => stamp(one.at) - stamp(other.at));
  let before = stamp(session.started);
  for (const each of all) {
    const waited = stamp(each.at) - before;
    if (each.who === "receiver" && waited > DELAY) each.took = waited;
    before = Math.max(before, stamp(each.at));
  }
  return all;
}

/** Longer times before a reply are shown as a delay, in milliseconds. */
const DELAY = 100;

function moment(event, refused) {
  const { at } = event;
  switch (event.event) {
    case "command": return { at, who: "client", text: event.text };
    case "reply": return { at, who: "receiver", text: event.text, refusal: refused.has(event.text) };
    case "lookup": return {
      at, who: "lookup", text: `${event.name} ${event.type}`, took: event.elapsed_ms, fault: event.fault,
      answer: event.answers.length > 0 ? event.answers : [event.outcome.toUpperCase()],
    };
    case "secured": return { at, who: "note", text: `TLS: ${event.suite}` };
    case "scripted": return { at, who: "note", text: `scripted: ${event.what}` };
    case "allowed": return { at, who: "note", text: `allowed: ${event.reason}` };
    case "closed": return { at, who: "note", text: `closed by ${event.closed_by}` };
    default: return undefined;
  }
}

export function dialogue(session, all) {
  const began = stamp(session.started);
  const longest = Math.max(1, ...all.map((each) => each.took ?? 0));
  const detail = h("div", { class: "step-detail", "aria-live": "off" });
  const rows = all.map((each, place) => row(each, began, longest, place));
  const list = h("ol", { class: "dialogue", role: "listbox", tabindex: "0", "aria-label": "Dialogue, line by line" }, rows);
  let at = Math.max(0, all.findIndex((each) => each.refusal));
  const choose = (place, scroll = true) => {
    rows[at]?.setAttribute("aria-selected", "false");
    at = Math.min(all.length - 1, Math.max(0, place));
    if (!rows[at]) return;
    rows[at].setAttribute("aria-selected", "true");
    list.setAttribute("aria-activedescendant", rows[at].id);
    detail.replaceChildren(...explain(all[at], began, at, all.length));
    if (scroll) rows[at].scrollIntoView({ block: "nearest" });
  };
  list.addEventListener("keydown", (event) => {
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose(to);
  });
  list.addEventListener("click", (event) => {
    const found = rows.indexOf(event.target.closest("[role=option]"));
    if (found >= 0) choose(found, false);
  });
  choose(at, false);
  return h("div", { class: "stepper" },
    h("div", { class: "dialogue-head", "aria-hidden": "true" }, ["ms", "client", "receiver", "DNS"].map((lane) => h("span", {}, lane))),
    list, detail);
}

function row(each, began, longest, place) {
  const text = h("span", { class: "said" },
    each.refusal && h("span", { class: "mark reject", "aria-hidden": "true" }, "✕ "),
    unseen(`${WHO[each.who]}: `), each.text,
    each.answer && h("span", { class: "answer" }, ` ${short(each.answer)}`),
    each.fault && h("span", { class: "fault" }, ` fault: ${each.fault}`),
    each.took > 0 && bar(each.took, longest));
  return h("li", { role: "option", id: `step-${place}`, "aria-selected": "false",
    class: `step ${each.who}${each.refusal ? " refusal" : ""}` },
  h("span", { class: "ms" }, (stamp(each.at) - began).toFixed(1)), text);
}

const short = (answer) => (answer.length > 2 ? `${answer.slice(0, 2).join(", ")} and ${answer.length - 2} more` : answer.join(", "));

function bar(took, longest) {
  const meter = h("progress", { class: "took", max: String(longest), value: took, "aria-label": "Time it took" });
  return [h("span", { class: "soft" }, ` ${took.toFixed(0)} ms `), meter];
}

/** All details of one line. */
function explain(each, began, at, length) {
  return [
    h("p", { class: "soft" }, `${at + 1} of ${length} · ${WHO[each.who]} · ${clock(each.at)} · ${(stamp(each.at) - began).toFixed(3)} ms`),
    h("pre", {}, [each.text, ...(each.answer ?? [])].join("\n")),
  ];
}
