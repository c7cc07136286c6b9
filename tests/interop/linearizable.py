#!/usr/bin/python3
"""linearizable.py FILE...: are these histories of registers linearizable (Herlihy and Wing, 1990)?

Each line of a history is one operation as its client saw it, in JSON:
    {"client": "a", "op": "put" | "get", "key": "1", "value": "x" | null, "start_ns": 1, "end_ns": 2, "done": true}
`done` false: the client does not know whether it took effect; it may have at any time after start_ns, or never. A get that is not
done says nothing and is left out. null is a register that was never put.
Keys are independent of each other, so each is searched alone, by the method of Wing and Gong (1993) with the states already visited
remembered (Lowe, 2017). Exit code 0: all are; 1: one is not (its key and the operation that fits nowhere are printed); 2: no history.
"""
import json
import sys


def read_history(path):
    by_key = {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                operation = json.loads(line)
                entry = (int(operation["start_ns"]), int(operation["end_ns"]) if operation["done"] else None,
                         operation["op"], operation["value"], number)
            except (ValueError, KeyError, TypeError) as error:
                print(f"{path}:{number}: no operation: {error}", file=sys.stderr)
                raise SystemExit(2) from error
            if operation["done"] or operation["op"] == "put":
                by_key.setdefault(operation["key"], []).append(entry)
    return by_key


def find_misfit(operations):
    """None if the operations on one register are linearizable, else the first operation that no order explains."""
    operations = sorted(operations, key=lambda operation: (operation[0], operation[4]))
    n = len(operations)
    ends = [float("inf") if end is None else end for _, end, _, _, _ in operations]
    n_certain = sum(end is not None for _, end, _, _, _ in operations)
    visited = set()
    stack = [(0, frozenset(), None, 0)]  # all below the first are linearized, some above it, the register's value, certain ones so far
    furthest, misfit = -1, None
    while stack:
        first, above, value, n_done = stack.pop()
        if n_done == n_certain:
            return None
        if (first, above, value) in visited:
            continue
        visited.add((first, above, value))
        earliest_end = min(ends[i] for i in range(first, n) if i not in above)
        blocked = next(i for i in range(first, n) if i not in above and ends[i] == earliest_end)
        if n_done > furthest:
            furthest, misfit = n_done, operations[blocked]
        possible = [i for i in range(first, n) if operations[i][0] <= earliest_end and i not in above]
        fitting = [i for i in possible if operations[i][2] == "get" and operations[i][3] == value]
        if fitting:
            possible = fitting[:1]  # it changes nothing, so now is as good as later
        for i in reversed(possible):
            _, end, kind, what, _ = operations[i]
            if kind == "get" and what != value:
                continue
            rest, after = first, above | {i}
            while rest in after:
                after = after - {rest}
                rest += 1
            stack.append((rest, after, what if kind == "put" else value, n_done + (end is not None)))
    return misfit


def main(paths):
    if not paths:
        print(__doc__, file=sys.stderr)
        return 2
    n_operations = 0
    for path in paths:
        for key, operations in sorted(read_history(path).items()):
            n_operations += len(operations)
            misfit = find_misfit(operations)
            if misfit:
                print(f"{path}:{misfit[4]}: not linearizable: {misfit[2]} of key {key}, value {misfit[3]}")
                return 1
    if n_operations == 0:
        print("no operations", file=sys.stderr)
        return 2
    print(f"{n_operations} operations are linearizable")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
