// One session: why it was refused, the dialogue, the DNS answers, and what would fix it.
import { copyButton, h, problem, section, tabs, terms, unseen } from "./dom.js";
import { tests } from "./copy.js";
import { dialogue, moments } from "./dialogue.js";
import { MARKS, mark, outcome, path, span, time, verdictOf, WORDS } from "./format.js";
import { parts } from "./picture.js";
import { remedies, stripPlace } from "./remedies.js";

/** Time before the connection from which a sender's queries count as part of the session. */
const BEFORE = 5000;

export async function show(context) {
  const { api, id, signal, live } = context;
  const place = h("div", { class: "page session" });
  let drawn;
  const draw = async () => {
    const session = await api.get(`sessions/${encodeURIComponent(id)}`);
    const [page, events, scenario, receiver, queries] = await Promise.all([
      api.text(`sessions/${session.id}/picture`), api.get("events", { session: session.id, limit: 1000 }),
      api.get("scenario"), api.get("receiver"), own(api, session)]);
    if (signal.aborted) return;
    drawn = session;
    place.replaceChildren(...view(context, session, { page, events: events.events, scenario, receiver, queries }));
  };
  await draw();
  let timer;
  if (!drawn.ended) {
    live(["command", "reply", "verdict", "closed"], (event) => {
      if (event.session !== drawn.id) return;
      timer ??= setTimeout(async () => {
        timer = undefined;
        try { await draw(); } catch (error) { if (!signal.aborted) place.append(problem(error)); }
      }, 300);
    });
  }
  const back = (event) => {
    if (event.key === "Escape" && !event.target.matches("input, textarea, select") && !document.querySelector("dialog[open]")) context.go("sessions");
  };
  addEventListener("keydown", back, { signal });
  return { title: `Session ${drawn.id}`, element: place };
}

/** The DNS queries from the session's peer, during the session and shortly before. */
async function own(api, session) {
  const since = new Date(new Date(session.started) - BEFORE).toISOString();
  const found = await api.get("dns/queries", { since, limit: 200, client_address: session.peer.replace(/:\d+$/, "").replace(/[[\]]/g, "") });
  return found.queries.filter((query) => !session.ended || query.at <= session.ended);
}

function view(context, session, { page, events, scenario, receiver, queries }) {
  const picture = parts(page);
  const setting = { scenario: scenario.name, receiver: session.receiver ?? receiver.name, recipient: `postmaster@${scenario.domains[0] ?? "example.test"}` };
  const strip = stripPlace(picture);
  const spf = picture.spf.length > 0 && section("SPF", { id: "spf" }, h("div", { class: "spf" }, picture.spf));
  return [
    headline(context, session, picture),
    strip.element,
    h("div", { class: "columns" },
      h("div", { class: "column" },
        section("Dialogue", { id: "dialogue", tools: [h("span", { class: "soft" }, h("kbd", {}, "↑"), " ", h("kbd", {}, "↓"), " step"),
          copyButton(() => transcript(session), "Copy", "Copy the dialogue")] }, dialogue(session, moments(session, events, queries))),
        session.transactions.length > 0 && transactions(context, session)),
      h("div", { class: "column" },
        session.refusals.length > 0 && remedies(context, session, strip),
        spf,
        section("What the receiver asked DNS", { id: "evidence" }, evidence(session.evidence ?? [])),
        section("Facts", { id: "facts" }, facts(session.facts ?? {})),
        section("Copy as a test", { id: "copy" }, tabs("Language", tests(session, setting).map((test) => ({
          id: test.id, title: test.title,
          make: () => h("div", { class: "code" }, copyButton(test.text, "Copy", `Copy as ${test.title}`), h("pre", { tabindex: "0", "aria-label": test.title }, test.text)),
        })))),
        section("Raw JSON", { id: "raw", tools: [copyButton(() => JSON.stringify(session, null, 2), "Copy", "Copy the JSON"),
          h("a", { href: api(context, session) }, "Open")] },
        h("details", {}, h("summary", {}, "Show"), h("pre", { tabindex: "0", "aria-label": "JSON" }, JSON.stringify(session, null, 2)))))),
  ];
}

const api = (context, session) => context.api.url(`sessions/${session.id}`);

function headline(context, session, picture) {
  const verdict = verdictOf(session);
  const from = session.client_source === "socket" ? "" : ` (${session.client_source}; the socket is ${session.peer})`;
  const step = (id, title, sign) => h("a", { class: "button small", href: context.link("sessions", { id }), "aria-label": title }, sign);
  return h("header", { class: `headline ${verdict}` },
    h("div", { class: "crumbs" }, h("a", { href: context.link("sessions") }, "Sessions"), h("span", { "aria-hidden": "true" }, " / "), `Session ${session.id}`,
      h("span", { class: "tools" },
        session.id > 1 && step(session.id - 1, "Previous session", "‹"), step(session.id + 1, "Next session", "›"),
        h("a", { class: "button small", href: `${api(context, session)}/picture`, target: "_blank", rel: "noopener" }, "Print", unseen(", in a new tab")))),
    h("h1", {}, h("span", { class: `mark ${verdict}`, "aria-hidden": "true" }, MARKS[verdict] ?? "…"), " ",
      picture.sentence || WORDS[verdict] || "It runs"),
    session.reply.length > 0 && h("pre", { class: "reply", "aria-label": "The decisive reply" }, session.reply.join("\n")),
    terms([
      ["time", [time(session.started), session.ended ? `, ${span(session.started, session.ended)}` : ", running"]],
      ["client address", session.client_address + from], ["HELO name", session.helo],
      ["rule", session.rule && h("a", { href: context.link("sessions", { query: { rule: session.rule } }), title: "Sessions that this rule refused" }, session.rule)],
      ["stage", session.stage], ["refused by", session.source !== "rule" ? session.source : undefined],
      ["code", outcome(session)], ["receiver", session.receiver], ["allowed", session.allowed],
      ["closed by", session.closed_by],
    ]));
}

const transcript = (session) => session.transcript.map((line) => `${line.from === "client" ? "C" : "S"}: ${line.text}`).join("\n");

function transactions(context, session) {
  return section("Transactions", { id: "transactions" }, h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Transactions" },
    h("table", {}, h("thead", {}, h("tr", {}, ["Verdict", "Sender", "Recipients", "Reply", "Message"].map((title) => h("th", { scope: "col" }, title)))),
      h("tbody", {}, session.transactions.map((each) => h("tr", {},
        h("td", {}, mark(each.verdict)),
        h("td", {}, path(each.sender)),
        h("td", {}, (each.recipients).map(path).join(", ")),
        h("td", {}, each.reply.join(" ")),
        h("td", {}, each.message && h("a", { href: context.link("mail", { id: each.message }) }, `Message ${each.message}`))))))));
}

function evidence(lookups) {
  if (lookups.length === 0) return h("p", { class: "soft" }, "The receiver sent no DNS queries.");
  return h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Lookups" }, h("table", { class: "lookups" },
    h("thead", {}, h("tr", {}, ["Name", "Type", "Answer"].map((title) => h("th", { scope: "col" }, title)))),
    h("tbody", {}, lookups.map((lookup) => h("tr", {}, h("td", {}, lookup.name), h("td", {}, lookup.type),
      h("td", {}, answer(lookup), lookup.fault && h("span", { class: "fault" }, ` fault: ${lookup.fault}`)))))));
}

/** The records; of many records the first ones, and the rest folded. */
function answer(lookup) {
  if (lookup.answers.length === 0) return h("strong", { class: "soft" }, lookup.outcome.toUpperCase());
  if (lookup.answers.length <= 4) return lookup.answers.map((record) => h("div", {}, record));
  return [lookup.answers.slice(0, 3).map((record) => h("div", {}, record)),
    h("details", {}, h("summary", {}, `and ${lookup.answers.length - 3} more`), lookup.answers.slice(3).map((record) => h("div", {}, record)))];
}

/** Facts as nested lists; empty and false values are folded. */
function facts(all) {
  const telling = ([, value]) => value !== false && value !== "" && value !== 0 && !(Array.isArray(value) && value.length === 0);
  const shown = (value) => {
    if (Array.isArray(value)) {
      if (value.every((each) => typeof each !== "object")) {
        return value.length > 6 ? `${value.slice(0, 6).join(", ")} and ${value.length - 6} more` : value.join(", ");
      }
      const items = value.slice(0, 6).map((each) => h("li", {}, shown(each)));
      return h("ul", {}, items, value.length > 6 && h("li", { class: "soft" }, `and ${value.length - 6} more`));
    }
    if (value !== null && typeof value === "object") {
      return terms(Object.entries(value).filter(telling).map(([key, each]) => [key.replaceAll("_", " "), shown(each)]));
    }
    return String(value === true ? "yes" : value);
  };
  return h("div", { class: "facts" }, shown(all));
}
