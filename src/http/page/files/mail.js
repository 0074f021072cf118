// The accepted messages, newest first.
import { h, problem } from "./dom.js";
import { format, parse } from "./filter.js";
import { count, octets, path, time } from "./format.js";
import { LogList } from "./list.js";

const COLUMNS = [
  { title: "#", kind: "num" }, { title: "Time", kind: "time" }, { title: "Sender", kind: "sender" },
  { title: "Recipients", kind: "recipients" }, { title: "Subject", kind: "subject" }, { title: "Size", kind: "size" },
  { title: "Session", kind: "of" },
];

export async function show({ api, query, link, go, live, signal }) {
  const chosen = Object.fromEntries(query);
  const number = h("p", { class: "count" });
  const nothing = h("p", { class: "nothing", hidden: true });
  const mistake = h("div", {});
  const list = new LogList({
    api, path: "mail", key: "mail", query: chosen, name: "Messages", columns: COLUMNS,
    row: (message) => cells(message, link, subjects),
    counted: (messages, whole) => {
      number.textContent = `${count(messages, "message")}${whole ? "" : " and more"}`;
      nothing.hidden = messages > 0;
      nothing.textContent = list.filtered ? "No message matches." : "No message yet. A message appears here when the receiver acknowledges its final dot.";
    },
  });
  const subjects = new Subjects(api, list);
  const element = h("div", { class: "page" },
    h("div", { class: "toolbar" }, h("h1", {}, "Mail"), number, filterLine(chosen, go)), mistake, nothing, list.element);
  try {
    await list.load();
  } catch (error) {
    if (signal.aborted) throw error;
    mistake.replaceChildren(problem(error));
  }
  signal.addEventListener("abort", () => list.observer.disconnect());
  live(["message", "changed"], (event) => {
    if (event.event === "message") list.happened(event.message);
    else if (event.event === "gap" || event.what === "reset") list.happened(undefined);
  });
  return { title: "Mail", element, fills: true, shown: () => list.draw() };
}

function cells(message, link, subjects) {
  const recipients = message.recipients.map(path).join(", ");
  const subject = h("div", { class: "subject" });
  subjects.tell(message.id, subject);
  return [
    h("div", { class: "num" }, h("a", { class: "open", href: link("mail", { id: message.id }), "aria-label": `Message ${message.id}` }, String(message.id))),
    h("div", { class: "time" }, time(message.at)),
    h("div", { class: "sender", title: message.sender }, path(message.sender)),
    h("div", { class: "recipients", title: recipients }, recipients),
    subject,
    h("div", { class: "size" }, octets(message.octets)),
    h("div", { class: "of" }, h("a", { href: link("sessions", { id: message.session }), tabindex: "-1" }, `session ${message.session}`)),
  ];
}

/** The subjects of the visible messages, read from the messages on request. */
class Subjects {
  constructor(api) {
    this.api = api;
    this.known = new Map();
    this.waiting = new Map();
  }

  tell(id, place) {
    if (this.known.has(id)) {
      place.textContent = place.title = this.known.get(id);
      return;
    }
    this.waiting.set(id, place);
    this.timer ??= setTimeout(() => this.#ask(), 30);
  }

  async #ask() {
    this.timer = undefined;
    const wanted = [...this.waiting].filter(([, place]) => place.isConnected);
    this.waiting.clear();
    await Promise.all(wanted.map(async ([id, place]) => {
      try {
        const { subject } = await this.api.get(`mail/${id}/content`);
        this.known.set(id, subject);
        place.textContent = place.title = subject;
      } catch { /* It was dropped meanwhile, or the view has ended. */ }
    }));
    if (this.known.size > 20000) this.known.clear();
  }
}

function filterLine(chosen, go) {
  const input = h("input", {
    type: "search", "data-filter": true, "aria-label": "Filter", autocomplete: "off", spellcheck: "false",
    value: format(chosen), placeholder: "Filter, such as recipient:b@contoso.test session:12", title: "recipient, sender, session, since",
  });
  const submit = (event) => {
    event.preventDefault();
    go("mail", { query: parse(input.value, (word) => (/^\d+$/.test(word) ? "session" : "recipient")) });
  };
  input.addEventListener("search", submit);
  return h("form", { class: "filter", role: "search", onsubmit: submit }, input);
}
