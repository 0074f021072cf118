// From a bounce to its cause: the receiver and rule that give this reply, how to reproduce it, and what fixes it.
import { announce, copyable, copyButton, h, problem, section, terms } from "./dom.js";
import { count, mark } from "./format.js";

/** Longer texts do not go into the address: they are whole messages, which do not belong in the browser's history. */
const SHARED = 1500;
/** The number of matches that are shown in full; the others are listed. */
const WHOLE = 3;
/** The certainty of a match, in the words of `martinet find`. */
const SURE = {
  literal: ["literal", "text and codes are this receiver's"],
  words: ["same words", "codes or details differ, or other receivers use the same software"],
  kind: ["same kind", "only the reply code and the subject agree"],
};
const sure = ({ certainty }) => SURE[certainty]?.[0] ?? certainty;

/** The text that was pasted last, for returning from another view. */
let pasted = "";

export async function show(context) {
  const { query, go, signal } = context;
  const shared = query.get("text") ?? undefined;
  const place = h("div", { class: "found", "aria-live": "off" });
  const area = h("textarea", {
    class: "source", id: "bounce", rows: "5", spellcheck: "false", "data-filter": true, required: true, value: shared ?? pasted,
    placeholder: "550 5.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.10]",
  });
  const file = h("input", { type: "file", id: "bounce-file", accept: ".eml,.txt,.log,.json,message/rfc822,text/plain" });
  file.addEventListener("change", async () => {
    if (file.files[0]) area.value = await file.files[0].text();
  });
  const ask = async (text) => {
    place.replaceChildren(h("p", { class: "nothing" }, "Comparing it with the replies of all receivers…"));
    try {
      const found = await context.api.send("POST", "/api/v1/find", { text });
      place.replaceChildren(...answer(context, found));
      announce(found.matches.length === 0 ? "No receiver is known to give this reply" : `${found.matches[0].receiver}: ${sure(found.matches[0])}`);
    } catch (error) {
      if (!signal.aborted) place.replaceChildren(problem(error));
    }
  };
  const submit = (event) => {
    event.preventDefault();
    const text = area.value.trim();
    if (!text) return;
    pasted = area.value;
    if (text.length <= SHARED && text !== shared) go("bounce", { query: { text } });
    else ask(text);
  };
  const form = h("form", { class: "card bounce", onsubmit: submit },
    h("div", { class: "field" }, h("label", { for: area.id }, "A reply, a log line, or a whole bounce message"), area),
    h("div", { class: "inline-form" }, h("button", { class: "first" }, "Find the cause"),
      h("div", { class: "field" }, h("label", { for: file.id }, "Or read a file"), file),
      h("p", { class: "soft" }, "The text does not leave this server.")));
  area.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  return {
    title: "Bounce",
    element: h("div", { class: "page" }, h("div", { class: "toolbar" }, h("h1", {}, "Bounce"),
      shared && copyButton(() => location.href, "Copy the link")), form, place),
    shown: () => { if (shared) ask(shared); },
  };
}

function answer(context, found) {
  const { matches, nearest } = found;
  return [
    told(found.sent),
    matches.length === 0 && nothing(nearest),
    ...matches.slice(0, WHOLE).map((match, place) => whole(context, match, place)),
    matches.length > WHOLE && section("Other receivers with this reply", { id: "others" }, table(
      ["Receiver", "Rule", "Match", "Reply"], matches.slice(WHOLE).map((match) => [
        match.scenario ? h("a", { href: tried(context, match) }, match.receiver) : match.receiver, match.rule ?? "the SMTP server", sure(match), match.reply.join("\n"),
      ]))),
    matches.length > 0 && written(context, found),
  ].filter(Boolean);
}

/** The details of the refused message in the bounce. */
function told(sent) {
  const known = [["client address", sent.client], ["HELO name", sent.helo], ["sender", sent.sender], ["recipient", sent.recipient],
    ["refused by", sent.receiver], ["time", sent.time]];
  return known.some(([, value]) => value) && section("The refused message", { id: "sent" }, terms(known));
}

function nothing(nearest) {
  return section("No receiver is known to give this reply", { id: "nearest" },
    nearest.length === 0 ? h("p", {}, "A reply begins with a code such as 550. Paste the log line with the reply, or the whole bounce message.")
      : [h("p", {}, "The nearest replies:"), table(["Receiver", "Rule", "Why it is near", "Reply"], nearest.map((near) =>
        [near.receiver, near.rule ?? "the SMTP server", near.because, near.reply.join("\n")]))]);
}

function table(titles, rows) {
  return h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": titles[0] }, h("table", { class: "lookups" },
    h("thead", {}, h("tr", {}, titles.map((title) => h("th", { scope: "col" }, title)))),
    h("tbody", {}, rows.map(([first, ...others]) => h("tr", {}, h("th", { scope: "row" }, first), others.map((cell, at) => h("td", { class: at === others.length - 1 ? "lines" : "word" }, cell)))))));
}

const tried = ({ link }, match) => link("what-if", { query: { client_address: match.client, helo: match.helo, scenario: match.scenario, receiver: match.receiver } });

/** One match: receiver, certainty, rule, how to reproduce it, and what fixes it. */
function whole(context, match, place) {
  const verdict = match.reply[0]?.startsWith("4") ? "defer" : "reject";
  const remedies = match.remedies.map((remedy) => h("li", {}, remedy.text));
  return h("section", { class: "card match", "aria-label": match.receiver, id: `match-${place + 1}` },
    h("div", { class: "card-head" }, h("h2", {}, mark(verdict), " ", match.receiver, h("span", { class: "soft" }, ` ${match.title}`)),
      h("span", { class: "badge" }, sure(match))),
    h("pre", { class: `reply ${verdict}`, "aria-label": "The reply; braces mark the parts that vary" }, match.reply.join("\n")),
    terms([["match", SURE[match.certainty]?.join(": ")], ["rule", match.rule ?? "the SMTP server itself"], ["requires", match.requires], ["stage", match.stage],
      ["occasion", match.temporary ? "a temporary DNS failure" : ""], ["era", match.era], ["texts", match.confidence && `confidence ${match.confidence}`]]),
    match.scenario ? [
      h("h3", {}, "How to reproduce it"),
      terms([["scenario", match.scenario], ["client address", match.client], ["HELO name", match.helo]]),
      h("p", {}, h("a", { href: tried(context, match), "aria-label": `Picture: ${match.receiver}` }, "Show the picture")),
      h("ol", { class: "commands" }, match.commands.map((command, at) => h("li", {}, copyable(command, `command ${at + 1} of ${match.receiver}`)))),
    ] : h("p", { class: "soft" }, "No built-in scenario reproduces it."),
    remedies.length > 0 && [h("h3", {}, "What would fix it"), h("ol", { class: "remedies" }, remedies)],
    h("details", {}, h("summary", {}, "As an expectation, with the sources of the reply text"),
      h("div", { class: "code" }, copyButton(match.test, "Copy", `Copy the expectation of ${match.receiver}`), h("pre", { tabindex: "0", "aria-label": "Expectation" }, match.test)),
      match.sources.length > 0 && h("ul", {}, match.sources.map((source) => h("li", {}, source)))));
}

/** A scenario with the client, HELO name and sender of the bounce. */
function written(context, { scenario, matches }) {
  const result = h("div", {});
  const start = async () => {
    try {
      const world = await context.api.send("POST", "/api/v1/worlds", { scenario, receiver: matches[0].receiver });
      location.hash = `#/world/${encodeURIComponent(world.name)}/sessions`;
    } catch (error) {
      result.replaceChildren(problem(error));
    }
  };
  return section("As a scenario, with the client and the sender of the bounce", {
    id: "scenario", tools: [copyButton(scenario, "Copy", "Copy the scenario"), h("button", { type: "button", class: "small", onclick: start }, "Start a world with it")],
  }, h("details", {}, h("summary", {}, `Show ${count(scenario.trimEnd().split("\n").length, "line")}`), h("pre", { tabindex: "0", "aria-label": "Scenario" }, scenario)), result);
}
