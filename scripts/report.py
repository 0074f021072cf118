"""Writes the refused sessions of the server at MARTINET into a job summary, and their pictures into a folder.

Usage: report.py FOLDER. The summary is the file that GITHUB_STEP_SUMMARY names, or standard output.
"""

import json
import os
import sys
import urllib.request
from pathlib import Path

SESSIONS = 100


def get(path: str) -> str:
    with urllib.request.urlopen(os.environ["MARTINET"] + "/api/v1" + path) as answer:
        return answer.read().decode()


def cell(text: object) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")


def main(folder: Path) -> None:
    sessions = json.loads(get(f"/sessions?limit={SESSIONS}&newest=true&full=true"))["sessions"]
    refused = [session for session in sessions if session["verdict"] in ("defer", "reject")]
    lines = [f"### martinet: {len(refused)} of {len(sessions)} sessions refused", ""]
    if refused:
        lines += ["| session | client | HELO | rule | reply |", "| --- | --- | --- | --- | --- |"]
        folder.mkdir(parents=True, exist_ok=True)
    for session in refused:
        first = session["refusals"][0]
        row = [session["id"], session["client_address"], session["helo"], first.get("rule", first["source"]), " ".join(first["reply"])]
        lines.append("| " + " | ".join(map(cell, row)) + " |")
        (folder / f"session-{session['id']}.svg").write_text(get(f"/sessions/{session['id']}/picture.svg"))
    for session in refused:
        story = get(f"/sessions/{session['id']}/story").rstrip()
        lines += ["", f"<details><summary>Session {session['id']}</summary>", "", "````text", story, "````", "", "</details>"]
    text = "\n".join(lines) + "\n"
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        with open(summary, "a", encoding="utf-8") as file:
            file.write(text)
    else:
        print(text, end="")
    if "GITHUB_OUTPUT" in os.environ:
        with open(os.environ["GITHUB_OUTPUT"], "a", encoding="utf-8") as file:
            file.write(f"refused={len(refused)}\n")


main(Path(sys.argv[1]))
