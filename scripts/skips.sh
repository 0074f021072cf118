# Functions for the other scripts: which programs are installed, and what is skipped without them.

have() { command -v "$1" >/dev/null 2>&1; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; elif have sudo; then sudo -n "$@"; else return 1; fi; }

# Records a skip, which scripts/test.sh prints at its end.
record() {
    echo "skipped: $1"
    [ -z "${MARTINET_SKIPS:-}" ] || echo "$1" >>"$MARTINET_SKIPS"
}

# Ends the script because a program is missing: a printed skip, and with MARTINET_FOREIGN=required a failure.
skip() {
    record "$1"
    [ "${MARTINET_FOREIGN:-}" != required ] || exit 1
    exit 0
}

# Ends the script because the machine forbids something: a printed skip everywhere.
forbidden() {
    record "$1"
    exit 0
}
