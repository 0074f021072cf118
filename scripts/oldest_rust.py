#!/usr/bin/env python3
"""Checks `rust-version` of Cargo.toml: it must be the highest version that a dependency needs. Reads `cargo metadata`.

That the code itself builds with it is checked by the job oldest-rust, which has that compiler.
"""

import json
import sys


def number(version):
    return tuple(int(part) for part in (version.split(".") + ["0", "0"])[:3])


metadata = json.load(sys.stdin)
own = next(package for package in metadata["packages"] if package["id"] in metadata["workspace_members"])
# Dependencies of tests only do not matter to users of the library.
needed, edges = set(), {node["id"]: node["deps"] for node in metadata["resolve"]["nodes"]}
queue = [own["id"]]
while queue:
    for dependency in edges[queue.pop()]:
        if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"]) and dependency["pkg"] not in needed:
            needed.add(dependency["pkg"])
            queue.append(dependency["pkg"])
asked = [package for package in metadata["packages"] if package["id"] in needed and package["rust_version"]]
highest = max(asked, key=lambda package: number(package["rust_version"]))
if number(own["rust_version"]) != number(highest["rust_version"]):
    print(f"rust-version is {own['rust_version']}, but {highest['name']} {highest['version']} needs {highest['rust_version']}")
    sys.exit(1)
