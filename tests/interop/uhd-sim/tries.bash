# What is tried with simulated USRPs, which run in real time: on a machine that is busy elsewhere samples and bursts come too late. To be
# sourced. $work/stalls is the simulators' stall_log.
n_still=3 # tries in which a device stood still, until nothing can be said

# Until it is good, three times. What is wrong three times fails. What was too slow three times does, too, but where the devices
# themselves stood still for 50 ms and more in each of these tries: then nothing can be said of the program, $work/stood_still has these
# milliseconds, and one such try is enough for whatever else is tried. 0 good, 1 failed, 2 nothing can be said
persist() { # a command that returns 0 good, 1 wrong, 2 too slow to tell
    local tries code n_slow=0 n_before longest
    for ((tries = 1; tries <= 3; tries++)); do
        [ $tries = 1 ] || echo "# again, since it failed: $*" | cut -c1-150
        n_before=$(wc -l <"$work/stalls")
        "$@"
        code=$?
        [ $code != 0 ] || return 0
        longest=$(tail -n "+$((n_before + 1))" "$work/stalls" | sort -n | tail -n 1)
        [ $code = 2 ] && [ -n "$longest" ] || continue
        echo "$longest" >"$work/stood_still"
        n_slow=$((n_slow + 1))
        [ $n_slow -lt $n_still ] || break
    done
    [ $n_slow -ge $n_still ] || return 1
    n_still=1
    return 2
}

tell_slowness() {
    echo "the simulated radio stood still for $(cat "$work/stood_still") ms: this machine does not run it in real time"
}

wait_for() { # file, pattern[, process]: until it stands there, while the process lives
    local until=$((SECONDS + 120))
    until grep -q "$2" "$1" 2>/dev/null; do
        [ $SECONDS -lt $until ] || return 1
        [ -z "${3:-}" ] || kill -0 "$3" 2>/dev/null || return 1
        sleep 0.1
    done
}
