#!/usr/bin/python3
"""bench jamming: how many blocks a second four stations commit while a jammer is on, with all responses over with none, for each kind of
jammer (the scenarios jamming-KIND, iq fidelity, real `airdeed run`s under several seeds), and each response alone. A block counts when its
last station has it. Where nothing is committed without responses, the ratio is over one commit in the jammer's time. Every run has to be
safe: one block at each height, everybody at the same state in the end, no transmission without a deed; the first that is not ends the
bench with its seed."""
import argparse
import concurrent.futures
import json
import os
import resource
import subprocess
import sys
import tempfile

from rows import add_options, print_json, row

KINDS = ("none", "noise", "tone", "sweep", "pulse", "random", "reactive", "preamble", "pilot", "deceptive", "follower", "insider")
RESPONSES = ("hop", "rate", "slots", "timers", "migrate")
JAMMED_NS = (1500000000, 5500000000)  # in every one of these scenarios; without a jammer as well, to compare
FLOOR = {"none": .95, "pulse": 2, "reactive": 2, "follower": None, "insider": None}  # 5 for all others; None: printed
PEER = "no response"


class Unsafe(Exception):
    pass


def read_events(path, what):
    """Commits while the jammer is on; of every station the same block at each height."""
    commits, hashes, edges = 0, {}, set()
    with open(path, encoding="utf-8") as f:
        for line in f:
            e = json.loads(line)
            if e["event"] == "commit":
                commits += JAMMED_NS[0] <= e["t_ns"] < JAMMED_NS[1]
            elif e["event"] == "block" and hashes.setdefault(e["height"], e["hash"]) != e["hash"]:
                raise Unsafe(f"{what}: two blocks at height {e['height']}")
            elif e["event"] in ("jam_on", "jam_off"):
                edges.add(e["t_ns"])
    if edges not in (set(), set(JAMMED_NS)):
        sys.exit(f"bench jamming: {what}: the jammer's times are {sorted(edges)}, not {JAMMED_NS}")
    return commits


def run(cell):
    """One run: commits a second while the jammer is on, and view changes or terms of the station that saw most."""
    args, kind, responses, seed = cell
    what = f"jamming-{kind} --consensus {args.consensus} --responses {responses} --seed {seed}"
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "run")
        done = subprocess.run([os.path.join(args.build, "airdeed"), "run", *what.split(), "--out", out], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode > 1:
            sys.exit(f"bench jamming: {what}: exit code {done.returncode}: {done.stderr.strip()}")
        with open(os.path.join(out, "summary.json"), encoding="utf-8") as f:
            summary = json.load(f)
        commits = read_events(os.path.join(out, "events.jsonl"), what)
    if not summary["agreement"]["all_equal"]:
        raise Unsafe(f"{what}: the ledgers do not hold the same state root")
    if summary["transmissions_without_lease"]:
        raise Unsafe(f"{what}: {summary['transmissions_without_lease']} transmissions without a deed")
    views = max(s["view_changes"] for s in summary["station_stats"].values())
    return commits / (JAMMED_NS[1] - JAMMED_NS[0]) * 1e9, views


def mean(values):
    return sum(values) / len(values)


def rows_of(kind, args, found):
    least = 1e9 / (JAMMED_NS[1] - JAMMED_NS[0])

    def rate(responses, seeds):
        return mean([found[kind, responses, s][0] for s in seeds])

    def over_none(name, responses, seeds):
        none = rate("none", seeds)
        over = rate(responses, seeds) / max(none, least)
        return row(f"{kind}_{name}_over_none", over, "ratio", PEER, none, over)

    rows = []
    if "all" in args.response:
        rows.append(over_none("all", "all", args.seeds_of["all"]))
    rows += [over_none(r, r, args.seeds_of[r]) for r in args.response if r != "all"]
    for r in [r for r in ("none", "all") if r == "none" or r in args.response]:
        rows.append(row(f"{kind}_{r}_per_s", rate(r, args.seeds_of[r]), "commits/s"))
        rows.append(row(f"{kind}_{r}_view_changes", mean([found[kind, r, s][1] for s in args.seeds_of[r]]), "a run"))
    return rows


def parse():
    parser = argparse.ArgumentParser(prog="./dev bench jamming", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--kind", action="append", choices=KINDS, help="only jammers of this kind; may be given again")
    parser.add_argument("--response", action="append", choices=("all",) + RESPONSES, help="only this one, all: all at once; may be given again")
    parser.add_argument("--consensus", choices=("pbft", "raft"), default="pbft", help="the engine (default pbft)")
    parser.add_argument("--seeds", type=int, default=2, help="runs with all and with no responses (default 2)")
    parser.add_argument("--seeds-alone", type=int, default=1, help="runs with each response alone (default 1)")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time (default 2)")
    args = parser.parse_args()
    args.kind = args.kind or KINDS
    if args.response and args.response != ["all"]:
        args.seeds_alone = max(args.seeds_alone, args.seeds)
    args.response = args.response or ("all",) + RESPONSES
    if min(args.seeds, args.seeds_alone, args.jobs) < 1:
        parser.error("--seeds, --seeds-alone and --jobs must be at least 1")
    args.seeds_of = {r: range(1, 1 + (args.seeds if r in ("all", "none") else min(args.seeds, args.seeds_alone)))
                     for r in ("all", "none") + RESPONSES}
    return args


def print_rows(rows):
    for r in rows:
        peer = "" if r["peer_value"] is None else f"   {PEER}: {r['peer_value']:.2f} a second"
        kind, floor = r["name"].split("_")[0], ""
        if r["name"].endswith("_all_over_none"):
            least = FLOOR.get(kind, 5)
            floor = "" if least is None else f", floor {least}{'' if r['value'] >= least else ': MISSED'}"
        print(f"{r['name']:32s} {r['value']:8.2f} {r['unit']}{peer}{floor}")


def main():
    args = parse()
    cells = [(args, kind, r, s) for kind in args.kind for r in ("none", *args.response) for s in args.seeds_of[r]]
    found = {}
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        try:
            for cell, result in zip(cells, pool.map(run, cells)):
                found[cell[1:]] = result
                if sys.stderr.isatty():
                    print(f"\r{len(found)} of {len(cells)} runs ", end="", file=sys.stderr)
        except Unsafe as why:
            pool.shutdown(cancel_futures=True)
            sys.exit(f"bench jamming: {why}")
    rows = [r for kind in args.kind for r in rows_of(kind, args, found)]
    if args.json:
        print_json("jamming", args.build, rows)
    else:
        print_rows(rows)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{len(cells)} runs, {(used.ru_utime + used.ru_stime) / 60:.1f} CPU minutes", file=sys.stderr)


if __name__ == "__main__":
    main()
