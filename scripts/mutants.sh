#!/usr/bin/env bash
# Mutation testing of what judges: the checks and the policy, the facts, and the SMTP session and protocol. A seeded sample of mutants is tested by
# the unit tests, and those that survive by the unit and integration tests. Needs cargo-mutants and cargo-nextest.
# usage: scripts/mutants.sh [SEED [COUNT]]
set -euo pipefail
cd "$(dirname "$0")/.."
seed=${1:-20261126}
count=${2:-300}
out=target/mutants
mkdir -p "$out"

files=(-f 'src/policy/**' -f 'src/facts/**' -f 'src/smtp/session/**' -f 'src/smtp/protocol/**' -f src/smtp/cure.rs)

# select FILE: the configuration of cargo-mutants that selects the mutants whose names stand in FILE. cargo-mutants 27 applies examine_re to all mutants
# but those that delete a field: the others of these are excluded.
select_mutants() {
    python3 - "$1" "$out/all.txt" <<'PY'
import re, sys

def lines(path):
    return open(path, encoding="utf-8").read().splitlines()

def pattern(name):
    return "  '''^" + re.sub(r"([][\\.*+?^$(){}|&~#-])", r"\\\1", name) + "$''',"

names = lines(sys.argv[1])
print("examine_re = [", *map(pattern, names), "]", sep="\n")
others = [name for name in lines(sys.argv[2]) if " delete field " in name and name not in names]
print("exclude_re = [", *map(pattern, others), "]", sep="\n")
PY
}

cargo mutants --list "${files[@]}" >"$out/all.txt"
python3 - "$seed" "$count" "$out" <<'PY'
import random, sys
seed, count, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
names = open(f"{out}/all.txt", encoding="utf-8").read().splitlines()
chosen = random.Random(seed).sample(names, min(count, len(names)))
open(f"{out}/sample.txt", "w", encoding="utf-8").write("\n".join(sorted(chosen)) + "\n")
PY
echo "seed $seed: $(wc -l <"$out/sample.txt") of $(wc -l <"$out/all.txt") mutants"

# mutate NAMES FOLDER OPTION...: tests the mutants; those that no test finds are left in FOLDER/mutants.out/missed.txt.
mutate() {
    local names=$1 folder=$2 status=0
    shift 2
    select_mutants "$names" >"$out/config.toml"
    cargo mutants --config "$out/config.toml" "${files[@]}" --in-place --baseline skip --cap-lints true --no-shuffle \
        --timeout 120 --build-timeout 600 --output "$folder" "$@" || status=$?
    # 2: some mutants were missed. 3: some were found by a timeout.
    case $status in 0 | 2 | 3) ;; *) exit "$status" ;; esac
}

# The other features are not needed by what is mutated, and building them would take most of the time.
mutate "$out/sample.txt" "$out/unit" --no-default-features --features dkim --cargo-arg=--lib
if [ -s "$out/unit/mutants.out/missed.txt" ]; then
    # The slowest tests are left out: the matrix of remedies, and those that run foreign programs.
    mutate "$out/unit/mutants.out/missed.txt" "$out/all" --test-tool nextest --cargo-arg=--lib --cargo-arg=--test=it -- -E \
        'not test(/every_remedy_of_the_matrix|foreign|swaks|cli::|docs/)'
fi
cat "$out"/{unit,all}/mutants.out/{caught,unviable,timeout}.txt 2>/dev/null | sort -u | wc -l
cat "${out}/all/mutants.out/missed.txt" 2>/dev/null || cat "$out/unit/mutants.out/missed.txt"
