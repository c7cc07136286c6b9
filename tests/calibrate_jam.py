#!/usr/bin/env python3
"""Writes mac/detector_table.c from training episodes of the jam detector.

    build/release/airdeed calibrate --jam 48 --seed 11 > episodes.jsonl
    tests/calibrate_jam.py episodes.jsonl > mac/detector_table.c

Each kind of energy gets a box in the statistics that tell it from others: from the least to the greatest value in training, wider by a
margin; where two kinds border on each other, in the statistic that divides them the border lies half way. What lies in no box is
"jammed". Where the boxes change so do the instants of verdicts, and with them a little what is seen: run both lines until the file stays the
same (once is enough from the shipped one).

Confidence is how often a verdict of that kind, on so much evidence, was right; half a success and half a failure are added. Verdicts
are those of the boxes that the program had, not of those that are made here; with a second file of episodes, of another seed and run with the new
boxes, they come from there. A verdict of "jammed" is right where the jammer is of no kind that the detector knows. So it comes from episodes whose own
kind was kept from the detector (left_out), one kind after the other; all of these together count as much as one class, beside every
"jammed" that was said of a kind that it does know."""
import json
import sys

# Name, kind, which episodes show it (class, and for primary users which), and the statistics that count.
SHOWN = [
    ("tone", "TONE", ["tone"], None, ["kurtosis", "narrow", "spread"]),
    ("sweep", "SWEEP", ["sweep"], None, ["kurtosis"]),
    ("pilot", "PILOT", ["pilot"], None, ["repeat", "narrow"]),
    ("noise", "CONSTANT", ["noise", "pulse", "random"], None, ["kurtosis", "narrow", "repeat"]),
    ("narrowband", "FOREIGN", ["foreign"], "narrowband", ["kurtosis", "narrow"]),
    ("ofdm", "FOREIGN", ["foreign", "congestion"], "ofdm", ["repeat"]),  # members' frames that met look the same
]
BORDERS = [("noise", "ofdm", "repeat"), ("ofdm", "pilot", "repeat"), ("tone", "narrowband", "kurtosis"), ("sweep", "narrowband", "kurtosis")]
FEATURES = ["kurtosis", "narrow", "repeat", "spread"]
LIMITS = {"kurtosis": (0, 99999), "narrow": (0, 1001), "repeat": (0, 1001), "spread": (0, 99999)}
# How far beyond the training's extremes a box reaches: a share of their distance, and so much more.
MARGIN = {"kurtosis": 80, "narrow": 30, "repeat": 25, "spread": 40}
SHARE = 0.3
KINDS = ["none", "congestion", "weak-link", "constant", "pulse", "reactive", "jammed", "foreign", "tone", "sweep", "preamble", "pilot",
         "deceptive"]
LEVELS = 3
N_LEFT_OUT = 9  # classes of jammers that training has
FEWEST = 10  # verdicts; a level with fewer takes the kind's


def seen(episodes, classes, primary):
    rows = [e for e in episodes if not e.get("left_out") and e["class"] in classes and e["kurtosis"] > 0 and e.get("primary", primary) == primary]
    return rows


def box_of(rows, features):
    box = {f: list(LIMITS[f]) for f in FEATURES}
    for f in features:
        low, high = min(r[f] for r in rows), max(r[f] for r in rows)
        reach = SHARE * (high - low) + MARGIN[f]
        box[f] = [max(LIMITS[f][0], int(low - reach)), min(LIMITS[f][1], int(high + reach))]
    return box


def set_borders(boxes, rows):
    for below, above, f in BORDERS:
        middle = (max(r[f] for r in rows[below]) + min(r[f] for r in rows[above])) // 2
        boxes[below][f][1] = middle
        boxes[above][f][0] = middle + 1


def volume(box):
    v = 1.0
    for f in FEATURES:
        v *= (box[f][1] - box[f][0] + 1) / (LIMITS[f][1] - LIMITS[f][0])
    return v


def chance(right, wrong):
    return round(1000 * (right + 0.5) / (right + wrong + 1))


def confidence_of(kind, verdicts):
    known = [e for e in verdicts if not e.get("left_out")]
    wrong = sum(e["right"] != kind for e in known)
    if kind != "jammed":
        return chance(len(known) - wrong, wrong)
    return chance((len(verdicts) - len(known)) / N_LEFT_OUT, wrong)


def confidences(episodes):
    table = {}
    for kind in KINDS:
        of_kind = [e for e in episodes if e["said"] == kind and (kind == "jammed" or not e.get("left_out"))]
        levels = [[e for e in of_kind if e["level"] == level] for level in range(LEVELS)]
        table[kind] = [confidence_of(kind, some if len(some) >= FEWEST else of_kind) for some in levels]
    return table


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: calibrate_jam.py EPISODES.jsonl [VERDICTS.jsonl] > mac/detector_table.c")
    files = [[json.loads(line) for line in open(name)] for name in sys.argv[1:3]]
    episodes, judged = files[0], files[-1]
    rows = {name: seen(episodes, classes, primary) for name, _, classes, primary, _ in SHOWN}
    boxes = {name: box_of(rows[name], features) for name, _, _, _, features in SHOWN}
    set_borders(boxes, rows)
    kinds = {name: kind for name, kind, _, _, _ in SHOWN}
    print("/* Written by tests/calibrate_jam.py from %d episodes; not by hand. */" % sum(map(len, files)))
    print('#include "mac/detector.h"\n')
    print("const struct mac_jam_box mac_jam_boxes[] = {")
    for name in sorted(boxes, key=lambda n: volume(boxes[n])):
        limits = [v for f in FEATURES for v in boxes[name][f]]
        print("    {MAC_JAM_%s, %s}, /* %s */" % (kinds[name], ", ".join(str(v) for v in limits), name))
    print("};\nconst unsigned mac_jam_n_boxes = sizeof mac_jam_boxes / sizeof *mac_jam_boxes;\n")
    print("const uint16_t mac_jam_confidences[MAC_JAM_N_KINDS][MAC_JAM_LEVELS] = {")
    for kind, row in confidences(judged).items():
        name = "UNKNOWN" if kind == "jammed" else kind.upper().replace("-", "_")
        print("    [MAC_JAM_%s] = {%s}," % (name, ", ".join(map(str, row))))
    print("};")


if __name__ == "__main__":
    main()
