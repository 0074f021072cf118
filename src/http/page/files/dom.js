// Elements and small parts that every view needs. Text is always set as text: nothing here parses HTML.

/** Makes an element: `h("a", { href: "#", class: "x", onclick: f }, "text", child)`. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

/** Text for screen readers only. */
export const unseen = (text) => h("span", { class: "unseen" }, text);

/** Announces a text to screen readers; a later text replaces an earlier one that was not read yet. */
export function announce(text) {
  const region = document.getElementById("announcer");
  region.textContent = "";
  requestAnimationFrame(() => { region.textContent = text; });
}

/** A button that copies text and announces it. */
export function copyButton(text, label = "Copy", name = label) {
  const button = h("button", { type: "button", class: "small", "aria-label": name }, label);
  button.addEventListener("click", async () => {
    const copied = await copy(typeof text === "function" ? text() : text);
    button.textContent = copied ? "Copied" : "Not allowed";
    announce(copied ? "Copied" : "The browser does not allow copying");
    setTimeout(() => { button.textContent = label; }, 1500);
  });
  return button;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // The clipboard API exists only in secure contexts, which excludes HTTP to another machine.
    const area = h("textarea", { class: "unseen", value: text, "aria-hidden": "true" });
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    return copied;
  }
}

/** A command or an address with a button that copies it. */
export function copyable(text, name) {
  return h("div", { class: "copyable" }, h("code", {}, text), copyButton(text, "Copy", `Copy ${name}`));
}

/** A section with a heading, and optional buttons beside it. */
export function section(title, { id, tools = [] } = {}, ...children) {
  return h("section", { class: "card", id, "aria-label": title },
    h("div", { class: "card-head" }, h("h2", {}, title), tools.length > 0 && h("div", { class: "tools" }, tools)),
    ...children);
}

/** A problem from the API: the field, what was expected, what was found, and all further mistakes. */
export function problem(error) {
  const found = error.problem ?? {};
  const mistakes = (found.mistakes ?? []).map((mistake) =>
    h("li", {}, [mistake.line && `line ${mistake.line}: `, mistake.field && `${mistake.field}: `,
      `expected ${mistake.expected}, found ${mistake.found}`].filter(Boolean).join("")));
  return h("div", { class: "notice bad", role: "alert" },
    h("p", {}, h("span", { class: "mark reject", "aria-hidden": "true" }, "✕"), " ",
      found.field && mistakes.length === 0 ? `${found.field}: ` : "", error.message),
    mistakes.length > 0 && h("ul", {}, mistakes));
}

/** A list of terms and values. */
export function terms(pairs) {
  const shown = pairs.filter(([, value]) => value !== undefined && value !== null && value !== "");
  return h("dl", { class: "terms" }, shown.map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))));
}

/** Tabs: `[{ id, title, make }]`. A panel is created when it is first shown. */
export function tabs(name, all, chosen = all[0]?.id, onchoose = () => {}) {
  const panel = h("div", { role: "tabpanel", tabindex: "0", class: "panel" });
  const made = new Map();
  const buttons = all.map((tab) => h("button", {
    type: "button", role: "tab", id: `tab-${name}-${tab.id}`, onclick: () => choose(tab.id),
  }, tab.title));
  panel.id = `panel-${name}`;
  const list = h("div", { role: "tablist", class: "tabs", "aria-label": name }, buttons);
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = (buttons.indexOf(document.activeElement) + step + all.length) % all.length;
    choose(all[at].id);
    buttons[at].focus();
  });
  function choose(id) {
    all.forEach((tab, at) => {
      const here = tab.id === id;
      buttons[at].setAttribute("aria-selected", String(here));
      buttons[at].setAttribute("aria-controls", panel.id);
      buttons[at].tabIndex = here ? 0 : -1;
      if (!here) return;
      if (!made.has(id)) made.set(id, tab.make());
      panel.replaceChildren(made.get(id));
      panel.setAttribute("aria-labelledby", buttons[at].id);
      onchoose(id);
    });
  }
  choose(all.some((tab) => tab.id === chosen) ? chosen : all[0].id);
  return h("div", { class: "tabbed" }, list, panel);
}
