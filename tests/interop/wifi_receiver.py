#!/usr/bin/python3
"""A receiver for IEEE 802.11 OFDM (clause 17) that shares nothing with airdeed: written from the clauses in numpy, for tests.

usage: wifi_receiver.py NAME.sigmf-meta; prints one JSON object a frame: start_sample, rate_mbps, length_octets, fcs_ok, psdu_sha256."""
import hashlib
import json
import sys
import zlib

import numpy as np

RATES = {"1101": (6, 1, (1, 1)), "1111": (9, 1, (1, 1, 1, 0, 0, 1)), "0101": (12, 2, (1, 1)), "0111": (18, 2, (1, 1, 1, 0, 0, 1)),
         "1001": (24, 4, (1, 1)), "1011": (36, 4, (1, 1, 1, 0, 0, 1)), "0001": (48, 6, (1, 1, 1, 0)), "0011": (54, 6, (1, 1, 1, 0, 0, 1))}
PILOTS = np.array([-21, -7, 7, 21])
USED = np.array([k for k in range(-26, 27) if k])
DATA = np.array([k for k in USED if k not in PILOTS])
# 17.3.3: the long training field over subcarriers -26..-1, 1..26
LONG = np.array([1, 1, -1, -1, 1, 1, -1, 1, -1, 1, 1, 1, 1, 1, 1, -1, -1, 1, 1, -1, 1, -1, 1, 1, 1, 1,
                 1, -1, -1, 1, 1, -1, 1, -1, 1, -1, -1, -1, -1, -1, 1, 1, -1, -1, 1, -1, 1, -1, 1, 1, 1, 1])
GRAY = {1: {"0": -1, "1": 1}, 2: {"00": -3, "01": -1, "11": 1, "10": 3},
        3: {"000": -7, "001": -5, "011": -3, "010": -1, "110": 1, "111": 3, "101": 5, "100": 7}}


def scrambler(state):
    """State X1..X7; yields the sequence."""
    state = list(state)
    while True:
        bit = state[3] ^ state[6]
        state = [bit] + state[:6]
        yield bit


def take(sequence, n):
    return [next(sequence) for _ in range(n)]


POLARITY = 1 - 2 * np.array(take(scrambler([1] * 7), 127))


def read_samples(path):
    name = path.removesuffix(".sigmf-meta")
    with open(name + ".sigmf-meta", encoding="utf-8") as file:
        meta = json.load(file)["global"]
    kind = meta["core:datatype"]
    raw = np.fromfile(name + ".sigmf-data", "<i2" if kind == "ci16_le" else "<f4").astype(float)
    return meta["core:sample_rate"], raw[::2] + 1j * raw[1::2]


def find_long_training(x, start):
    """First sample of the first long training symbol at or after start, by its two-fold shape; None if there is none."""
    bins = np.zeros(64, complex)
    bins[USED] = LONG
    symbol = np.fft.ifft(bins) * 64
    for block in range(start, len(x) - 400, 4096):
        part = x[block:block + 4096 + 256]
        if len(part) < 256:
            return None
        energy = np.convolve(np.abs(part) ** 2, np.ones(64), "valid") * 52 * 64 + 1e-30
        match = np.abs(np.correlate(part, symbol, "valid")) ** 2 / energy
        both = np.minimum(match[:-64], match[64:])
        places = np.flatnonzero(both[:4096] > 0.4)
        if len(places):
            near = places[0] + np.arange(min(40, len(both) - places[0]))
            return block + int(near[np.argmax(both[near])])
    return None


def spectrum(x):
    return np.fft.fft(x)[USED]


def soft_bits(points, gains, n_bpsc):
    """Log-likelihood ratios by the nearest points with a 0 and with a 1, weighted by the channel; positive for 0."""
    if n_bpsc == 1:
        return -points.real * gains
    half = n_bpsc // 2
    words = sorted(GRAY[half])
    levels = np.array([GRAY[half][w] for w in words]) / np.sqrt({2: 2, 4: 10, 6: 42}[n_bpsc])
    out = np.empty((len(points), n_bpsc))
    for axis, part in enumerate((points.real, points.imag)):
        distance = (part[:, None] - levels) ** 2
        for bit in range(half):
            ones = np.array([w[bit] == "1" for w in words])
            out[:, axis * half + bit] = (distance[:, ones].min(1) - distance[:, ~ones].min(1)) * gains
    return out.ravel()


def deinterleave(soft, n_bpsc):
    n, s = 48 * n_bpsc, max(n_bpsc // 2, 1)
    k = np.arange(n)
    i = n // 16 * (k % 16) + k // 16
    return soft[s * (i // s) + (i + n - 16 * i // n) % s]


def viterbi(soft):
    """soft: pairs for generators 133 and 171 (octal); the oldest bit of a state is its lowest."""
    window = np.arange(128)  # newest bit in bit 6
    parity = np.array([bin(w).count("1") & 1 for w in range(128)])
    sign_a, sign_b = 1 - 2 * parity[window & 0o133], 1 - 2 * parity[window & 0o171]
    metric = np.full(64, -1e9)
    metric[0] = 0
    choices = np.empty((len(soft) // 2, 64), int)
    # state s comes from the windows with s in the upper six bits
    windows = np.arange(64)[:, None] * 2 + np.arange(2)
    for t in range(len(soft) // 2):
        ways = metric[windows & 63] + sign_a[windows] * soft[2 * t] + sign_b[windows] * soft[2 * t + 1]
        choices[t] = ways.argmax(1)
        metric = ways.max(1)
    state, bits = 0, []
    for t in range(len(choices) - 1, -1, -1):
        bits.append(state >> 5)
        state = (state * 2 + choices[t][state]) & 63
    return bits[::-1]


class Frame:
    def __init__(self, x, long_start):
        first, second = x[long_start:long_start + 64], x[long_start + 64:long_start + 128]
        turn = np.angle(np.vdot(first, second)) / 64
        short = x[max(long_start - 160, 0):long_start - 48]
        # the long field knows the offset to a multiple of 1/64, the short one the multiple
        coarse = np.angle(np.vdot(short[:-16], short[16:])) / 16
        turn += 2 * np.pi / 64 * np.round((coarse - turn) * 64 / (2 * np.pi))
        self.x = x[long_start:] * np.exp(-1j * turn * np.arange(len(x) - long_start))
        self.channel = (spectrum(self.x[:64]) + spectrum(self.x[64:128])) / 2 * LONG
        self.symbol = 0

    def next_soft(self, n_bpsc):
        at = 128 + 80 * self.symbol + 16
        if at + 64 > len(self.x):
            raise EOFError
        # four samples early, where a window's ramps of the next symbol cannot be
        bins = spectrum(self.x[at - 4:at + 60]) * np.exp(2j * np.pi * USED * 4 / 64) / self.channel
        pilots = bins[np.searchsorted(USED, PILOTS)] * np.array([1, 1, 1, -1]) * POLARITY[self.symbol % 127]
        weights = np.abs(self.channel[np.searchsorted(USED, PILOTS)]) ** 2
        common = np.angle(np.sum(pilots * weights))
        slope = np.sum(np.angle(pilots * np.exp(-1j * common)) * PILOTS) / np.sum(PILOTS ** 2)
        bins = bins * np.exp(-1j * (common + slope * USED))
        chosen = np.searchsorted(USED, DATA)
        self.symbol += 1
        return deinterleave(soft_bits(bins[chosen], np.abs(self.channel[chosen]) ** 2, n_bpsc), n_bpsc)

    def decode(self):
        signal = viterbi(self.next_soft(1))
        word = "".join(map(str, signal))
        if word[:4] not in RATES or word[4] == "1" or sum(signal[:18]) % 2 or "1" in word[18:]:
            return None
        mbps, n_bpsc, kept = RATES[word[:4]]
        length = int(word[16:4:-1], 2)
        n_symbols = -(-(16 + 8 * length + 6) // (4 * mbps))
        sent = np.concatenate([self.next_soft(n_bpsc) for _ in range(n_symbols)])
        soft = np.zeros(n_symbols * 8 * mbps)
        soft[np.resize(np.array(kept, bool), len(soft))] = sent
        bits = viterbi(soft[:2 * (16 + 8 * length + 6)])
        state = bits[6::-1]  # SERVICE begins with seven zeros, so these bits are the scrambler's, the last of them now X1
        bits = bits[:7] + [a ^ b for a, b in zip(bits[7:], scrambler(state))]
        octets = np.packbits(np.array(bits[16:16 + 8 * length], np.uint8), bitorder="little").tobytes()
        return mbps, octets


def main():
    clock, x = read_samples(sys.argv[1])
    start = 0
    while (long_start := find_long_training(x, start)) is not None:
        start = long_start + 128
        try:
            frame = Frame(x, long_start)
            decoded = frame.decode()
        except EOFError:
            continue
        if decoded is None:
            continue
        mbps, psdu = decoded
        start = long_start + 128 + 80 * frame.symbol
        fcs_ok = zlib.crc32(psdu[:-4]).to_bytes(4, "little") == psdu[-4:]
        print(json.dumps({"start_sample": long_start - 192, "rate_mbps": round(mbps * clock / 20e6, 3), "length_octets": len(psdu),
                          "fcs_ok": fcs_ok, "psdu_sha256": hashlib.sha256(psdu).hexdigest()}))


main()
