#!/usr/bin/env bash
# Runs the tests of the clients in clients/ with the program of this checkout. Installs their dependencies below
# target/foreign with pip and npm.
#
# A missing program is a printed skip; with MARTINET_FOREIGN=required, a failure.
set -euo pipefail
cd "$(dirname "$0")/.."
home=$PWD/target/foreign
cargo build --quiet
export MARTINET_BINARY="${CARGO_TARGET_DIR:-$PWD/target}/debug/martinet"
unset MARTINET

have() { command -v "$1" >/dev/null 2>&1; }
skip() {
    echo "skipped: $1"
    [ -z "${MARTINET_SKIPS:-}" ] || echo "$1" >>"$MARTINET_SKIPS"
    [ "${MARTINET_FOREIGN:-}" != required ] || exit 1
}

python() {
    if have python3 && [ ! -x "$home/python/bin/pytest" ]; then
        python3 -m venv "$home/python" && "$home/python/bin/pip" install --quiet 'pytest>=8' || echo "pip could not install"
    fi
    [ -x "$home/python/bin/pytest" ] || { skip "the Python client: no pytest"; return 0; }
    echo "-- Python"
    (cd clients/python && PYTHONPATH=$PWD/python PYTHONDONTWRITEBYTECODE=1 "$home/python/bin/python" -m pytest -q -p martinet.pytest_plugin -p no:cacheprovider tests)
}

node() {
    local major=0
    if have node; then major=$(command node -p 'process.versions.node.split(".")[0]'); fi
    [ "$major" -ge 18 ] || { skip "the Node client: no Node 18 or newer"; return 0; }
    echo "-- Node"
    (cd clients/node && command node --test --test-reporter=spec test/)
}

go_module() {
    have go || { skip "the Go client: no go"; return 0; }
    echo "-- Go"
    (cd clients/go && command go vet ./... && command go test -count=1 ./...)
}

java_library() {
    local libraries=/usr/share/java classes main=org.junit.platform.console.ConsoleLauncher
    { have javac && [ -f "$libraries/junit-platform-console.jar" ]; } || { skip "the Java client: no javac or JUnit 5"; return 0; }
    echo "-- Java"
    classes=$(mktemp -d)
    local junit="$libraries/junit-jupiter-api.jar:$libraries/junit-platform-commons.jar:$libraries/apiguardian-api.jar:$libraries/opentest4j.jar"
    local path="$classes/main:$classes/test:$junit:$libraries/junit-jupiter-engine.jar:$libraries/junit-platform-engine.jar"
    path+=":$libraries/junit-platform-launcher.jar:$libraries/junit-platform-console.jar:$libraries/junit-platform-reporting.jar:$libraries/picocli.jar"
    awk '/^```java$/ { copying = 1; next } /^```$/ && copying { exit } copying' clients/java/README.md >"$classes/RefusedTest.java"
    [ "$(wc -l <"$classes/RefusedTest.java")" -le 12 ] || { echo "the test of the README is longer than 12 lines"; exit 1; }
    javac -encoding UTF-8 -Xlint:all -Xlint:-classfile -Werror --release 17 -cp "$junit" -d "$classes/main" clients/java/src/main/java/martinet/*.java
    javac -encoding UTF-8 --release 17 -cp "$classes/main:$junit" -d "$classes/test" clients/java/src/test/java/martinet/*.java "$classes/RefusedTest.java"
    java -cp "$path" $main --details=tree --disable-banner --disable-ansi-colors --fail-if-no-tests --scan-classpath "$classes/test"
    echo "-- Java: the example that fails"
    javac -encoding UTF-8 --release 17 -cp "$classes/main:$junit" -d "$classes/example" clients/java/example/FailingTest.java
    if java -cp "$classes/example:$path" $main --disable-banner --disable-ansi-colors --select-class FailingTest >"$classes/said" 2>&1; then
        echo "the example passed" && exit 1
    fi
    for part in "expected a session with verdict accept, found reject, iprev, 550" "the mailer did not bounce" "martinet session 1" \
        "PTR: NXDOMAIN" "2 tests failed"; do
        grep -qF -- "$part" "$classes/said" || { cat "$classes/said"; echo "the example does not say: $part"; exit 1; }
    done
    rm -r "$classes"
}

python
node
go_module
java_library
