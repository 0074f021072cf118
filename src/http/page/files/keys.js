// Keyboard: `g` and a letter open a view, `/` focuses the filter, `?` shows this help. Keys can be switched off (WCAG
// 2.1.4).
import { h } from "./dom.js";

const GO = { s: "sessions", m: "mail", d: "dns", w: "what-if", x: "matrix", b: "bounce", c: "setup", o: "worlds" };
const TITLES = { s: "Sessions", m: "Mail", d: "DNS", w: "What if", x: "Matrix", b: "Bounce", c: "Scenario", o: "Worlds" };
const OFF = "martinet.keys.off";

const off = () => localStorage.getItem(OFF) === "yes";
const writes = (element) => element.matches?.("input, textarea, select, [contenteditable]");

export function listenToKeys(go) {
  let pending = 0;
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || writes(event.target) || off()) return;
    if (document.querySelector("dialog[open]")) return;
    if (performance.now() - pending < 1500 && GO[event.key]) {
      pending = 0;
      event.preventDefault();
      go(GO[event.key]);
    } else if (event.key === "g") {
      pending = performance.now();
    } else if (event.key === "/") {
      const filter = document.querySelector("[data-filter]");
      if (filter) {
        event.preventDefault();
        filter.focus();
        filter.select?.();
      }
    } else if (event.key === "?") {
      event.preventDefault();
      help();
    }
  });
}

export function help() {
  const key = (text) => h("kbd", {}, text);
  const rows = [
    ...Object.entries(TITLES).map(([letter, title]) => [[key("g"), " ", key(letter)], title]),
    [[key("/")], "The filter"],
    [[key("↑"), " ", key("↓")], "Previous or next row, or line of the dialogue"],
    [[key("Page Up"), " ", key("Page Down"), " ", key("Home"), " ", key("End")], "Scroll the list"],
    [[key("Enter")], "Open the row"],
    [[key("Esc")], "Close this help, or return from a session or message to its list"],
    [[key("?")], "This"],
  ];
  const single = h("input", { type: "checkbox", id: "keys-on" });
  single.checked = !off();
  single.addEventListener("change", () => localStorage.setItem(OFF, single.checked ? "no" : "yes"));
  const dialog = h("dialog", { "aria-labelledby": "help-title" },
    h("h2", { id: "help-title" }, "Keys"),
    h("table", { class: "keys" }, h("tbody", {}, rows.map(([keys, what]) =>
      h("tr", {}, h("th", { scope: "row" }, keys), h("td", {}, what))))),
    h("p", {}, single, " ", h("label", { for: "keys-on" }, "Use letters as keys")),
    h("p", { class: "soft" }, "This page only uses the API at ", h("code", {}, "/api/v1"), "; ",
      h("a", { href: "/api/openapi.json" }, "its description"), "."),
    h("form", { method: "dialog" }, h("button", {}, "Close")));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
