#!/bin/bash
# Running ledger nodes: status in words, metrics on request, a rolling restart under load, the systemd unit. Prints TAP.
# shellcheck disable=SC2034,SC2154 # engine, dir and pids are shared with what is sourced
set -u
. "$(dirname "$0")/../ledger_cluster.bash"
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d) || exit 3
engine=raft
trap 'stop_everything; rm -rf "$work"' EXIT

status() { # what to ask
    airdeed ledger status --node "$dir/$1" --key "$dir/client.key" --timeout 10s >"$work/status" 2>&1
}

all_answer() {
    status cluster.yaml && [ "$(grep -cE ' connected, (last at|has not voted)' "$work/status")" = 3 ] && ! grep -q 'not connected' "$work/status" &&
        [ "$(grep -cE ': (leader|follower), term [0-9]+, leader n[0-2]; up for [0-9]+ s' "$work/status")" = 3 ]
}

one_is_missed() { # node number: the others name it, and the status of all says so
    status cluster.yaml
    [ $? = 1 ] && grep -q "^n$1 (tcp://.*) is not running" "$work/status" && [ "$(grep -c "n$1 not connected" "$work/status")" = 2 ] &&
        grep -q "last error: lost n$1" "$work/status"
}

metrics() { # path
    exec 3<>"/dev/tcp/127.0.0.1/$port" || return 1
    printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$1" >&3
    tr -d '\r' <&3 >"$work/answer"
    exec 3>&-
    sed '1,/^$/d' "$work/answer" >"$work/metrics"
}

metrics_are_served() {
    metrics /metrics && grep -q '^HTTP/1.1 200' "$work/answer" && grep -q '^Content-Type: text/plain; version=0.0.4' "$work/answer" &&
        grep -qx 'airdeed_build_info{version="[^"]*",engine="raft",member="n0"} 1' "$work/metrics" &&
        grep -qE '^airdeed_height_blocks [1-9]' "$work/metrics" && grep -qx "airdeed_wal_limit_bytes 1073741824" "$work/metrics" &&
        grep -qE "^airdeed_wal_bytes [1-9]" "$work/metrics" && grep -qx 'airdeed_peer_connected{peer="n1"} 1' "$work/metrics"
}

# Every sample belongs to the family announced right before it, each family is announced once, names and values are well-formed, and
# counters end in _total (Prometheus, text exposition format 0.0.4)
metrics_are_well_formed() {
    awk '
        /^# HELP / { if ($3 in helped) { print "twice: " $3; bad = 1 } helped[$3] = 1; family = ""; next }
        /^# TYPE / { family = $3; type = $4
            if (!(family in helped)) { print "no help: " family; bad = 1 }
            if ((type == "counter") != (family ~ /_total$/)) { print "name and type: " family; bad = 1 }
            if (type !~ /^(counter|gauge)$/) { print "type: " $0; bad = 1 } next }
        { name = $0; sub(/[{ ].*/, "", name); n++
            if (name != family || family == "") { print "not in its family: " $0; bad = 1 }
            if ($0 !~ /^[a-z_]+(\{[a-z_]+="[^"\\]*"(,[a-z_]+="[^"\\]*")*\})? -?[0-9]+(\.[0-9]+)?$/) { print "ill-formed: " $0; bad = 1 }
            if ($0 in seen) { print "twice: " $0; bad = 1 } seen[$0] = 1 }
        END { exit bad || n < 40 }' "$work/metrics"
}

promtool_agrees() {
    promtool check metrics <"$work/metrics" >"$work/promtool" 2>&1 && [ ! -s "$work/promtool" ] || { sed 's/^/# /' "$work/promtool"; return 1; }
}

other_paths_are_refused() {
    metrics / && grep -q '^HTTP/1.1 404' "$work/answer"
}

a_silent_caller_holds_up_nobody() {
    exec 4<>"/dev/tcp/127.0.0.1/$port" || return 1
    metrics_are_served && goes_on 3
    local code=$?
    exec 4>&-
    return $code
}

restarts_in_turn() { # each node stops cleanly, comes back and catches up, and the load goes on
    local i code
    for i in 0 1 2; do
        kill -TERM "${pids[$i]}"
        wait "${pids[$i]}"
        code=$?
        [ $code = 0 ] || { echo "# n$i stopped with $code"; return 1; }
        goes_on 5 || { echo "# nothing went on without n$i"; return 1; }
        start $i
        catches_up $i $(((i + 1) % 3)) || return 1
        await all_answer || { sed 's/^/# /' "$work/status"; return 1; }
    done
}

leader_hands_over() { # it knows its successor before it is gone, so that nobody waited for an election timeout; a busy machine has three tries
    local name i try handed=1
    for try in 1 2 3; do
        await all_answer || return 1
        name=$(ask 0 leader)
        i=${name#n}
        [ -n "$i" ] && [ -n "${pids[$i]:-}" ] || continue
        kill -TERM "${pids[$i]}"
        wait "${pids[$i]}" || return 1
        tail -n 2 "$dir/n$i.log" | head -n 1 | grep -q ": leader is n[^$i] (term " && handed=0
        [ $handed = 0 ] || tail -n 3 "$dir/n$i.log" | sed "s/^/# try $try: /"
        goes_on 5 || return 1
        start "$i"
        [ $handed = 0 ] && break
    done
    await all_answer && return $handed
}

# Both that could take over have been restarted just now. What came of it is told either way, by one that leads when it is told to stop: where the
# disk is slow it may have lost the lead over the restarts, and is asked again
fresh_followers_take_over() {
    local leader i try told=1
    for try in 1 2 3 4 5; do
        await all_answer || return 1
        leader=$(leader_of 0)
        for i in 0 1 2; do
            [ "$i" != "$leader" ] || continue
            kill -TERM "${pids[$i]}"
            wait "${pids[$i]}"
            start "$i"
            await has_height "$i" 1 && goes_on 1 || return 1
        done
        leader=$(leader_of "$i")
        [ -n "$leader" ] && [ -n "${pids[$leader]:-}" ] || continue
        kill -TERM "${pids[$leader]}"
        wait "${pids[$leader]}" || return 1
        tail -n 3 "$dir/n$leader.log" | grep -qE ": leader is n[^$leader] \(term |: nobody took over within" && told=0
        tail -n 2 "$dir/n$leader.log" | head -n 1 | sed "s/^/# try $try: /"
        goes_on 5 || return 1
        start "$leader"
        [ $told = 0 ] && break
    done
    await all_answer && return $told
}

# What systemd says of the unit as it is, with this build's program in the place of the installed one
unit_is_sound() {
    sed "s|/usr/bin/airdeed|$(command -v airdeed)|" "$root/apps/airdeed-node@.service" >"$work/airdeed-node@n0.service" &&
        systemd-analyze verify --man=no "$work/airdeed-node@n0.service" >"$work/unit" 2>&1 || { sed 's/^/# /' "$work/unit"; return 1; }
    ! grep -F 'airdeed-node@n0.service' "$work/unit"
}

broken_units_are_noticed() { # or the check above says nothing
    sed 's|^ExecStart=.*|ExecStart=/nowhere/airdeed node|' "$work/airdeed-node@n0.service" >"$work/airdeed-node@n1.service"
    ! systemd-analyze verify --man=no "$work/airdeed-node@n1.service" >/dev/null 2>&1 &&
        ! systemd-analyze verify --man=no "$work/airdeed-node@n2.service" >/dev/null 2>&1
}

# Files laid out as docs/nodes.md says: the node writes where the unit lets it, and nowhere else
writes_in_its_state_folder_alone() {
    local etc=$work/etc state=$work/state before pid code
    airdeed node --init-cluster 1 --dir "$work/one" --base-port 0 >/dev/null && mkdir "$etc" "$state" &&
        install -m 0644 "$work/one/cluster.yaml" "$work/one/n0.yaml" "$etc" && install -m 0600 "$work/one/n0.key" "$etc" &&
        sed -i "s|^database: .*|database: $state/n0.db|" "$etc/n0.yaml" || return 1
    before=$(ls -lR --time-style=full-iso "$etc")
    (cd / && exec airdeed node "$etc/n0.yaml" 2>>"$work/one.log") &
    pid=$!
    await airdeed ledger show --node "$etc/n0.yaml" --key "$work/one/client.key" --timeout 10s >/dev/null 2>&1
    code=$?
    kill "$pid"
    wait "$pid"
    [ $code = 0 ] && [ -s "$state/n0.db" ] && [ "$(ls -lR --time-style=full-iso "$etc")" = "$before" ]
}

# The unit's walls as far as they go up without systemd: all read-only but the state folder, no capability, no new privileges, no memory that is
# both written and run
serves_behind_such_walls() {
    local dir=$work/walled pid code
    airdeed node --init-cluster 1 --dir "$dir" --base-port 0 >/dev/null && mkdir "$dir/state" &&
        sed -i "s|^database: .*|database: $dir/state/n0.db|" "$dir/n0.yaml" || return 1
    cat >"$dir/walls" <<'END'
mount --make-rprivate / && mount --bind "$1/state" "$1/state" && mount -o remount,bind,ro / || exit 9
under=$(findmnt -nT "$1/n0.yaml" -o TARGET)
[ "$under" = / ] || mount -o remount,bind,ro "$under" || exit 9
! touch "$1/written" 2>/dev/null && touch "$1/state/written" || exit 8
umask 0077
exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all python3 -c '
import ctypes, os, sys
ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) # PR_SET_MDWE, where the kernel has it
os.execvp(sys.argv[1], sys.argv[1:])' airdeed node "$1/n0.yaml"
END
    (cd / && exec unshare -m bash "$dir/walls" "$dir" 2>"$dir/log") &
    pid=$!
    await airdeed ledger submit --node "$dir/n0.yaml" --key "$dir/client.key" --timeout 10s \
        '{"op": "register", "call_sign": "AD1", "lat_deg": 48.1, "lon_deg": 11.6, "height_m": 12}' >/dev/null 2>&1
    code=$?
    kill "$pid"
    wait "$pid" || code=1
    [ $code = 0 ] && airdeed ledger verify "$dir/state/n0.db" >/dev/null || { sed 's/^/# /' "$dir/log"; return 1; }
}

init_cluster 3 --clients 2
serve_metrics 0
for i in 0 1 2; do start $i; done
check 'all three say in one command how they are' await all_answer
start_loads client client-2
check 'clients are served' goes_on 5
check 'metrics are served on request' await metrics_are_served
check 'metrics are in Prometheus format' metrics_are_well_formed
if command -v promtool >/dev/null; then
    check "Prometheus' own checker finds nothing in them" promtool_agrees
else
    skip "Prometheus' own checker finds nothing in them" "promtool is not installed"
fi
check 'nothing else is served there' other_paths_are_refused
check 'a caller who says nothing holds up neither metrics nor the ledger' a_silent_caller_holds_up_nobody
check 'a rolling restart stops each node cleanly, and the ledger goes on' restarts_in_turn
check 'a leader that is told to stop hands over first' leader_hands_over
check 'it does so, or says that it could not, also where the others were restarted just now' fresh_followers_take_over
kill_node 2
check 'a node that was killed is named by the others' await one_is_missed 2
start 2
check 'it comes back' await all_answer
check_the_end 0 1 2
check 'nobody answers, and the command says so' bash -c "airdeed ledger status --node '$dir/cluster.yaml' --key '$dir/client.key' >/dev/null; [ \$? = 3 ]"
check_nothing_lost 0 1 2
check 'a node whose files are laid out for systemd writes in its state folder alone' writes_in_its_state_folder_alone
if unshare -m true 2>/dev/null && command -v setpriv findmnt >/dev/null; then
    check "it serves behind walls like the unit's" serves_behind_such_walls
else
    skip "it serves behind walls like the unit's" "mount namespaces are not to be had"
fi
if command -v systemd-analyze >/dev/null; then
    check 'systemd finds nothing wrong with the unit' unit_is_sound
    check 'it does with broken ones, and where there is none' broken_units_are_noticed
else
    skip "systemd finds nothing wrong with the unit" "systemd-analyze is not installed"
fi
end_tests
