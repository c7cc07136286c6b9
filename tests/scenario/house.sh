#!/bin/bash
# House rules that a machine can hold: who includes whom, lengths, words, scripts. Prints TAP.
set -u
cd "$(dirname "$0")/../.." || exit 3
. tests/tap.bash
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT

nothing_from() { # a function that prints what breaks a rule
    local found
    found=$("$1")
    [ -z "$found" ] || { printf '%s\n' "$found"; return 1; }
}

list_sources() {
    find apps chain mac phy tests \( -name '*.c' -o -name '*.h' \) -type f | sort
}

find_foreign_includes() {
    grep -rnE '#include "(mac|chain|apps)/' phy
    grep -rnE '#include "(phy|chain|apps)/' mac
    grep -rnE '#include "(phy|mac|apps)/' chain
}

find_impurities() { # not in the folders of adapters
    find phy phy/air phy/flex phy/packet phy/sensing phy/wifi mac chain apps/station -maxdepth 1 -name '*.[ch]' -exec grep -nE \
        '#include <(pthread|sys/socket|sys/time|fcntl|unistd|time|threads|sqlite3|zmq)\.h>|[^a-z_](f?printf|fopen|getenv|clock_gettime|gettimeofday|s?rand|time)\(' {} + |
        grep -vE ':[0-9]+: *(/\*|\*|//)'
}

find_long_files() {
    list_sources | xargs wc -l | awk '$2 != "total" && $1 > 600 { print $2 ": " $1 " lines" }'
}

find_long_functions() { # a function begins and ends with a brace in the first column
    list_sources | xargs awk '
        FNR == 1 { open = 0 }
        /^\{/ { open = FNR }
        /^\}/ && open { if (FNR - open - 1 > 70) print FILENAME ":" open ": " FNR - open - 1 " lines"; open = 0 }'
}

find_loose_ends() {
    list_sources | xargs grep -nwE 'TODO|FIXME|XXX|HACK'
}

find_unclean_lines() {
    list_sources | xargs grep -nE "[ 	]\$|	" | cut -c1-120
}

find_dependent_headers() {
    find apps chain mac phy -name '*.h' | sort | while read -r header; do
        "${CC:-cc}" -std=c17 -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -fsyntax-only -I. -x c "$header" >/dev/null 2>&1 || echo "$header"
    done
}

# Samples reach a radio from two places: frames that a MAC queued, through the gates (apps/live), and the probe's own tone (apps/latency.c).
# Neither knows recordings, emitters or jammers, and no back end for files transmits.
find_ways_to_a_transmitter() {
    grep -rlE '(->|\.)transmit\(' apps phy mac chain --include='*.c' --include='*.h' | grep -vxE 'apps/live/loop\.c|apps/latency\.c'
    grep -nE '#include "phy/(radio/sigmf|air/|flex/|wifi/)|#include "apps/(modulate|replay|run/)' apps/live/loop.c apps/latency.c 2>/dev/null
    grep -nE '\.transmit = ' phy/radio/sigmf*.c | grep -v '\.transmit = NULL'
}

check_scripts() {
    shellcheck -S warning dev .ci/run tests/*.sh tests/*/*.sh apps/scenarios/*.sh 2>&1
}

check 'phy, mac and chain do not know of each other nor of apps' nothing_from find_foreign_includes
check 'the pure parts open, print, draw and time nothing' nothing_from find_impurities
check 'no file is longer than 600 lines' nothing_from find_long_files
check 'no function is longer than 70 lines' nothing_from find_long_functions
check 'samples reach a transmitter from the live loop and the latency probe alone' nothing_from find_ways_to_a_transmitter
check 'nothing is left to do in comments' nothing_from find_loose_ends
check 'no line has a tabulator or a blank at its end' nothing_from find_unclean_lines
check 'each header compiles alone' nothing_from find_dependent_headers
if command -v shellcheck >/dev/null; then
    check 'shellcheck finds nothing in the scripts' nothing_from check_scripts
else
    skip 'shellcheck finds nothing in the scripts' 'shellcheck is not installed'
fi
end_tests
