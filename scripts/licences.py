"""Reads `cargo metadata` and fails if the licence of a dependency is not permissive enough for the users of a library."""

import json
import re
import sys

ALLOWED = {
    "MIT", "MIT-0", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Zlib",
    "Unlicense", "CC0-1.0", "0BSD", "BSL-1.0", "Unicode-3.0", "CDLA-Permissive-2.0", "MPL-2.0",
}


def allowed(expression: str) -> bool:
    """Whether an SPDX expression can be satisfied: every AND part has an allowed OR part."""
    plain = expression.replace("/", " OR ").replace("(", " ").replace(")", " ")
    parts = [re.split(r"\s+OR\s+", part.strip()) for part in re.split(r"\s+AND\s+", plain)]
    return all(any(word.strip() in ALLOWED for word in part) for part in parts)


packages = json.load(sys.stdin)["packages"]
bad = [(p["name"], p["license"]) for p in packages if not allowed(p["license"] or "")]
for name, licence in bad:
    print(f"{name}: licence {licence!r} is not on the list")
print(f"{len(packages)} packages, {len(bad)} with another licence")
sys.exit(1 if bad else 0)
