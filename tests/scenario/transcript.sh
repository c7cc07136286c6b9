#!/bin/sh
# transcript.sh FILE: runs the shell commands of a transcript and compares what they print with what stands there. Prints TAP.
#
#   # comment                    only before the first command
#   #requires: COMMAND-OR-PATH   first line: skipped as a whole where it is not there
#   $ COMMAND                    run by sh in a folder of the transcript's own, airdeed first in PATH, AIRDEED_SRC = the sources
#   > MORE                       further lines of that command
#   the whole stdout and stderr, up to the next command; blank lines at its end do not count
#   text {{ERE}} text            a fragment that an extended regular expression matches
#   ...                          any number of lines
#   [exit N]                     last: the exit code, when it is not 0
set -u
file=$1
sources=$(cd "$(dirname "$0")/../.." && pwd)
build=${AIRDEED_BUILD:-$sources/build/release}
PATH=$build:$PATH
AIRDEED_SRC=$sources
LC_ALL=C
export PATH AIRDEED_SRC LC_ALL

work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
mkdir "$work/parts" "$work/folder"

required=$(sed -n '1s/^#requires: *//p' "$file")
if [ -n "$required" ] && ! command -v "$required" >/dev/null && ! [ -e "$required" ] && ! [ -e "$sources/$required" ]; then
    echo "ok 1 - $(basename "$file") # SKIP $required is not there"
    echo "1..1"
    exit 0
fi

# parts/N.sh the command, N.want its expected lines, N.exit its code
n=$(awk -v parts="$work/parts" '
    function end_block() {
        if (!n)
            return
        while (n_want && want[n_want] == "")
            n_want--
        code = 0
        if (n_want && want[n_want] ~ /^\[exit [0-9]+\]$/) {
            code = substr(want[n_want], 7) + 0
            n_want--
        }
        printf "" > (parts "/" n ".want")
        for (i = 1; i <= n_want; i++)
            print want[i] > (parts "/" n ".want")
        close(parts "/" n ".want")
        print code > (parts "/" n ".exit")
        close(parts "/" n ".exit")
        close(parts "/" n ".sh")
    }
    /^\$ / { end_block(); n++; n_want = 0; in_command = 1; print substr($0, 3) > (parts "/" n ".sh"); next }
    in_command && /^> / { print substr($0, 3) > (parts "/" n ".sh"); next }
    !n { next }
    { in_command = 0; want[++n_want] = $0 }
    END { end_block(); print n + 0 }' "$file")
if [ "$n" = 0 ]; then
    echo "not ok 1 - $(basename "$file") holds no command"
    echo "1..1"
    exit 1
fi

# Lines with fragments become anchored expressions, one file a line; grep says which lines of the output each matches.
find_matches() { # number of the command
    awk -v prefix="$work/parts/$1.re." '
        function quote(text) { gsub(/[][\\.^$*+?(){}|]/, "\\\\&", text); return text }
        index($0, "{{") {
            rest = $0; re = ""
            while ((from = index(rest, "{{")) > 0) {
                to = index(substr(rest, from + 2), "}}")
                if (!to)
                    break
                to += from + 1
                while (substr(rest, to + 2, 1) == "}")
                    to++
                re = re quote(substr(rest, 1, from - 1)) "(" substr(rest, from + 2, to - from - 2) ")"
                rest = substr(rest, to + 2)
            }
            print re quote(rest) > (prefix NR)
            close(prefix NR)
        }' "$work/parts/$1.want"
    for pattern in "$work/parts/$1.re."*; do
        [ -e "$pattern" ] || continue
        grep -nxE -f "$pattern" "$work/parts/$1.got" | sed "s/:.*//; s/^/${pattern##*.} /"
    done >"$work/parts/$1.matches"
}

# Prints what differs; nothing when the output is as it should be.
compare() { # number of the command
    awk -v n_matches_file=1 '
        FILENAME ~ /\.matches$/ { matches[$1, $2] = 1; next }
        FILENAME ~ /\.want$/ { want[++n_want] = $0; next }
        { got[++n_got] = $0 }
        function equal(w, g) { return want[w] == got[g] || (w, g) in matches }
        END {
            while (n_got && got[n_got] == "")
                n_got--
            w = g = 1
            star = 0
            while (g <= n_got) {
                if (w <= n_want && want[w] == "...") { star = w++; mark = g }
                else if (w <= n_want && equal(w, g)) { w++; g++ }
                else if (star) { w = star + 1; g = ++mark }
                else break
                if (w > furthest) { furthest = w; furthest_g = g }
            }
            while (w <= n_want && want[w] == "...")
                w++
            if (g > n_got && w > n_want)
                exit
            if (w < furthest) { w = furthest; g = furthest_g }
            print "expected: " (w <= n_want ? want[w] : "(no more lines)")
            print "printed:  " (g <= n_got ? got[g] : "(no more lines)")
        }' "$work/parts/$1.matches" "$work/parts/$1.want" "$work/parts/$1.got"
}

failed=0
i=0
while [ $i -lt "$n" ]; do
    i=$((i + 1))
    part=$work/parts/$i
    (cd "$work/folder" && timeout "${TRANSCRIPT_TIMEOUT_S:-300}" sh "$part.sh") >"$part.got" 2>&1 </dev/null
    code=$?
    find_matches $i
    difference=$(compare $i)
    [ $code = "$(cat "$part.exit")" ] || difference="$difference
expected exit code $(cat "$part.exit"), got $code"
    title="$(basename "$file"): $(head -n 1 "$part.sh" | tr '#' ' ')"
    if [ -z "$difference" ]; then
        printf '%s\n' "ok $i - $title"
    else
        failed=1
        printf '%s\n' "not ok $i - $title"
        printf '%s\n' "$difference" | sed '/^$/d; s/^/# /'
        head -n 40 "$part.got" | sed 's/^/#   | /'
    fi
done
echo "1..$n"
exit $failed
