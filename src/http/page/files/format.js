// Formats of values.
import { h, unseen } from "./dom.js";

export const MARKS = { accept: "✓", defer: "◷", reject: "✕", none: "–" };
export const WORDS = { accept: "accepted", defer: "deferred", reject: "rejected", none: "no verdict" };

/** The mark of a verdict, with its name for screen readers. */
export function mark(verdict) {
  return h("span", { class: `mark ${verdict}` }, h("span", { "aria-hidden": "true" }, MARKS[verdict] ?? "…"),
    unseen(WORDS[verdict] ?? "running"));
}

/** The verdict of a session: a running session has none, unless a command was refused. */
export const verdictOf = (session) => (session.verdict === "none" && !session.ended ? "running" : session.verdict);

const two = (number) => String(number).padStart(2, "0");

/** The time of day, with milliseconds on request. */
export function clock(text, milliseconds = true) {
  const at = new Date(text);
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return milliseconds ? `${time}.${String(at.getMilliseconds()).padStart(3, "0")}` : time;
}

/** A time, with the day unless it is today. */
export function time(text) {
  const at = new Date(text);
  const today = new Date().toDateString() === at.toDateString();
  const day = `${two(at.getMonth() + 1)}-${two(at.getDate())} `;
  return h("time", { datetime: text, title: text }, (today ? "" : day) + clock(text, today));
}

/** The time between two times, in milliseconds, as text. */
export function span(from, to) {
  const ms = stamp(to) - stamp(from);
  return ms >= 1000 ? `${(ms / 1000).toFixed(2)} s` : `${ms.toFixed(1)} ms`;
}

/** Milliseconds since 1970 with fractions: Date drops what is below a millisecond. */
export function stamp(text) {
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? "0";
  return Math.floor(Date.parse(text) / 1000) * 1000 + Number(`0.${fraction}`) * 1000;
}

export const count = (number, noun, plural = `${noun}s`) => `${number.toLocaleString("en")} ${number === 1 ? noun : plural}`;

export const octets = (number) =>
  number < 1024 ? `${number} B` : number < 1048576 ? `${(number / 1024).toFixed(1)} KiB` : `${(number / 1048576).toFixed(1)} MiB`;

/** The result of a session in a few words. */
export function outcome(session) {
  const refusal = session.refusals?.[0];
  return [session.code, refusal?.enhanced].filter(Boolean).join(" ");
}

/** An address to connect to: a server that listens on all addresses is reached at the host of this page. */
export function reachable(address) {
  const at = address.lastIndexOf(":");
  const [host, port] = [address.slice(0, at), address.slice(at + 1)];
  return ["0.0.0.0", "[::]"].includes(host) ? `${location.hostname}:${port}` : address;
}

/** A null path is shown as in SMTP. */
export const path = (text) => (text === "" ? "<>" : text);
