#!/usr/bin/env python3
"""Checks the structure of the code: no file over 500 lines, no function over 80, no imports in a circle.

Every function that ARCHITECTURE.md names exists. No name has a home-made metaphor in place of the word of the field (`METAPHORS`).

Two neighbours in a folder, files or folders, never use each other, whatever lies between; a folder may use its parent, and the parent re-exports
it. Paths are followed through re-exports to the module that defines the item. What exceeds a limit today is listed below; the lists only get shorter:
an entry that is no longer needed is an error too.
"""

import os
import re
import subprocess
import sys
from collections import defaultdict

FILE_LINES = 500
FUNCTION_LINES = 80

# Files with more lines.
LONG_FILES: set[str] = set()

# Functions with more lines.
LONG_FUNCTIONS: set[str] = set()

# Maximum numbers of public items and public fields. Lower them when there are fewer.
PUBLIC = {"items": 630, "fields": 590}

# Files in the same folder that import each other.
CIRCLES: set[str] = set()

# Names in ARCHITECTURE.md that other crates define.
OTHERS = {"ArcSwap"}

# Words that names used instead of those of RFCs, Postfix and Rust: a listener was a door, a deadline the patience of a client.
METAPHORS = set(
    "beside cure cures deed deposit desk door fate habit habits happening hear heard hopeful hurry keeper lobby manner occasion patience proof proofs prove "
    "prover reception recollection remark said spoken sprinkle swallow teller telling told torn wasteful welcome".split()
)
NAME = re.compile(r"\b(?:fn|struct|enum|trait|type|mod|const|static|let mut|let|for)\s+([A-Za-z_]\w*)|\b([a-z_]\w*): |^\s+([A-Z]\w+)(?:[,({]| =)|\|(\w+)\|", re.M)

FUNCTION = re.compile(r'^( *)(?:pub(?:\([^)]*\))? )?(?:const |async |unsafe |extern "C" )*fn (\w+)')
TEST = re.compile(
    r"#\[cfg\((?:all\()?test[^\]]*\]\s*(?:pub(?:\([^)]*\))? )?(mod \w+ \{|mod \w+;|use [^;]*;|impl [^{]*\{|fn [^{]*\{)"
)
USE = re.compile(r"(pub(?:\([^)]*\))? )?\buse ([^;]+);")


def rust_files():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.rs"], capture_output=True, text=True, check=True
    )
    return [path for path in listed.stdout.split() if os.path.exists(path)]


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def long_functions(path, text):
    """The functions over the limit. With rustfmt, the last line of a function has the indentation of the first."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        begin = FUNCTION.match(line)
        if not begin:
            continue
        if line.endswith((";", "}")):
            continue  # a declaration, or a body on the same line
        end = next((n for n in range(number, len(lines)) if lines[n] == begin[1] + "}"), number)
        if end - number + 1 > FUNCTION_LINES:
            yield f"{path}: {begin[2]}", end - number + 1


def without_tests(text):
    """The code without comments, strings and test modules."""
    text = re.sub(r"//[^\n]*", "", text)
    text = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text, flags=re.S)
    kept, at = [], 0
    while match := TEST.search(text, at):
        kept.append(text[at : match.start()])
        at = match.end()
        if match[1].endswith("{"):
            indent = re.search(r" *$", text[: match.start()].split("\n")[-1])[0]
            end = text.find(f"\n{indent}}}", at)
            at = len(text) if end < 0 else end + len(indent) + 2
    return "".join(kept) + text[at:]


def paths_of(tree):
    """The paths of a `use` declaration."""
    tree = tree.strip()
    group = re.match(r"^([^{]*)\{(.*)\}$", tree, re.S)
    if not group:
        return [tree] if tree else []
    parts, depth, part = [], 0, ""
    for char in group[2] + ",":
        depth += (char == "{") - (char == "}")
        if char == "," and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += char
    return [group[1].strip() + path for part in parts for path in paths_of(part)]


class Modules:
    """The modules of the library with the paths that they use."""

    def __init__(self):
        self.uses, self.exports = {}, {}
        for path in rust_files():
            if not path.startswith("src/") or path == "src/main.rs":
                continue
            module = tuple(path[len("src/") : -len(".rs")].split("/"))
            if module[-1] in ("mod", "lib"):
                module = module[:-1]
            self.add(module, without_tests(read(path)))

    def add(self, module, code):
        uses, exports = [], {}
        for exported, tree in USE.findall(code):
            for path in paths_of(tree):
                path, _, alias = path.partition(" as ")
                segments = tuple(segment.strip() for segment in path.split("::"))
                uses.append(segments)
                if exported:
                    exports[alias.strip() or segments[-1]] = segments
        rest = USE.sub("", code)
        for path in re.findall(r"(?<![\w:])(?:[a-z_]\w*)(?:::\w+)+", rest):
            uses.append(tuple(path.split("::")))
        self.uses[module], self.exports[module] = uses, exports

    def resolve(self, module, segments, depth=0):
        """The module that defines the item of a path; None for other crates."""
        at, rest = module, list(segments)
        if rest[0] == "crate":
            at, rest = (), rest[1:]
        elif rest[0] == "self":
            rest = rest[1:]
        elif rest[0] == "super":
            while rest and rest[0] == "super":
                at, rest = at[:-1], rest[1:]
        elif module + (rest[0],) not in self.uses:
            return None
        while rest:
            if at + (rest[0],) in self.uses:
                at, rest = at + (rest[0],), rest[1:]
                continue
            exported = self.exports.get(at, {}).get(rest[0])
            source = self.resolve(at, exported, depth + 1) if exported and depth < 8 else None
            return source or at
        return at

    def edges(self):
        for module, uses in self.uses.items():
            for segments in uses:
                used = self.resolve(module, segments)
                if used and used != module:
                    yield module, used

    def circles(self):
        """For each folder, the files within it that import each other, directly or indirectly."""
        edges = set(self.edges())
        for parent in sorted({module[:-1] for module in self.uses if module}):
            depth = len(parent)
            graph = defaultdict(set)
            for module, used in edges:
                if len(module) > depth and len(used) > depth and module[:depth] == parent == used[:depth]:
                    if module[depth] != used[depth]:
                        graph[module[depth]].add(used[depth])
            for circle in strongly_connected(graph):
                yield "/".join(("src",) + parent) + ": " + ", ".join(circle)


def strongly_connected(graph):
    """The strongly connected sets of nodes."""

    def reached(start):
        found, queue = set(), [start]
        while queue:
            for node in graph.get(queue.pop(), ()):
                if node not in found:
                    found.add(node)
                    queue.append(node)
        return found

    reach = {node: reached(node) for node in list(graph)}
    circles = {
        tuple(sorted(other for other in nodes if node in reach.get(other, ())))
        for node, nodes in reach.items()
        if node in nodes
    }
    return sorted(circles)


def names_without_code(texts):
    """The names in the walkthroughs and the lock order of ARCHITECTURE.md that are not in the code: a function, type, module, variant or file."""
    code = "\n".join(text for path, text in texts.items() if path.startswith("src/"))
    known = set(re.findall(r"\b(?:fn|struct|enum|trait|type|mod|const|static)\s+(\w+)", code))
    known |= set(re.findall(r"^\s+(?:pub(?:\([^)]*\))? )?(\w+): ", code, re.M))  # fields
    known |= set(re.findall(r"^\s+([A-Z]\w+)(?:[,({ ]|$)", code, re.M))  # variants
    known |= {os.path.basename(os.path.splitext(path)[0]) for path in texts}
    known |= {segment for path in texts for segment in os.path.dirname(path).split("/")}
    walks = read("ARCHITECTURE.md").split("\n## ", 1)[1].split("## Invariants")[0]
    for name in re.findall(r"`([A-Za-z_]\w*(?:::\w+)*)`", walks):
        for segment in name.split("::"):
            if segment not in known and segment not in OTHERS:
                yield f"{name}: {segment}"


def public_lines(texts):
    """The numbers of public items and of public fields that the library declares."""
    code = [line for path, text in texts.items() if path.startswith("src/") and path != "src/main.rs" for line in text.splitlines()]
    item = re.compile(r"\s*pub (?:const |async |unsafe )*(?:fn|struct|enum|trait|type|const|static|mod) ")
    field = re.compile(r"    pub \w+: ")
    return {"items": sum(map(bool, map(item.match, code))), "fields": sum(map(bool, map(field.match, code)))}


def metaphors(path, text):
    """The declared names, public or local, that have a word of METAPHORS."""
    code = re.sub(r'"(?:[^"\\]|\\.)*"', '""', re.sub(r"//[^\n]*", "", text), flags=re.S)
    for match in NAME.finditer(code):
        name = match[match.lastindex]
        if METAPHORS & {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}:
            yield f"{path}: {name}"


def compare(what, found, known):
    """Prints new and obsolete entries. Returns the number of both."""
    for item in sorted(found - known):
        print(f"{what}: {item}")
    for item in sorted(known - found):
        print(f"no longer so, remove it from scripts/structure.py: {what}: {item}")
    return len(found ^ known)


def main():
    texts = {path: read(path) for path in rust_files()}
    files = {path for path, text in texts.items() if len(text.splitlines()) > FILE_LINES}
    functions = {name for path, text in texts.items() for name, _ in long_functions(path, text)}
    wrong = compare(f"more than {FILE_LINES} lines", files, LONG_FILES)
    wrong += compare(f"a function of more than {FUNCTION_LINES} lines", functions, LONG_FUNCTIONS)
    wrong += compare("imports in a circle", set(Modules().circles()), CIRCLES)
    for what, number in public_lines(texts).items():
        if number > PUBLIC[what]:
            print(f"public {what}: {number}, and scripts/structure.py says at most {PUBLIC[what]}: make new ones pub(crate)")
            wrong += 1
    for name in sorted(set(names_without_code(texts))):
        print(f"ARCHITECTURE.md names what no code has: {name}")
        wrong += 1
    for name in sorted({name for path, text in texts.items() for name in metaphors(path, text)}):
        print(f"a metaphor in a name, use the word of the field: {name}")
        wrong += 1
    for path, text in texts.items():
        if path.startswith("src/policy/checks/") and re.search(r"\*\*(Checks|Basis|Beyond)\*\*", text):
            print(f"{path}: the texts of a check stand in its row and nowhere else")
            wrong += 1
    return min(wrong, 1)


if __name__ == "__main__":
    os.chdir(os.path.join(os.path.dirname(__file__), ".."))
    sys.exit(main())
