#!/bin/bash
# Every question of docs/ledger-db.md is asked of a run's database, and its answer held against what airdeed ledger says. Prints TAP.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
PATH=${AIRDEED_BUILD:-$root/build/release}:$PATH
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
cat >"$work/rules" <<'YAML'
units: {supply: 1000, endowment: 100, grant_price: 10}
YAML
cat "$root/apps/scenarios/quickstart.yaml" "$work/rules" >"$work/run.yaml"
airdeed run "$work/run.yaml" --fidelity packet --out "$work/run" >"$work/log" 2>&1 || { sed 's/^/# /' "$work/log" | tail -5; echo "Bail out! no run"; exit 1; }
python3 - "$root/docs/ledger-db.md" "$work/run/ledger-bravo.db" <<'PYTHON'
import json, re, sqlite3, subprocess, sys
from collections import Counter

page, database = sys.argv[1:]
say = lambda *words: json.loads(subprocess.run(["airdeed", "ledger", *words, "--json"], check=True, capture_output=True, text=True).stdout)
show, leases = say("show", database), say("leases", database)["leases"]
state, transactions = say("state", database), say("show", database, "--transactions")["transactions"]
tables = state["tables"]
connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
connection.row_factory = sqlite3.Row


def far(rows):
    assert [tuple(r) for r in rows] == [(state["height"], show["certified_height"], state["state_root"])]
    assert show["state_root"] == state["state_root"] and show["height"] == state["height"]


def asked(rows):
    assert {(r["op"], r["response"]): r["n"] for r in rows} == Counter((t["op"], t["response"]) for t in transactions)


def held(rows):
    grants = {g["grant"]: g for g in tables["grants"]}
    assert len(rows) == len(leases) == len(grants) > 0
    for r, lease in zip(rows, leases):
        g = grants[r["id"]]
        assert (r["id"], r["holder"], r["channel"], r["state"]) == (lease["id"], lease["holder_name"], lease["channel"], lease["state"])
        assert (g["channel"], g["state"], g["suspended_ns"], g["ended_ns"]) == (r["channel"], r["state"], lease["suspended_ns"], lease["ended_ns"])
        end = g["ended_ns"] or g["suspended_ns"]
        assert r["held_ms"] == ((end - g["granted_ns"]) / 1e6 if end else None)


def suspended(rows):
    left = {(g["channel"], g["suspended_ns"]) for g in tables["grants"] if g["suspended"]}
    assert {(r["channel"], r["incumbent_ns"] + round(r["delay_ms"] * 1e6)) for r in rows} == left != set()


def heard(rows):
    assert max(r["window"] for r in rows) + 1 == tables["counters"][0]["next_window"]
    last = {r["channel"]: r for r in rows}
    for c in tables["channels"]:
        assert (c["status"] == "incumbent") <= (c["free_windows"] == 0) and last[c["channel"]]["occupied"] <= (c["free_windows"] == 0)


def disagrees(rows):
    assert {r["station"]: r["reputation"] for r in rows} == {s["station"]: s["reputation"] for s in tables["stations"]}


def episodes(rows):
    assert len(rows) > 0
    assert [(r["id"], r["channel"], r["suspect"], bool(r["confirmed"]), sorted(map(int, r["witnesses"].split(","))), r["length_ms"]) for r in rows] == [
        (e["evidence"], e["channel"], e["suspect"], e["confirmed"], e["witnesses"], (e["at_ns"] - e["from_ns"]) / 1e6) for e in tables["evidence"]]


def full(rows):
    assert rows[0]["blocks"] == state["height"] and abs(rows[0]["mean_txs"] * rows[0]["blocks"] - len(transactions)) < 1e-6


def behind(rows):
    assert [tuple(r) for r in rows] == [(show["height"] - show["indexed_height"], 0)]


def nonces(rows):
    own = sorted((t for t in transactions if t["author"] == 0), key=lambda t: t["nonce"])
    assert [(r["height"], r["op"], r["response"]) for r in rows] == [(t["height"], t["op"], t["response"]) for t in own[:5]]


def refused(rows):
    assert {(r["author"], r["response"]): r["n"] for r in rows} == Counter((t["author"], t["response"]) for t in transactions if t["code"])


def signed(rows):
    assert sum(r["blocks"] for r in rows) == max(r["last"] for r in rows) == show["certified_height"] and min(r["n_signers"] for r in rows) >= 3


def takes(rows):
    n = {r["what"]: r["n"] for r in rows}
    assert n["blocks"] == state["height"] and n["certificates"] == show["certified_height"]


checks = [far, asked, held, suspended, heard, disagrees, episodes, full, behind, nonces, refused, signed, takes]
questions = re.findall(r"\n([^\n]+\?)\n```sql\n(.*?)```", open(page).read(), re.S)
balances = sum(a["balance"] for a in tables["accounts"]) + tables["counters"][0]["treasury"]
print(f"1..{len(checks) + 2}")
print("ok" if len(questions) == len(checks) else "not ok", "1 - each question of the page has a check here")
print("ok" if balances == state["supply"] == 1000 else "not ok", "2 - balances and treasury are the supply")
for i, ((question, sql), check) in enumerate(zip(questions, checks)):
    rows = []
    try:
        rows = connection.execute(sql).fetchall()
        assert rows
        check(rows)
        verdict = "ok"
    except Exception as e:
        print(f"# {type(e).__name__} {e}: {[dict(r) for r in rows[:3]]}")
        verdict = "not ok"
    print(verdict, i + 3, "-", question)
PYTHON
