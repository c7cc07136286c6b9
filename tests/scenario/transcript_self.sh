#!/bin/bash
# The transcript runner itself: it accepts what is right and notices each kind of difference. Prints TAP.
set -u
. "$(dirname "$0")/../tap.bash"
runner=$(cd "$(dirname "$0")" && pwd)/transcript.sh
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT

ends_in() { # pass or fail; transcript on stdin. The verdict stands in the TAP lines as well as in the exit code
    local verdict=fail said=pass
    cat >"$work/case.txt"
    "$runner" "$work/case.txt" >"$work/out" 2>&1 && verdict=pass
    ! grep -q '^not ok' "$work/out" || said=fail
    [ $verdict = "$1" ] && [ $said = "$1" ] || { cat "$work/out"; return 1; }
}

check 'the whole output and the exit code are as written' ends_in pass <<'END'
# a comment
$ echo one; echo two >&2; exit 3
one
two
[exit 3]

$ echo a folder keeps its files > kept
$ cat kept
a folder keeps its files
END
check 'another line is noticed' ends_in fail <<'END'
$ echo one
two
END
check 'a missing line is noticed' ends_in fail <<'END'
$ echo one
one
two
END
check 'a further line is noticed' ends_in fail <<'END'
$ echo one; echo two
one
END
check 'output where none is expected is noticed' ends_in fail <<'END'
$ echo one
$ true
END
check 'another exit code is noticed' ends_in fail <<'END'
$ exit 1
[exit 2]
END
check 'an exit code that is not announced is noticed' ends_in fail <<'END'
$ exit 1
END
check 'an announced exit code that does not come is noticed' ends_in fail <<'END'
$ true
[exit 1]
END
check 'a fragment matches by its expression, the rest letter by letter' ends_in pass <<'END'
$ echo 'p50 12.25 ms (over) [x] a{b} done 0123456789abcdef'
p50 {{[0-9]+\.[0-9]+}} ms (over) [x] a{b} done {{[0-9a-f]{16}}}
END
check 'a fragment that does not match is noticed' ends_in fail <<'END'
$ echo 'p50 x ms'
p50 {{[0-9]+}} ms
END
check 'a dot outside a fragment is only a dot' ends_in fail <<'END'
$ echo 'axb 1'
a.b {{[0-9]}}
END
check 'three dots stand for any number of lines' ends_in pass <<'END'
$ seq 5
1
...
5
...
END
check 'what stands after three dots must still come' ends_in fail <<'END'
$ seq 5
1
...
7
END
check 'three dots find the later of two candidates' ends_in pass <<'END'
$ printf 'a\nb\nx\na\nb\nc\n'
...
a
b
c
END
check 'a command goes on over lines' ends_in pass <<'END'
$ cat <<X
> one
> X
one
END
check 'a transcript without a command fails' ends_in fail <<'END'
# nothing here
END
check 'a transcript whose requirement is missing is skipped' ends_in pass <<'END'
#requires: no-such-program-anywhere
$ false
END
check 'and the reason is printed' grep -q '# SKIP no-such-program-anywhere' "$work/out"
end_tests
