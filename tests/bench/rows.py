"""What the benches written in Python print: docs/performance.md has the rows, `./dev bench NAME --json` one object a bench."""
import argparse
import json
import os
import subprocess


def cpu_name():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        for line in f:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return "unknown"


def row(name, value, unit, peer=None, peer_value=None, ratio=None):
    return {"name": name, "value": round(value, 4), "unit": unit, "peer": peer,
            "peer_value": None if peer_value is None else round(peer_value, 3), "ratio": None if ratio is None else round(ratio, 3)}


def print_json(bench, build, rows):
    said = subprocess.run([os.path.join(build, "airdeed"), "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout
    print(json.dumps({"bench": bench, "version": said.split()[1], "cpu": cpu_name(), "results": rows}))


def add_options(parser):
    parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="one JSON object")
