// What would cure a refusal; each remedy can be tried.
import { copyButton, h, problem, section } from "./dom.js";
import { MARKS } from "./format.js";
import { parts } from "./picture.js";

export function remedies(context, session) {
  const refusal = session.refusals[0];
  const all = refusal.remedies.one_of;
  return section("What would cure it", { id: "remedies" },
    all.length === 0 ? h("p", { class: "soft" }, "Nothing was proved to cure it.")
      : h("ol", { class: "remedies" }, all.map((remedy, place) => row(context, session, remedy, place))));
}

function row(context, session, remedy, place) {
  const result = h("div", { class: "tried" });
  const record = remedy.all_of.map((change) => change.name && `${change.name} ${change.type} ${change.data}`).filter(Boolean).join("\n");
  // Only the receiver can let a client pass, and only the client can behave: no zone and no HELO tries those.
  const tryable = remedy.all_of.some((change) => !["ask-receiver", "change-session"].includes(change.action));
  const button = tryable ? h("button", { type: "button", class: "small", "aria-expanded": "false",
    "aria-label": `Try: ${remedy.text}` }, "Try") : undefined;
  button?.addEventListener("click", async () => {
    const open = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!open));
    if (open) {
      result.replaceChildren();
      return;
    }
    try {
      const picture = parts(await context.api.text(`sessions/${session.id}/remedies/${place + 1}/picture`));
      const { verdict } = picture;
      result.replaceChildren(h("p", { role: "status" }, h("span", { class: `mark ${verdict}`, "aria-hidden": "true" }, MARKS[verdict]), " ", picture.sentence),
        h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Identity strip once the remedy is applied" }, picture.strip));
    } catch (error) {
      result.replaceChildren(problem(error));
    }
  });
  return h("li", {}, h("div", { class: "remedy" }, h("span", {}, remedy.text),
    h("span", { class: "tools" }, record && copyButton(record, "Copy", `Copy the record: ${record}`), button)), result);
}
