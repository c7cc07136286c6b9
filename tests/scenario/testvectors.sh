#!/bin/sh
# The recordings that are kept with the sources are those that their generator makes. Prints TAP.
#
# What is made of integers must be equal to the octet. Where floating point is at work (the flex frames), processors with
# other instructions may round a sample the other way: one step of 16 bits is let pass, and said.
set -u
sources=$(cd "$(dirname "$0")/../.." && pwd)
build=${AIRDEED_BUILD:-$sources/build/release}
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
n=0
failed=0

tell() { # exit code, title
    n=$((n + 1))
    if [ "$1" = 0 ]; then
        echo "ok $n - $2"
    else
        failed=1
        echo "not ok $n - $2"
    fi
}

# metadata but for what changes with the version and with the samples
plain() {
    grep -v -e core:recorder -e core:sha512 "$1"
}

samples() {
    od -An -v -td2 -w2 "$1"
}

"$build/generate_testvectors" "$work"
tell $? "the generator runs"
cmp "$work/primary.sigmf-data" "$sources/apps/scenarios/primary.sigmf-data"
tell $? "primary.sigmf-data is made again byte for byte"
plain "$work/primary.sigmf-meta" >"$work/made"
plain "$sources/apps/scenarios/primary.sigmf-meta" >"$work/kept"
cmp "$work/made" "$work/kept"
tell $? "primary.sigmf-meta is made again byte for byte"
cmp "$work/flex-frames.expect.jsonl" "$sources/testvectors/flex-frames.expect.jsonl"
tell $? "the frames expected in flex-frames are made again byte for byte"
plain "$work/flex-frames.sigmf-meta" >"$work/made"
plain "$sources/testvectors/flex-frames.sigmf-meta" >"$work/kept"
cmp "$work/made" "$work/kept"
tell $? "flex-frames.sigmf-meta is made again byte for byte"
if cmp -s "$work/flex-frames.sigmf-data" "$sources/testvectors/flex-frames.sigmf-data"; then
    tell 0 "flex-frames.sigmf-data is made again byte for byte"
else
    samples "$work/flex-frames.sigmf-data" >"$work/made"
    samples "$sources/testvectors/flex-frames.sigmf-data" >"$work/kept"
    paste "$work/made" "$work/kept" | awk '
        NF != 2 || $1 - $2 > 1 || $2 - $1 > 1 { bad++ }
        $1 != $2 { other++ }
        END { print "# " other + 0 " values differ, " bad + 0 " of them by more than one step"; exit bad > 0 }'
    tell $? "flex-frames.sigmf-data is made again to one step of 16 bits"
fi
echo "1..$n"
exit $failed
