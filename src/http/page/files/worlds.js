// Worlds: many servers in one process, each on its own ports.
import { announce, copyButton, h, problem, section } from "./dom.js";
import { count, reachable } from "./format.js";

export async function show(context) {
  const { api, world } = context;
  const place = h("div", {});
  const mistake = h("div", {});
  const draw = async () => {
    const { worlds } = await api.get("/api/v1/worlds");
    place.replaceChildren(h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Worlds" }, h("table", {},
      h("thead", {}, h("tr", {}, ["World", "Scenario", "Receiver", "SMTP", "DNS", "Sessions", "Messages", ""].map((title) => h(title ? "th" : "td", title ? { scope: "col" } : {}, title)))),
      h("tbody", {}, worlds.map((each) => row(each))))));
  };
  const row = (each) => h("tr", {},
    h("th", { scope: "row" }, h("a", { href: each.name === "main" ? "#/sessions" : `#/world/${encodeURIComponent(each.name)}/sessions`, "aria-current": each.name === world ? "true" : undefined }, each.name), each.name === world && h("span", { class: "soft" }, " (shown)")),
    h("td", {}, each.scenario), h("td", {}, each.receiver),
    h("td", {}, h("code", {}, reachable(each.smtp)), " ", copyButton(reachable(each.smtp), "copy", `Copy the SMTP address of ${each.name}`)),
    h("td", {}, h("code", {}, reachable(each.dns))),
    h("td", {}, String(each.sessions)), h("td", {}, String(each.messages)),
    h("td", {}, each.name !== "main" && h("button", { type: "button", class: "small", "aria-label": `Delete the world ${each.name}`, onclick: () => attempt(async () => {
      await api.send("DELETE", `/api/v1/worlds/${encodeURIComponent(each.name)}`);
      announce(`The world ${each.name} is deleted`);
      if (each.name === world) location.hash = "#/worlds";
    }) }, "Delete")));
  const attempt = async (work) => {
    try {
      await work();
      mistake.replaceChildren();
    } catch (error) {
      mistake.replaceChildren(problem(error));
    }
    await draw();
  };
  const [{ scenarios }, { receivers }] = await Promise.all([api.get("/api/v1/scenarios"), api.get("/api/v1/receivers")]);
  const name = h("input", { id: "world-name", placeholder: "chosen by the server", pattern: "[A-Za-z0-9_\\-][A-Za-z0-9._\\-]{0,63}" });
  const scenario = h("select", { id: "world-scenario" }, scenarios.map((each) => h("option", { value: each.name }, each.name)));
  scenario.value = "one-to-one";
  const receiver = h("select", { id: "world-receiver" }, h("option", { value: "" }, "the scenario's"), receivers.map((each) => h("option", { value: each.name }, each.name)));
  const field = (label, input) => h("div", { class: "field" }, h("label", { for: input.id }, label), input);
  const form = h("form", { class: "inline-form", onsubmit: (event) => {
    event.preventDefault();
    const body = { scenario: scenario.value };
    if (name.value) body.name = name.value;
    if (receiver.value) body.receiver = receiver.value;
    attempt(async () => {
      const made = await api.send("POST", "/api/v1/worlds", body);
      announce(`The world ${made.name} listens on ${made.smtp}`);
      name.value = "";
    });
  } }, field("Name", name), field("Scenario", scenario), field("Receiver", receiver), h("button", { class: "first" }, "Start"));
  await draw();
  return { title: "Worlds", element: h("div", { class: "page" }, h("div", { class: "toolbar" }, h("h1", {}, "Worlds")), mistake, section("All worlds", {}, place), section("Start a world", {}, form)) };
}
