#!/bin/bash
# Every ```console block of the documentation is a transcript: it must print what stands there. Prints TAP.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
n=0
for page in "$root"/README.md "$root"/docs/*.md "$root"/docs/wire/*.md; do
    grep -q '^```console' "$page" || continue
    name=$(basename "$page" .md)
    awk '/^```console/ { inside = 1; next } /^```/ { inside = 0 } inside' "$page" >"$work/$name.txt"
    n=$((n + 1))
    if "$here/transcript.sh" "$work/$name.txt" >"$work/log" 2>&1 && ! grep -q '^not ok' "$work/log"; then
        echo "ok $n - the examples of $name.md print what it says"
    else
        echo "not ok $n - the examples of $name.md print what it says"
        sed 's/^/# /' "$work/log" | tail -30
    fi
done
[ "$n" -gt 0 ] || { n=1; echo "not ok 1 - no page holds an example"; }
echo "1..$n"
