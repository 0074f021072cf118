// Sessions as they happen, newest first.
import { announce, copyable, h, problem } from "./dom.js";
import { format, ofSessions, parse } from "./filter.js";
import { count, mark, MARKS, outcome, path, reachable, time, verdictOf, WORDS } from "./format.js";
import { LogList } from "./list.js";

const COLUMNS = [
  { title: "#", kind: "num" }, { title: "Verdict", kind: "verdict" }, { title: "Time", kind: "time" },
  { title: "Client address", kind: "client" }, { title: "HELO name", kind: "helo" }, { title: "Reply", kind: "code" },
  { title: "Rule", kind: "rule" }, { title: "Stage", kind: "stage" }, { title: "Envelope", kind: "envelope" },
  { title: "Receiver", kind: "receiver" },
];
/** The rules seen so far, as suggestions of the filter. */
const rules = new Set();

export async function show({ api, query, link, go, live, signal }) {
  const chosen = Object.fromEntries(query);
  const number = h("p", { class: "count" });
  const list = new LogList({
    api, path: "sessions", key: "sessions", query: chosen, name: "Sessions", columns: COLUMNS, keep: outline,
    row: (session) => cells(session, link),
    counted: (sessions, whole) => {
      number.textContent = `${count(sessions, "session")}${whole ? "" : " and more"}`;
      element.classList.toggle("is-empty", sessions === 0 && !list.filtered);
      nothing.hidden = sessions > 0 || !list.filtered;
    },
  });
  const nothing = h("p", { class: "nothing", hidden: true }, "No session matches. ", h("a", { href: link("sessions") }, "Show all"));
  const mistake = h("div", {});
  const guide = h("div", { class: "guide-place" });
  const element = h("div", { class: "page" },
    h("div", { class: "toolbar" }, h("h1", {}, "Sessions"), number, verdicts(chosen, link), filterLine(chosen, go)),
    mistake, guide, nothing, list.element);
  try {
    await list.load();
  } catch (error) {
    if (signal.aborted) throw error;
    mistake.replaceChildren(problem(error));
  }
  guide.append(await emptyState(api));
  signal.addEventListener("abort", () => list.observer.disconnect());
  live(["connection", "verdict", "message", "closed", "changed"], (event) => {
    if (event.event === "gap" || (event.event === "changed" && event.what === "reset")) list.happened(undefined);
    else if (event.session) list.happened(event.session);
    if (event.event === "verdict") told(event);
  });
  return { title: "Sessions", element, fills: true, shown: () => list.draw() };
}

/** Only the fields that a row needs, because many rows are kept. */
function outline(session) {
  const refusal = session.refusals?.[0];
  if (session.rule) rules.add(session.rule);
  return {
    id: session.id, started: session.started, ended: session.ended, client: session.client_address, helo: session.helo,
    verdict: session.verdict, code: session.code, rule: session.rule, source: session.source, stage: session.stage,
    sender: session.sender, recipients: session.recipients.slice(0, 2),
    more: Math.max(0, session.recipients.length - 2), receiver: session.receiver, reply: session.reply[0],
    refusals: refusal ? [{ enhanced: refusal.enhanced }] : [],
  };
}

function cells(session, link) {
  const envelope = session.recipients.length > 0 || session.sender
    ? `${path(session.sender)} → ${session.recipients.map(path).join(", ")}${session.more ? ` and ${session.more} more` : ""}` : "";
  const rule = session.rule ?? (session.source && session.source !== "rule" ? session.source : "");
  return [
    h("div", { class: "num" }, h("a", { class: "open", href: link("sessions", { id: session.id }),
      "aria-label": `Session ${session.id}` }, String(session.id))),
    h("div", { class: "verdict" }, mark(verdictOf(session)), h("span", { class: "word", "aria-hidden": "true" },
      WORDS[verdictOf(session)] ?? "running")),
    h("div", { class: "time" }, time(session.started)),
    h("div", { class: "client" }, session.client),
    h("div", { class: "helo", title: session.helo }, session.helo),
    h("div", { class: "code", title: session.reply }, outcome(session)),
    h("div", { class: "rule" }, rule),
    h("div", { class: "stage" }, session.stage),
    h("div", { class: "envelope", title: envelope }, envelope),
    h("div", { class: "receiver" }, session.receiver),
  ];
}

/** The verdicts as links; each filter is an address. */
function verdicts(chosen, link) {
  const { verdict, ...rest } = chosen;
  const choice = (value, title) => h("a", {
    href: link("sessions", { query: value ? { ...rest, verdict: value } : rest }),
    "aria-current": (verdict ?? "") === value ? "true" : undefined,
    "aria-label": title,
  }, value && h("span", { class: `mark ${value}`, "aria-hidden": "true" }, MARKS[value]), h("span", { class: "word" }, title));
  return h("nav", { class: "segments", "aria-label": "Verdict" }, choice("", "All"), choice("reject", "Rejected"),
    choice("defer", "Deferred"), choice("accept", "Accepted"));
}

function filterLine(chosen, go) {
  const input = h("input", {
    type: "search", "data-filter": true, "aria-label": "Filter", autocomplete: "off", spellcheck: "false",
    value: format(chosen), placeholder: "Filter, such as 192.0.2.0/24 550 rule:iprev helo:mail.example.test",
    title: "client_address, helo, verdict, transaction, rule, source, stage, code, enhanced, sender, recipient, since",
  });
  const submit = (event) => {
    event.preventDefault();
    go("sessions", { query: parse(input.value, ofSessions(rules)) });
  };
  input.addEventListener("search", submit);
  return h("form", { class: "filter", role: "search", onsubmit: submit }, input);
}

/** Announces new refusals, a few at a time. */
let untold = 0;
let telling;
function told(event) {
  untold += 1;
  telling ??= setTimeout(() => {
    announce(untold === 1 ? `Session ${event.session}: ${WORDS[event.verdict]}${event.rule ? ` by ${event.rule}` : ""}`
      : `${untold} new refusals`);
    untold = 0;
    telling = undefined;
  }, 2000);
}

/** Instructions for a world without sessions. */
async function emptyState(api) {
  const name = encodeURIComponent(api.world);
  const [world, scenario, receiver] = await Promise.all([
    api.get(`/api/v1/worlds/${name}`), api.get("scenario"), api.get("receiver")]);
  const client = scenario.clients[0] ?? { address: "192.0.2.10", helo: "mail.example.test" };
  const recipient = `postmaster@${scenario.domains[0] ?? "example.test"}`;
  const smtp = reachable(world.smtp);
  const [host, port] = [reachable(world.dns).replace(/:\d+$/, ""), world.dns.split(":").at(-1)];
  const item = (title, command) => h("li", {}, h("p", {}, title), copyable(command, `the command: ${title}`));
  return h("section", { class: "guide", "aria-labelledby": "guide-title" },
    h("h2", { id: "guide-title" }, "No session yet"),
    h("p", {}, "Point your sender at these two addresses. Each connection appears here, with the reason of every refusal."),
    h("div", { class: "pair" },
      h("div", {}, h("h3", {}, "Send mail to (SMTP)"), copyable(smtp, "the SMTP address")),
      h("div", {}, h("h3", {}, "Look names up at (DNS)"), copyable(reachable(world.dns), "the DNS address"))),
    h("h3", {}, "Or try a command"),
    h("ol", {},
      item("Send as a client of the scenario", `martinet send --smtp ${smtp} --client ${client.address} --helo ${client.helo} --to ${recipient}`),
      item("The same with swaks", `swaks --server ${smtp} --ehlo ${client.helo} --from sender@example.test --to ${recipient}`),
      item("Query the DNS of the scenario", `dig @${host} -p ${port} -x ${client.address}`)),
    h("p", { class: "soft" }, "Scenario ", h("code", {}, scenario.name), ": ", scenario.title, ". Receiver ",
      h("code", {}, receiver.name), ": ", receiver.title, "."));
}
