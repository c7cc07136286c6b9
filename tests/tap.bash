# What the scripts that print TAP share: to be sourced. Titles begin with $engine, where that is set.
n=0
failed=0
# Nothing measures: what is awaited comes within a second or so, and much later where others have the processors. What never comes fails
# after this time.
patience_s=120

report() { # ok or 'not ok', title
    n=$((n + 1))
    echo "$1 $n - ${engine:+$engine: }$2"
    [ "$1" = ok ] || failed=1
}

skip() { # title, why
    report ok "$1 # SKIP $2"
}

check() { # title, command...: its success is the verdict. Lines that begin with # are shown, all that it says when it fails
    local title=$1
    shift
    if "$@" >"$work/said" 2>&1; then
        report ok "$title"
        grep '^#' "$work/said"
    else
        report 'not ok' "$title"
        sed 's/^# //; s/^/# /' "$work/said" | tail -n 20
        ! declare -F explain >/dev/null || explain # the script's own: where to look
    fi
    return 0
}

await() { # command...: until it succeeds
    local until=$((SECONDS + patience_s))
    while ! "$@"; do
        [ $SECONDS -lt $until ] || return 1
        sleep 0.1
    done
}

end_tests() {
    echo "1..$n"
    exit $failed
}
