#!/usr/bin/python3
"""bench ledger: a replicated ledger over loopback, as real processes with their data on disk: airdeed nodes beside etcd and canonical libraft,
three of each (four for PBFT). One system runs at a time; in each round all take their turn, and a row is the median over the rounds.
Every load keeps so many operations of 256 octets under way over one connection to the leader, which is where each of the three is
fastest. CPU time is that of all server processes, user and system, over the measured load and its warm-up."""
import argparse
import glob
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

from rows import print_json

VALUE_OCTETS = 256
TICKS = os.sysconf("SC_CLK_TCK")


def free_ports(n):
    sockets = [socket.socket() for _ in range(n)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Failed(Exception):
    pass


class Cluster:
    """Server processes in a folder of their own; a context that leaves neither behind."""

    def __init__(self, build, folder):
        self.build, self.folder, self.servers = build, folder, []
        os.makedirs(folder)

    def spawn(self, *command):
        log = open(os.path.join(self.folder, f"server{len(self.servers)}.log"), "wb")
        self.servers.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        log.close()

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        for server in self.servers:
            server.send_signal(signal.SIGTERM if self.stops_cleanly else signal.SIGKILL)
        for server in self.servers:
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def cpu_s(self):
        total = 0
        for server in self.servers:
            with open(f"/proc/{server.pid}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def within(self, seconds, what, attempt):
        until = time.monotonic() + seconds
        while True:
            got = attempt()
            if got is not None:
                return got
            for server in self.servers:
                if server.poll() is not None:
                    with open(os.path.join(self.folder, f"server{self.servers.index(server)}.log"), errors="replace") as log:
                        raise Failed(f"{self.name}: a server ended with {server.returncode}: {log.read()[-400:]}")
            if time.monotonic() > until:
                raise Failed(f"{self.name}: {what} took more than {seconds} s")
            time.sleep(0.2)

    def run_load(self, command, warm_s, seconds):
        before = self.cpu_s()
        got = subprocess.run([*command, str(warm_s), str(seconds)], capture_output=True, text=True, timeout=warm_s + seconds + 60)
        spent = self.cpu_s() - before
        if got.returncode != 0:
            raise Failed(f"{self.name}: {' '.join(command[:1])} ended with {got.returncode}: {got.stderr.strip()[-400:]}")
        result = json.loads(got.stdout)
        if result["failed"]:
            raise Failed(f"{self.name}: {result['failed']} operations failed: {got.stderr.strip()[-400:]}")
        result["cpu_us"] = spent / (result["ops_per_s"] * (warm_s + seconds)) * 1e6
        return result


class Etcd(Cluster):
    name, stops_cleanly = "etcd", True

    def start(self):
        ports = free_ports(6)
        peers = ",".join(f"e{i}=http://127.0.0.1:{ports[i]}" for i in range(3))
        for i in range(3):
            self.spawn("etcd", "--name", f"e{i}", "--data-dir", f"{self.folder}/e{i}", "--listen-peer-urls", f"http://127.0.0.1:{ports[i]}",
                       "--initial-advertise-peer-urls", f"http://127.0.0.1:{ports[i]}", "--listen-client-urls", f"http://127.0.0.1:{ports[3 + i]}",
                       "--advertise-client-urls", f"http://127.0.0.1:{ports[3 + i]}", "--initial-cluster", peers, "--initial-cluster-state", "new",
                       "--log-level", "error")
        self.client_ports = ports[3:]
        self.leader_port = self.within(20, "an election", self.find_leader)

    def find_leader(self):
        endpoints = ",".join(f"127.0.0.1:{port}" for port in self.client_ports)
        got = subprocess.run(["etcdctl", "--endpoints", endpoints, "endpoint", "status", "-w", "json"], capture_output=True, text=True,
                             env={**os.environ, "ETCDCTL_API": "3"})
        try:
            states = json.loads(got.stdout)
        except ValueError:
            return None
        for state in states:
            status = state["Status"]
            if len(states) == 3 and status["leader"] == status["header"]["member_id"]:
                return int(state["Endpoint"].rsplit(":", 1)[1])
        return None

    def load(self, clients, warm_s, seconds):
        return self.run_load([f"{self.build}/bench/ledger_etcd", "127.0.0.1", str(self.leader_port), str(clients), "1", str(VALUE_OCTETS)],
                             warm_s, seconds)


class Libraft(Cluster):
    name, stops_cleanly = "libraft", False

    def start(self):
        for base in range(23000, 60000, 211): # node i on base + i, its clients on base + 100 + i
            if all(is_free(base + k + i) for k in (0, 100) for i in (1, 2, 3)):
                break
        self.base = base
        for i in (1, 2, 3):
            os.makedirs(f"{self.folder}/{i}")
            self.spawn(f"{self.build}/bench/ledger_libraft", "serve", str(i), "3", str(base), f"{self.folder}/{i}")
        self.leader = self.within(20, "an election", self.find_leader)

    def command(self, i, clients):
        return [f"{self.build}/bench/ledger_libraft", "load", str(self.base + 100 + i), str(clients), "1", str(VALUE_OCTETS)]

    def find_leader(self):
        for i in (1, 2, 3):
            if subprocess.run([*self.command(i, 1), "0", "0.2"], capture_output=True).returncode == 0:
                return i
        return None

    def load(self, clients, warm_s, seconds):
        return self.run_load(self.command(self.leader, clients), warm_s, seconds)


def is_free(port):
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Airdeed(Cluster):
    stops_cleanly = True

    def __init__(self, build, folder, engine, n):
        self.engine, self.n, self.name = engine, n, f"airdeed {engine}"
        super().__init__(build, folder)

    def start(self):
        self.program, self.dir = f"{self.build}/airdeed", f"{self.folder}/cluster"
        subprocess.run([self.program, "node", "--init-cluster", str(self.n), "--engine", self.engine, "--dir", self.dir, "--base-port", "0",
                        "--clients", "4"], check=True, stdout=subprocess.DEVNULL)
        path = f"{self.dir}/cluster.yaml"
        with open(path) as file:
            text = file.read()
        rules = "timing: {propose_delay: 0ms, min_block_interval: 0ms}\nlimits: {mempool: 4096, batch: 131072}\n"
        with open(path, "w") as file:
            file.write(text.replace("members:\n", rules + "members:\n", 1))
        for i in range(self.n):
            self.spawn(self.program, "node", f"{self.dir}/n{i}.yaml")
        self.leader = self.within(20, "an election", self.find_leader)
        for key in ["client"] + [f"client-{i}" for i in (2, 3, 4)]:
            self.register(key)

    def ask(self, node):
        got = subprocess.run([self.program, "ledger", "show", "--node", f"{self.dir}/n{node}.yaml", "--key", f"{self.dir}/client.key", "--json",
                              "--timeout", "2s"], capture_output=True, text=True)
        try:
            return json.loads(got.stdout)
        except ValueError:
            return None

    def find_leader(self):
        states = [self.ask(i) for i in range(self.n)]
        leaders = {state and state["leader"] for state in states}
        connected = all(state and all(peer["up"] for peer in state["peers"]) for state in states)
        return leaders.pop() if connected and len(leaders) == 1 and None not in leaders else None

    def register(self, key):
        operation = {"op": "register", "call_sign": key.upper().replace("-", ""), "lat_deg": 48.1, "lon_deg": 11.6, "height_m": 12}
        subprocess.run([self.program, "ledger", "submit", "--node", f"{self.dir}/{self.leader}.yaml", "--key", f"{self.dir}/{key}.key",
                        json.dumps(operation)], check=True, stdout=subprocess.DEVNULL)

    def load(self, clients, warm_s, seconds, batch=0):
        keys = ",".join(f"{self.dir}/{key}.key" for key in ("client", "client-2", "client-3", "client-4"))
        return self.run_load([f"{self.build}/bench/ledger_load", f"{self.dir}/cluster.yaml", self.leader, keys, str(clients), "1",
                              str(batch), str(VALUE_OCTETS)], warm_s, seconds)


def sync_median_ms(folder):
    """A transaction of one row, SQLite's write-ahead log, synchronous=FULL: what each phase of a protocol waits for."""
    path = f"{folder}/sync.db"
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE t(x)")
    times = []
    for _ in range(300):
        since = time.perf_counter()
        db.execute("INSERT INTO t VALUES(?)", (b"x" * VALUE_OCTETS,))
        times.append(time.perf_counter() - since)
    db.close()
    for name in glob.glob(path + "*"):
        os.unlink(name)
    return statistics.median(times) * 1e3


SYSTEMS = ("raft3", "etcd", "libraft", "pbft4")


def run_round(build, folder, order, wanted, seconds, results):
    def note(name, value):
        results.setdefault(name, []).append(value)

    def say(text):
        print(f"bench ledger: {text}", file=sys.stderr, flush=True)

    warm = max(0.5, seconds / 4)
    note("sync", sync_median_ms(folder))
    for system in (s for s in order if s in wanted):
        at = f"{folder}/{system}"
        if system in ("etcd", "libraft"):
            with (Etcd if system == "etcd" else Libraft)(build, at) as cluster:
                many, one = cluster.load(256, warm, seconds), cluster.load(1, warm, seconds)
            note(f"{system}_256", many["ops_per_s"])
            note(f"{system}_256_cpu", many["cpu_us"])
            note(f"{system}_1_p50", one["p50_ms"])
            say(f"{system}: {many}, {one}")
        elif system == "raft3":
            with Airdeed(build, at, "raft", 3) as cluster:
                many, one, signed = cluster.load(256, warm, seconds), cluster.load(1, warm, seconds), cluster.load(256, warm, seconds, 1)
            note("raft3_256", many["ops_per_s"])
            note("raft3_256_cpu", many["cpu_us"])
            note("raft3_1_p50", one["p50_ms"])
            note("raft3_signed_256", signed["ops_per_s"])
            say(f"{system}: {many}, {one}, signed {signed}")
        else:
            with Airdeed(build, at, "pbft", 4) as cluster:
                many, low = cluster.load(1024, warm, seconds, 32), cluster.load(4, warm, seconds, 1)
            note("pbft4_merkle", many["ops_per_s"])
            note("pbft4_low_p50", low["p50_ms"])
            say(f"{system}: {many}, {low}")


def version_of(command, pattern):
    got = subprocess.run(command, capture_output=True, text=True)
    found = re.search(pattern, got.stdout)
    return found.group(1) if found else "?"


def make_rows(results):
    median = {name: statistics.median(values) for name, values in results.items()}
    etcd = "etcd " + version_of(["etcd", "--version"], r"etcd Version: (\S+)") + " x3"
    libraft = "libraft " + version_of(["pkg-config", "--modversion", "raft"], r"(\S+)") + " x3"
    rows = []

    def row(name, own, unit, peer, theirs, scale=1):
        value, peer_value = median.get(own), median.get(theirs)
        if value is None:
            return
        ratio = value / peer_value * scale if peer_value else None
        rows.append({"name": name, "value": round(value, 3), "unit": unit, "peer": peer if peer_value else None,
                     "peer_value": round(peer_value, 3) if peer_value else None, "ratio": round(ratio, 3) if ratio else None})

    for peer, tag, theirs in ((etcd, "", "etcd"), (libraft, "_libraft", "libraft")):
        if tag and "libraft_256" not in median:
            continue
        row(f"raft3_256{tag}", "raft3_256", "ops/s", peer, f"{theirs}_256")
        row(f"raft3_256_cpu{tag}", "raft3_256_cpu", "us/op", peer, f"{theirs}_256_cpu")
        row(f"raft3_1_p50{tag}", "raft3_1_p50", "ms", peer, f"{theirs}_1_p50")
    row("raft3_signed_256", "raft3_signed_256", "ops/s", etcd + ", unsigned", "etcd_256")
    row("pbft4_merkle", "pbft4_merkle", "ops/s", None, None)
    row("pbft4_low_p50", "pbft4_low_p50", "ms", "one SQLite transaction with synchronous=FULL", "sync")
    return rows


def store_rows(build):
    program = f"{build}/bench_ledger_store"
    try:
        got = subprocess.run([program], capture_output=True, text=True)
        rows = json.loads(got.stdout)["results"] if got.returncode == 0 else None
    except (OSError, ValueError, KeyError) as error:
        raise Failed(f"{program}: {error}") from error
    if not rows:
        raise Failed(f"{program} ended with {got.returncode}: {got.stderr.strip()[-400:]}")
    return rows


def main():
    options = argparse.ArgumentParser(prog="bench ledger", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--json", action="store_true", help="one JSON object on stdout")
    options.add_argument("--rounds", type=int, default=3, help="how often each system takes its turn (default 3)")
    options.add_argument("--seconds", type=float, default=4, help="a load is measured for so long (default 4)")
    options.add_argument("--only", default=",".join((*SYSTEMS, "store")), help="some of raft3,etcd,libraft,pbft4,store")
    options.add_argument("--build", default="build/release", help="folder of the programs")
    options.add_argument("--dir", default=None, help="data goes below it (default: the build folder's disk)")
    given = options.parse_args()
    wanted = given.only.split(",")
    if unknown := set(wanted) - {*SYSTEMS, "store"}:
        print(f"bench ledger: --only: nothing is called '{unknown.pop()}'", file=sys.stderr)
        return 2
    results = {}
    folder = tempfile.mkdtemp(prefix="ledger-", dir=given.dir or given.build)
    try:
        for turn in range(given.rounds if set(wanted) & set(SYSTEMS) else 0):
            order = SYSTEMS if turn % 2 == 0 else SYSTEMS[::-1] # what a neighbour leaves behind falls on each in turn
            run_round(given.build, folder, order, wanted, given.seconds, results)
        rows = make_rows(results) if results else []
        if "store" in wanted:
            rows += store_rows(given.build)
    except (Failed, subprocess.SubprocessError) as error:
        print(f"bench ledger: {error}", file=sys.stderr)
        return 3
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if given.json:
        print_json("ledger", given.build, rows)
    else:
        for row in rows:
            print(f"{row['name']:24} {row['value']:12g} {row['unit']:8}", end="")
            print(f" {row['ratio']:8.3f} x {row['peer']} ({row['peer_value']:g})" if row["peer"] else "")
    return 0


if __name__ == "__main__":
    sys.exit(main())
