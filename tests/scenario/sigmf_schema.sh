#!/bin/sh
# The metadata that airdeed writes, against the published SigMF schema. Prints TAP.
#
# The schema is not kept with the sources: AIRDEED_SIGMF_SCHEMA names it; without it, it is looked for in a folder shared/vectors/
# beside the sources, where there is one.
set -u
sources=$(cd "$(dirname "$0")/../.." && pwd)
build=${AIRDEED_BUILD:-$sources/build/release}
title="the metadata that airdeed writes fits the SigMF schema"
skip() {
    echo "ok 1 - $title # SKIP $1"
    echo "1..1"
    exit 0
}

schema=${AIRDEED_SIGMF_SCHEMA:-$sources/../shared/vectors/sigmf-schema.json}
[ -f "$schema" ] || skip "no schema (AIRDEED_SIGMF_SCHEMA=FILE names it)"
/usr/bin/python3 -c 'import jsonschema' 2>/dev/null || skip "python3-jsonschema is not installed"
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT

"$build/generate_testvectors" "$work" || exit 3
cp "$work/flex-frames.sigmf-data" "$work/annotated.sigmf-data"
cp "$work/flex-frames.sigmf-meta" "$work/annotated.sigmf-meta"
"$build/airdeed" sense "$work/annotated" --annotate >/dev/null || exit 3
n=0
failed=0
for meta in flex-frames primary annotated; do
    n=$((n + 1))
    if /usr/bin/python3 - "$schema" "$work/$meta.sigmf-meta" >"$work/out" 2>&1 <<'PYTHON'
import json, sys, jsonschema
schema, meta = (json.load(open(name)) for name in sys.argv[1:3])
jsonschema.Draft202012Validator.check_schema(schema)
jsonschema.validate(meta, schema, cls=jsonschema.Draft202012Validator)
if any(len(a.get("core:label", "")) > 20 for a in meta["annotations"]):
    sys.exit("a label is longer than 20 characters")
PYTHON
    then
        echo "ok $n - $meta: $title"
    else
        failed=1
        echo "not ok $n - $meta: $title"
        sed 's/^/# /' "$work/out"
    fi
done
echo "1..$n"
exit $failed
