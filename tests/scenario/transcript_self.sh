#!/bin/sh
# The transcript runner itself: it accepts what is right and notices each kind of difference. Prints TAP.
set -u
runner=$(cd "$(dirname "$0")" && pwd)/transcript.sh
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
n=0
failed=0

check() { # title, expected verdict (pass or fail); transcript on stdin
    n=$((n + 1))
    cat >"$work/case.txt"
    if "$runner" "$work/case.txt" >"$work/out" 2>&1; then verdict=pass; else verdict=fail; fi
    # the verdict stands in the TAP lines as well as in the exit code
    if grep -q '^not ok' "$work/out"; then said=fail; else said=pass; fi
    if [ $verdict = "$2" ] && [ $said = "$2" ]; then
        echo "ok $n - $1"
    else
        failed=1
        echo "not ok $n - $1"
        sed 's/^/# /' "$work/out"
    fi
}

check 'the whole output and the exit code are as written' pass <<'END'
# a comment
$ echo one; echo two >&2; exit 3
one
two
[exit 3]

$ echo a folder keeps its files > kept
$ cat kept
a folder keeps its files
END
check 'another line is noticed' fail <<'END'
$ echo one
two
END
check 'a missing line is noticed' fail <<'END'
$ echo one
one
two
END
check 'a further line is noticed' fail <<'END'
$ echo one; echo two
one
END
check 'output where none is expected is noticed' fail <<'END'
$ echo one
$ true
END
check 'another exit code is noticed' fail <<'END'
$ exit 1
[exit 2]
END
check 'an exit code that is not announced is noticed' fail <<'END'
$ exit 1
END
check 'an announced exit code that does not come is noticed' fail <<'END'
$ true
[exit 1]
END
check 'a fragment matches by its expression, the rest letter by letter' pass <<'END'
$ echo 'p50 12.25 ms (over) [x] a{b} done 0123456789abcdef'
p50 {{[0-9]+\.[0-9]+}} ms (over) [x] a{b} done {{[0-9a-f]{16}}}
END
check 'a fragment that does not match is noticed' fail <<'END'
$ echo 'p50 x ms'
p50 {{[0-9]+}} ms
END
check 'a dot outside a fragment is only a dot' fail <<'END'
$ echo 'axb 1'
a.b {{[0-9]}}
END
check 'three dots stand for any number of lines' pass <<'END'
$ seq 5
1
...
5
...
END
check 'what stands after three dots must still come' fail <<'END'
$ seq 5
1
...
7
END
check 'three dots find the later of two candidates' pass <<'END'
$ printf 'a\nb\nx\na\nb\nc\n'
...
a
b
c
END
check 'a command goes on over lines' pass <<'END'
$ cat <<X
> one
> X
one
END
check 'a transcript without a command fails' fail <<'END'
# nothing here
END
check 'a transcript whose requirement is missing is skipped' pass <<'END'
#requires: no-such-program-anywhere
$ false
END
grep -q '# SKIP no-such-program-anywhere' "$work/out" || { failed=1; echo "not ok $n - the reason of a skip is printed"; }
echo "1..$n"
exit $failed
