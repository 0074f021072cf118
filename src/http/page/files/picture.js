// The server draws the pictures. This page parses the HTML of a picture without running it and takes its parts: their
// text is already escaped, and the policy of this page forbids scripts and external images.

/** Parses a picture's page. Its style sheet is left out: this page has the same rules, and its policy would report another one. */
function readPage(html) {
  return new DOMParser().parseFromString(html.replace(/<style>[^<]*<\/style>/, ""), "text/html");
}

/** The parts of a picture's page. */
export function parts(html) {
  const read = readPage(html);
  const title = read.querySelector("h1");
  const mark = title?.querySelector(".mark");
  mark?.remove();
  return {
    verdict: mark?.classList[1] ?? "none",
    sentence: title?.textContent.trim() ?? "",
    strip: read.querySelector("svg.picture"),
    words: below(read, "strip").filter((element) => element.matches("details")),
    spf: below(read, "spf"),
    remedies: below(read, "remedies"),
  };
}

/** The content between a heading and the next one. */
function below(read, id) {
  const found = [];
  for (let at = read.getElementById(id)?.nextElementSibling; at && !at.matches("h2"); at = at.nextElementSibling) found.push(at);
  return found;
}
