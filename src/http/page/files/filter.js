// The filter line: `client_address:192.0.2.0/24 rule:iprev`. The form of a word without a key decides its key.

/** Short names for parameters of the API. */
const SHORT = { client: "client_address", from: "sender", to: "recipient" };

/** Converts a line to parameters of the API; `usual` returns the key of a word that has none. */
export function parse(line, usual) {
  const found = {};
  for (const [, key, quoted, plain] of line.matchAll(/(?:([a-z_]+):)?(?:"([^"]*)"|(\S+))/g)) {
    const value = quoted ?? plain;
    const name = key ?? usual(value);
    found[SHORT[name] ?? name] = value;
  }
  return found;
}

/** Converts parameters to a filter line. */
export function format(query) {
  return Object.entries(query).map(([key, value]) => `${key}:${/\s|^$/.test(value) ? `"${value}"` : value}`).join(" ");
}

/** The key of a word in a filter of sessions. */
export function ofSessions(rules) {
  return (word) => {
    if (/^[\d.]+(\/\d+)?$/.test(word) && word.includes(".")) return "client_address";
    if (/^[0-9a-f:]+(\/\d+)?$/i.test(word) && word.includes(":")) return "client_address";
    if (/^[2-5]\d\d$/.test(word)) return "code";
    if (/^[245]\.\d+\.\d+$/.test(word)) return "enhanced";
    if (["accept", "defer", "reject", "none"].includes(word)) return "verdict";
    if (["connect", "helo", "mail", "rcpt", "data", "eod"].includes(word)) return "stage";
    if (rules.has(word)) return "rule";
    return word.includes("@") ? "sender" : "helo";
  };
}
