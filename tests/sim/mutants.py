#!/usr/bin/env python3
"""Planted bugs: each file of tests/sim/mutants/ names one, and what has to notice it. A copy of the sources gets the bug, is compiled, and
the catchers run, five CPU minutes at most in all. The gate fails if one bug survives, does not apply or does not compile, and when there
is none. Called by ./dev mutants [--list] [NAME...]."""
import os
import resource
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORK = os.path.join(ROOT, 'build', 'mutants')
SOURCE = os.path.join(WORK, 'source')
BUILD = os.path.join(WORK, 'release')
CPU_S = 300
SIM_S = float(os.environ.get('AIRDEED_MUTANT_SIM_S', 200))


class Mutant:
    """One file: 'key: value' lines, then '--- old', the exact text, '--- new', what stands there instead, '--- end'; the last
    line's end belongs to neither text."""

    def __init__(self, name):
        self.name = name
        self.catchers = []
        self.changes = []
        path = os.path.join(ROOT, 'tests', 'sim', 'mutants', name)
        part, target, texts = None, None, {}
        with open(path, encoding='utf-8') as lines:
            for line in lines:
                word = line.rstrip('\n')
                if word in ('--- old', '--- new'):
                    part = word[4:]
                    texts[part] = ''
                elif word == '--- end':
                    self.changes.append((target, texts['old'][:-1], texts['new'][:-1]))
                    part, texts = None, {}
                elif part:
                    texts[part] += line
                elif word.startswith('bug: '):
                    self.bug = word[5:]
                elif word.startswith('file: '):
                    target = word[6:]
                elif word.startswith('caught by: '):
                    self.catchers.append(word[11:].split())
                elif word:
                    sys.exit(f'{path}: what is "{word}"?')
        for catcher in self.catchers:
            if catcher[0] != 'sim' and (catcher[0] != 'unit' or len(catcher) != 2):
                sys.exit(f'{path}: "{" ".join(catcher)}" is neither "sim ..." nor "unit FOLDER/TEST"')
        if not self.changes or not self.catchers:
            sys.exit(f'{path}: no change, or nothing that catches it')


def names():
    return sorted(n for n in os.listdir(os.path.join(ROOT, 'tests', 'sim', 'mutants')) if not n.startswith('.'))


def write(path, text):
    with open(path, 'w', encoding='utf-8') as out:
        out.write(text)


def copy_sources():
    """Only what differs, so that what was compiled stays."""
    listed = subprocess.run(['git', '-C', ROOT, 'ls-files', '-co', '--exclude-standard'], check=True, capture_output=True, text=True).stdout.split('\n')
    for name in filter(None, listed):
        source, copy = os.path.join(ROOT, name), os.path.join(SOURCE, name)
        if not os.path.isfile(source):
            continue
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        if os.path.exists(copy):
            with open(source, 'rb') as a, open(copy, 'rb') as b:
                if a.read() == b.read():
                    continue
        shutil.copyfile(source, copy)
        shutil.copymode(source, copy)
    kept = set(listed)
    for folder, _, files in os.walk(SOURCE):
        for file in files:
            path = os.path.join(folder, file)
            if os.path.relpath(path, SOURCE) not in kept:
                os.remove(path)


def build(targets):
    if not os.path.exists(os.path.join(BUILD, 'build.ninja')):
        subprocess.run(['cmake', '-G', 'Ninja', '-B', BUILD, '-S', SOURCE, '-DCMAKE_BUILD_TYPE=Release', '-DAIRDEED_WHOLE_SIM=OFF'], check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run(['ninja', '-C', BUILD, *targets], capture_output=True, text=True, check=False)
    return '' if done.returncode == 0 else '\n'.join(line for line in done.stdout.split('\n') if 'error:' in line or 'FAILED' in line)


def target_of(catcher):
    return 'airdeed_sim' if catcher[0] == 'sim' else 'unit_' + catcher[1].replace('/', '_')


def command_of(catcher):
    if catcher[0] == 'sim':
        return [os.path.join(BUILD, 'sim', 'airdeed_sim'), '--seed', '1', '--seconds', str(SIM_S), '--first', *catcher[1:]]
    return [os.path.join(BUILD, 'unit', target_of(catcher))]


def cpu_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(catcher, limit_s):
    """Whether it noticed, the CPU time, and the line that says so."""
    start = cpu_s()

    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (int(limit_s) + 1, int(limit_s) + 2))

    environment = dict(os.environ, CK_TIMEOUT_MULTIPLIER='15')
    done = subprocess.run(command_of(catcher), capture_output=True, text=True, errors='replace', preexec_fn=limit, env=environment, check=False)
    lines = [line for line in (done.stdout + done.stderr).split('\n') if 'FAILED' in line or ':F:' in line or ':E:' in line or 'ssert' in line]
    used = cpu_s() - start
    ran_out = done.returncode < 0 and used >= limit_s
    return done.returncode != 0 and not ran_out, used, lines[0].strip() if lines else f'exit code {done.returncode}'


def judge(mutant):
    """None if it was caught, else why not."""
    before = {}
    for file, old, new in mutant.changes:
        path = os.path.join(SOURCE, file)
        with open(path, encoding='utf-8') as source:
            text = source.read()
        before.setdefault(path, text)
        if text.count(old) != 1:
            for changed, original in before.items():
                write(changed, original)
            return f'does not apply: its old text stands {text.count(old)} times in {file}'
        write(path, text.replace(old, new))
    try:
        error = build(sorted({target_of(c) for c in mutant.catchers}))
        if error:
            return 'does not compile: ' + error
        left_s = CPU_S
        for catcher in mutant.catchers:
            noticed, used, line = run(catcher, left_s)
            left_s -= used
            if noticed:
                print(f'caught {mutant.name} by {" ".join(catcher)} in {used:.1f} CPU s: {line[:150]}', flush=True)
                return None
        return f'survives {CPU_S - left_s:.0f} CPU s of {", ".join(" ".join(c) for c in mutant.catchers)}'
    finally:
        for path, text in before.items():
            write(path, text)


def main():
    chosen = [a for a in sys.argv[1:] if a != '--list'] or names()
    for name in chosen:
        if name not in names():
            sys.exit(f'{name}: no such planted bug (--list names them)')
    mutants = [Mutant(name) for name in chosen]
    if '--list' in sys.argv:
        for m in mutants:
            print(f'{m.name}: {m.bug} ({", ".join(" ".join(c) for c in m.catchers)})')
        return 0
    copy_sources()
    catchers = {tuple(c) for m in mutants for c in m.catchers}
    error = build(sorted({target_of(c) for c in catchers}))
    if error:
        sys.exit('the sources themselves do not compile: ' + error)
    for catcher in sorted(c for c in catchers if c[0] != 'sim'):
        noticed, _, line = run(catcher, CPU_S)
        if noticed:
            sys.exit(f'{" ".join(catcher)} fails without any planted bug: {line}')
    failures = 0
    for m in mutants:
        why = judge(m)
        if why:
            failures += 1
            print(f'NOT CAUGHT {m.name} ({m.bug}): {why}', flush=True)
    print(f'{len(mutants)} planted bugs, {len(mutants) - failures} caught, {failures} not')
    return failures > 0 or not mutants


if __name__ == '__main__':
    sys.exit(main())
