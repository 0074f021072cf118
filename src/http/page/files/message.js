// One message: content, source, parts, and its session.
import { copyButton, h, section, tabs, terms } from "./dom.js";
import { count, mark, octets, outcome, path, time, verdictOf } from "./format.js";

export async function show(context) {
  const { api, id, link, query, signal } = context;
  const message = await api.get(`mail/${encodeURIComponent(id)}`);
  const [content, session] = await Promise.all([
    api.get(`mail/${message.id}/content`), api.get(`sessions/${message.session}`).catch(() => undefined)]);
  const url = (part) => api.url(`mail/${message.id}/${part}`);
  const step = (to, title, sign) => h("a", { class: "button small", href: link("mail", { id: to }), "aria-label": title }, sign);
  const element = h("div", { class: "page message" },
    h("header", { class: "headline accept" },
      h("div", { class: "crumbs" }, h("a", { href: link("mail") }, "Mail"), h("span", { "aria-hidden": "true" }, " / "), `Message ${message.id}`,
        h("span", { class: "tools" }, message.id > 1 && step(message.id - 1, "Previous message", "‹"), step(message.id + 1, "Next message", "›"),
          h("a", { class: "button small", href: url("raw"), download: "" }, "Download"))),
      h("h1", {}, content.subject || "(no subject)"),
      terms([["from", content.from.join(", ")], ["to", content.to.join(", ")], ["cc", content.cc.join(", ")],
        ["date", content.date && time(content.date)], ["accepted", time(message.at)], ["size", octets(message.octets)]])),
    h("div", { class: "columns" },
      h("div", { class: "column" }, section("Message", { id: "content" }, tabs("Message", [
        content.html && { id: "html", title: "HTML", make: () => frame(url("html"), content.subject) },
        { id: "text", title: "Text", make: () => h("pre", { class: "text", tabindex: "0", "aria-label": "Text" }, content.text || "(empty)") },
        { id: "headers", title: `Headers (${content.fields.length})`, make: () => fields(content.fields) },
        { id: "source", title: "Source", make: () => source(context, message.id) },
        content.parts.length > 0 && { id: "parts", title: `Attachments (${content.parts.length})`, make: () => parts(content.parts, url) },
      ].filter(Boolean), query.get("show") ?? undefined, (chosen) => context.note({ show: chosen })))),
      h("div", { class: "column" },
        section("Envelope", { id: "envelope" }, terms([["sender", path(message.sender)], ["recipients", message.recipients.map(path).join(", ")]]),
          message.parameters?.length > 0 && terms([["MAIL parameters", message.parameters.join(" ")]])),
        session && beside(context, session))));
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.target.matches("input, textarea, select") && !document.querySelector("dialog[open]")) context.go("mail");
  }, { signal });
  return { title: `Message ${message.id}`, element };
}

/** The HTML of the message, in a frame that only shows it: the server cleans it, and its policy forbids scripts. */
function frame(url, subject) {
  return h("iframe", { class: "mail-html", sandbox: "allow-popups allow-popups-to-escape-sandbox", src: url, title: `The message ${subject}`, referrerpolicy: "no-referrer" });
}

function fields(all) {
  return h("table", { class: "lookups" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Field"), h("th", { scope: "col" }, "Value"))),
    h("tbody", {}, all.map(({ name, value }) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, value)))));
}

/** Longer sources are cut off; the whole message can be downloaded. */
const SHOWN = 200000;

function source(context, id) {
  const place = h("pre", { class: "text", tabindex: "0", "aria-label": "Source" }, "…");
  context.api.text(`mail/${id}/raw`).then((text) => {
    place.textContent = text.length > SHOWN ? `${text.slice(0, SHOWN)}\n… ${count(text.length - SHOWN, "further character")}: download the message` : text;
  }, (error) => { place.textContent = error.message; });
  return h("div", {}, h("div", { class: "tools" }, copyButton(() => place.textContent, "Copy", "Copy the source")), place);
}

function parts(all, url) {
  return h("table", {}, h("thead", {}, h("tr", {}, ["Name", "Type", "Size", "SHA-256"].map((title) => h("th", { scope: "col" }, title)))),
    h("tbody", {}, all.map((part) => h("tr", {},
      h("td", {}, h("a", { href: url(`parts/${part.id}`), download: "" }, part.file_name || `part ${part.id}`), part.inline && h("span", { class: "soft" }, " (inline)")),
      h("td", {}, part.content_type), h("td", {}, octets(part.octets)), h("td", { class: "hash", title: part.sha256 }, `${part.sha256.slice(0, 16)}…`)))));
}

function beside(context, session) {
  const verdict = verdictOf(session);
  return section(`Session ${session.id}`, { tools: [h("a", { href: context.link("sessions", { id: session.id }) }, "Open")] },
    terms([["verdict", [mark(verdict), outcome(session)]], ["client address", session.client_address], ["HELO name", session.helo], ["rule", session.rule]]),
    h("pre", { class: "text", tabindex: "0", "aria-label": "Dialogue" }, session.transcript.map((line) => `${line.from === "client" ? "C" : "S"}: ${line.text}`).join("\n")));
}
