#!/usr/bin/python3
"""bench mac: saturated DCF at packet fidelity (802.11a, 6 Mb/s, 1000 octets, all hear all, every receiver) beside ns-3 with the same
frames, and the storm of broadcasts from 10 to 1,000 stations. The two take turns, and a row is the least CPU time of all rounds: what
else runs on the machine only adds to it. Before anything is timed both have to show the same throughput."""
import argparse
import math
import os
import subprocess
import sys

from rows import add_options, print_json, row

HERE = os.path.dirname(os.path.abspath(__file__))
# ns-3.37, optimised build of its own sources, us an attempt on a quieter machine (docs/performance.md)
RECORDED_US = {2: 26.0, 10: 117.0, 50: 369.0}
ATTEMPTS = {2: 200000, 10: 100000, 50: 40000}
NS3_SECONDS = {2: 20, 10: 6, 50: 4}
STORMS = {10: 1000, 100: 60, 1000: 2}


def run(*command):
    return [float(word) for word in subprocess.run([str(c) for c in command], check=True, stdout=subprocess.PIPE, text=True).stdout.split()]


def build_peer(build):
    source, program = os.path.join(HERE, "mac_ns3.cc"), os.path.join(build, "bench", "mac_ns3")
    if not os.path.exists(program) or os.path.getmtime(program) < os.path.getmtime(source):
        subprocess.run(["c++", "-std=c++17", "-O2", "-o", program, source, "-lns3-wifi", "-lns3-mobility", "-lns3-network", "-lns3-core"],
                       check=True)
    return program


def attempts(ours, peer, n, rounds):
    """Least us an attempt of both."""
    least = {ours: math.inf, peer: math.inf}
    throughput = {ours: [], peer: []}
    for k in range(rounds):
        for program, command in ((ours, (ours, "saturate", n, ATTEMPTS[n], k + 1)), (peer, (peer, n, NS3_SECONDS[n], k + 1))):
            made, cpu_s, s_mbps, _ = run(*command)
            least[program] = min(least[program], cpu_s / made * 1e6)
            throughput[program].append(s_mbps)
    mean = {program: sum(s) / len(s) for program, s in throughput.items()}
    if abs(mean[ours] / mean[peer] - 1) > .05:
        sys.exit(f"bench mac: throughput differs at n = {n}: {mean[ours]:.3f} and {mean[peer]:.3f} Mb/s")
    return least[ours], least[peer]


def storms(ours, rounds):
    """Least us a frame, which is two instants at every station."""
    us = {n: math.inf for n in STORMS}
    for k in range(rounds):
        for n, count in STORMS.items():
            frames, cpu_s, _ = run(ours, "storm", n, count, k + 1)
            us[n] = min(us[n], cpu_s / frames * 1e6)
    return us


def main():
    parser = argparse.ArgumentParser(prog="./dev bench mac", description=__doc__)
    add_options(parser)
    parser.add_argument("--rounds", type=int, default=5, help="turns of each (default 5)")
    args = parser.parse_args()
    ns3, ours = build_peer(args.build), os.path.join(args.build, "bench", "mac_load")
    rows = []
    for n in (2, 10, 50):
        own_us, peer_us = attempts(ours, ns3, n, args.rounds)
        for suffix, peer, us in (("", "ns-3 (Debian)", peer_us), ("_recorded", "ns-3.37 optimised (recorded)", RECORDED_US[n])):
            rows.append(row(f"dcf_attempt_n{n}{suffix}", own_us, "us", peer, us, us / own_us))
    us = storms(ours, args.rounds)
    for n, value in us.items():
        rows.append(row(f"storm_n{n}", value, "us a frame"))
    law = 1000 * math.log(1000) / (10 * math.log(10))
    scale = us[1000] / us[10]
    rows.append(row("storm_scale", scale, "times from 10 to 1000", "n log n", law, law / scale))
    if args.json:
        print_json("mac", args.build, rows)
        return
    for r in rows:
        beside = f"  {r['peer']} {r['peer_value']:g}: {r['ratio']:g}x" if r["peer"] else ""
        print(f"{r['name']:26} {r['value']:10.4g} {r['unit']}{beside}")


if __name__ == "__main__":
    main()
