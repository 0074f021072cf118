// Pictures are drawn by the server. The HTML that has one is read without running anything in it, and its parts are
// taken over: text in them is escaped there, and the page's policy lets no script or foreign image work here.

/** Reads a picture's page; the page of ours has its style already, and its policy would report another one. */
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

/** What follows a heading, up to the next one. */
function below(read, id) {
  const found = [];
  for (let at = read.getElementById(id)?.nextElementSibling; at && !at.matches("h2"); at = at.nextElementSibling) found.push(at);
  return found;
}
