// The frame around the views: routing, the navigation bar, the keyboard.
import { Api } from "./api.js";
import { announce, copyButton, h, problem, unseen } from "./dom.js";
import { reachable } from "./format.js";
import { help, listenToKeys } from "./keys.js";

/** All views: name in the address, title, and the module that shows it. */
const VIEWS = [
  { word: "sessions", title: "Sessions", load: () => import("./sessions.js") },
  { word: "mail", title: "Mail", load: () => import("./mail.js") },
  { word: "dns", title: "DNS", load: () => import("./dns.js") },
  { word: "what-if", title: "What if", load: () => import("./whatif.js") },
  { word: "matrix", title: "Matrix", load: () => import("./matrix.js") },
  { word: "bounce", title: "Bounce", load: () => import("./bounce.js") },
  { word: "setup", title: "Scenario", load: () => import("./setup.js") },
  { word: "worlds", title: "Worlds", load: () => import("./worlds.js") },
];
/** Views of one entry, reached from a list. */
const DETAILS = {
  sessions: () => import("./session.js"),
  mail: () => import("./message.js"),
};

const main = document.getElementById("main");
const bar = document.getElementById("top");
let current = { end() {} };

/** Reads `#/world/NAME/view/id?query`; an address without a world is for the main world. */
function read() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").filter(Boolean).map(decode);
  const world = parts[0] === "world" ? parts.splice(0, 2)[1] ?? "main" : "main";
  return { world, word: parts[0] ?? "sessions", id: parts[1], query: new URLSearchParams(query) };
}

function decode(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

/** The address of a view. */
export function link(world, word, { id, query } = {}) {
  const place = world === "main" ? "" : `/world/${encodeURIComponent(world)}`;
  const pairs = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== "" && value !== false);
  const text = new URLSearchParams(pairs).toString();
  return `#${place}/${word}${id === undefined ? "" : `/${encodeURIComponent(id)}`}${text ? `?${text}` : ""}`;
}

async function show() {
  const place = read();
  current.end();
  const ending = new AbortController();
  current = { place, end: () => ending.abort() };
  const api = new Api(place.world, ending.signal);
  const view = VIEWS.find((each) => each.word === place.word);
  const context = {
    ...place,
    api,
    signal: ending.signal,
    link: (word, more) => link(place.world, word, more),
    go: (word, more) => { location.hash = link(place.world, word, more); },
    /** Changes the query in the address without adding a step to the history. */
    note: (query) => history.replaceState(history.state, "", link(place.world, place.word, { id: place.id, query })),
    live: (kinds, heard) => {
      const end = api.listen(kinds, heard, (open) => ending.signal.aborted || showState(open));
      ending.signal.addEventListener("abort", () => { end(); showState(undefined); });
    },
  };
  draw(place);
  try {
    if (!view) throw new Error(`there is no view ${JSON.stringify(place.word)}`);
    const module = await (place.id === undefined ? view.load() : (DETAILS[place.word] ?? view.load)());
    const shown = await module.show(context);
    if (ending.signal.aborted) return;
    document.title = `${shown.title} · martinet`;
    main.className = shown.fills ? "fills" : "";
    main.replaceChildren(shown.element);
    if (!shown.fills) main.scrollTop = 0;
    shown.shown?.();
    arrive(shown);
  } catch (error) {
    if (ending.signal.aborted) return;
    main.className = "";
    main.replaceChildren(h("h1", { class: "unseen" }, "Something went wrong"), problem(error));
  }
}

/** Moves the focus into a view reached by a key or a link; the first view does not take the focus. */
let first = true;
function arrive(shown) {
  if (first) {
    first = false;
    return;
  }
  announce(shown.title);
  (shown.focus ?? main).focus({ preventScroll: true });
}

const state = h("span", { class: "live" });

function showState(open) {
  const [word, title] = open === undefined ? ["", ""] : open ? ["live", "New entries appear as they happen"]
    : ["waiting", "The server does not answer; the browser tries again"];
  state.className = `live ${word}`;
  state.title = title;
  state.replaceChildren(...(word ? [h("span", { class: "dot", "aria-hidden": "true" }), word] : []));
}

/** The navigation bar: views, world, addresses. */
function draw(place) {
  const links = VIEWS.map((view) => h("a", {
    href: link(place.world, view.word),
    "aria-current": view.word === place.word ? "page" : undefined,
  }, view.title));
  const world = h("span", { class: "addresses" });
  bar.replaceChildren(
    h("a", { class: "name", href: link(place.world, "sessions") }, "martinet"),
    h("nav", { "aria-label": "Views" }, links),
    world, state,
    h("button", { type: "button", class: "small plain", "aria-label": "Keys and help", onclick: help }, "?"));
  bar.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  addresses(place.world, world);
}

async function addresses(name, place) {
  try {
    const world = await new Api("main").get(`worlds/${encodeURIComponent(name)}`);
    const shown = (title, address) => h("span", { class: "address" }, h("span", { class: "soft" }, title), " ",
      h("code", {}, reachable(address)), copyButton(reachable(address), "copy", `Copy the ${title} address`));
    place.replaceChildren(
      name === "main" ? unseen("World main") : h("span", { class: "badge" }, unseen("World "), name),
      shown("SMTP", world.smtp), shown("DNS", world.dns));
  } catch {
    place.replaceChildren();
  }
}

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
listenToKeys((word) => { location.hash = link(read().world, word); });
addEventListener("hashchange", show);
show();
