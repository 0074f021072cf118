// Remedies of a refusal. Trying a remedy redraws the strip as it would be after the remedy.
import { announce, copyButton, h, problem, section } from "./dom.js";
import { MARKS, WORDS } from "./format.js";
import { parts } from "./picture.js";

/** `strip` is the place of the picture; it shows the picture after a remedy, or that of the session. */
export function remedies(context, session, strip) {
  const all = session.refusals[0].remedies.one_of;
  const buttons = [];
  const release = () => buttons.forEach((button) => button.setAttribute("aria-pressed", "false"));
  return section("What would fix it", { id: "remedies" },
    all.length === 0 ? h("p", { class: "soft" }, "There is no verified remedy.")
      : h("ol", { class: "remedies" }, all.map((remedy, place) => row(context, session, { remedy, place, strip, buttons, release }))));
}

function row(context, session, { remedy, place, strip, buttons, release }) {
  const result = h("div", {});
  const record = remedy.all_of.map((change) => change.name && `${change.name} ${change.type} ${change.data}`).filter(Boolean).join("\n");
  // Only the receiver can exempt a client, and only the client can change its conduct: the server cannot try those.
  const tryable = !remedy.all_of.some((change) => ["ask-receiver", "change-session"].includes(change.action));
  if (!tryable) return h("li", {}, remedy.text);
  const button = h("button", { type: "button", class: "small", "aria-pressed": "false", "aria-label": `Try: ${remedy.text}` }, "Try");
  buttons.push(button);
  button.addEventListener("click", async () => {
    const on = button.getAttribute("aria-pressed") === "true";
    release();
    result.replaceChildren();
    if (on) {
      strip.restore();
      return;
    }
    try {
      const picture = parts(await context.api.text(`sessions/${session.id}/remedies/${place + 1}/picture`));
      button.setAttribute("aria-pressed", "true");
      strip.turn(picture, remedy.text);
      result.replaceChildren(h("p", {}, h("span", { class: `mark ${picture.verdict}`, "aria-hidden": "true" }, MARKS[picture.verdict]), ` ${WORDS[picture.verdict]}`));
      announce(`Tried: ${picture.sentence}`);
    } catch (error) {
      result.replaceChildren(problem(error));
    }
  });
  return h("li", {}, h("div", { class: "remedy" }, h("span", {}, remedy.text),
    h("span", { class: "tools" }, record && copyButton(record, "Copy", `Copy the record: ${record}`), button)), result);
}

/** The place of the strip: the picture of the session, or of a remedy that is tried. */
export function stripPlace(picture) {
  const shown = (each) => [h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Identity strip" }, each.strip), each.words];
  const body = h("div", {}, shown(picture));
  const restore = () => body.replaceChildren(...shown(picture).flat());
  return {
    element: section("What the client claimed, and what DNS answered", { id: "strip" }, body),
    restore,
    turn(tried, text) {
      body.replaceChildren(h("div", { class: `turned ${tried.verdict}` },
        h("p", {}, h("span", { class: "soft" }, "Tried: "), text),
        h("p", {}, h("span", { class: `mark ${tried.verdict}`, "aria-hidden": "true" }, MARKS[tried.verdict]), " ", h("strong", {}, tried.sentence))), ...shown(tried).flat());
      body.closest("section").scrollIntoView({ block: "nearest" });
    },
  };
}
