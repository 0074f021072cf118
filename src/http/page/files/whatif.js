// What if: a client, a HELO name, a sender and a recipient against one receiver or all of them. The address of the view
// has all parameters, so that it can be shared.
import { copyButton, h, problem, section, terms } from "./dom.js";
import { mark, MARKS, WORDS } from "./format.js";
import { parts } from "./picture.js";

const KEYS = ["client_address", "helo", "sender", "recipient", "scenario", "receiver"];

export async function show(context) {
  const { api, query, go } = context;
  const asked = Object.fromEntries(KEYS.map((key) => [key, query.get(key) ?? ""]));
  const [world, { scenarios }, { receivers }, receiver] = await Promise.all([
    api.get("scenario"), api.get("/api/v1/scenarios"), api.get("/api/v1/receivers"), api.get("receiver")]);
  const form = question(asked, { world, scenarios, receivers, receiver }, (chosen) => go("what-if", { query: chosen }));
  const place = h("div", {}, h("p", { class: "nothing" }, "Shows what a receiver would reply, without sending mail."));
  if (asked.helo) {
    try {
      place.replaceChildren(...(asked.receiver === "all" ? await row(context, asked) : await one(context, asked)));
    } catch (error) {
      place.replaceChildren(problem(error));
    }
  }
  return {
    title: "What if",
    element: h("div", { class: "page" }, h("div", { class: "toolbar" }, h("h1", {}, "What if"),
      asked.helo && copyButton(() => location.href, "Copy the link")), form, place),
  };
}

function question(asked, { world, scenarios, receivers, receiver }, ask) {
  const client = world.clients[0] ?? { address: "192.0.2.10", helo: "mail.example.test" };
  const known = (id, all) => h("datalist", { id }, [...new Set(all)].slice(0, 200).map((value) => h("option", { value })));
  const input = (id, placeholder, more = {}) => h("input", { id, name: id, value: asked[id], placeholder, autocomplete: "off", spellcheck: "false", ...more });
  const option = (value, text = value) => h("option", { value }, text);
  const scenario = h("select", { id: "scenario" }, option("", `the world's (${world.name})`), scenarios.map((each) => option(each.name)));
  scenario.value = asked.scenario;
  const whom = h("select", { id: "receiver" }, option("", `the world's (${receiver.name})`), option("all", "all of them"),
    ["generic", "software", "operator"].map((group) => h("optgroup", { label: group }, receivers.filter((each) => each.group === group).map((each) => option(each.name)))));
  // Earlier texts (`gmail@2016`) have no entry of their own in the list.
  if (asked.receiver && ![...whom.options].some((each) => each.value === asked.receiver)) whom.append(option(asked.receiver));
  whom.value = asked.receiver;
  const field = (label, element, more = "") => h("div", { class: `field ${more}` }, h("label", { for: element.id }, label), element);
  const fields = {
    client_address: input("client_address", client.address, { list: "known-clients", "data-filter": true }),
    helo: input("helo", client.helo, { list: "known-helos", required: true }),
    sender: input("sender", "sender@example.test"), recipient: input("recipient", `postmaster@${world.domains[0] ?? "example.test"}`),
    scenario, receiver: whom,
  };
  return h("form", { class: "card question", onsubmit: (event) => {
    event.preventDefault();
    ask(Object.fromEntries(Object.entries(fields).map(([key, element]) => [key, element.value.trim()])));
  } },
  field("Client address", fields.client_address), field("HELO name", fields.helo, "long"), field("Sender", fields.sender), field("Recipient", fields.recipient),
  field("Scenario", fields.scenario), field("Receiver", fields.receiver),
  known("known-clients", world.clients.map((each) => each.address)), known("known-helos", world.clients.map((each) => each.helo)),
  h("div", { class: "field" }, h("button", { class: "first" }, "Ask")));
}

/** One receiver: the picture, and the effect of each remedy. */
async function one({ api }, asked) {
  const [html, { judgements: [judged] }] = await Promise.all([api.text("check/picture", asked), api.get("check", asked)]);
  const picture = parts(html);
  return [
    h("header", { class: `headline ${judged.verdict}` },
      h("h2", { class: "sentence" }, h("span", { class: `mark ${judged.verdict}`, "aria-hidden": "true" }, MARKS[judged.verdict]), " ", picture.sentence),
      h("pre", { class: "reply", "aria-label": "The decisive reply" }, judged.reply.join("\n")),
      terms([["rule", judged.rule], ["stage", judged.stage], ["allowed", judged.allowed]])),
    section("What the client claims, and what DNS answers", {}, h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Identity strip" }, picture.strip), picture.words),
    picture.spf.length > 0 && section("SPF", {}, h("div", { class: "spf" }, picture.spf)),
    picture.remedies.length > 0 && section("What would fix it", { id: "remedies" }, h("div", { class: "drawn" }, picture.remedies)),
  ].filter(Boolean);
}

/** All receivers: the row of the matrix, and the replies below it. */
async function row({ api, link }, asked) {
  const { judgements } = await api.get("check", asked);
  const tally = ["reject", "defer", "accept"].map((verdict) => [verdict, judgements.filter((each) => each.verdict === verdict).length]);
  const to = (judged) => link("what-if", { query: { ...asked, receiver: judged.receiver } });
  return [
    section("All receivers", {},
      h("p", {}, tally.map(([verdict, number]) => [mark(verdict), ` ${number} ${WORDS[verdict]}  `])),
      h("div", { class: "band", role: "group", "aria-label": "Receivers" }, judgements.map((judged) => h("a", {
        class: `cell ${judged.verdict}`, href: to(judged), title: `${judged.receiver}: ${judged.reply[0]}`,
        "aria-label": `${judged.receiver}: ${WORDS[judged.verdict]}, ${judged.reply[0]}`,
      }, MARKS[judged.verdict])))),
    section("Replies", {}, h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Replies" }, h("table", { class: "lookups" },
      h("thead", {}, h("tr", {}, ["Receiver", "Verdict", "Rule", "Stage", "Reply"].map((title) => h("th", { scope: "col" }, title)))),
      h("tbody", {}, judgements.map((judged) => h("tr", {}, h("th", { scope: "row" }, h("a", { href: to(judged) }, judged.receiver)),
        h("td", {}, mark(judged.verdict)), h("td", { class: "word" }, judged.rule), h("td", { class: "word" }, judged.verdict === "accept" ? "" : judged.stage), h("td", { class: "lines" }, judged.reply.join("\n")))))))),
  ];
}
