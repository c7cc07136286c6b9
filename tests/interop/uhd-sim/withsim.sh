#!/bin/bash
# withsim.sh CONFIG.ini[@ADDRESS]... -- COMMAND...: starts a simulator for each configuration on its loopback address (127.0.0.1),
# waits until they are ready, runs COMMAND, stops them. COMMAND finds the simulators' processes in UHDSIM_PIDS.
# Exit status: COMMAND's; 77 when the simulator's packages are missing; 3 when a simulator does not start.
here=$(cd "$(dirname "$0")" && pwd)
/usr/bin/python3 - <<'P' || { echo "the simulator's packages are missing (python3-uhd python3-gevent python3-msgpack python3-six python3-numpy)" >&2; exit 77; }
import importlib.util as u, sys
sys.exit(any(u.find_spec(m) is None for m in ('uhd', 'usrp_mpm', 'gevent', 'msgpack', 'six', 'numpy')))
P
logs=$(mktemp -d) || exit 3
pids=
stop_all() {
    # shellcheck disable=SC2086 # one word a process
    kill $pids 2>/dev/null
    wait
    rm -rf "$logs"
}
trap stop_all EXIT
trap 'exit 3' INT TERM
n=0
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    n=$((n + 1))
    config=${1%@*} address=127.0.0.1
    [ "$config" = "$1" ] || address=${1#*@}
    /usr/bin/python3 "$here/uhdsim.py" --config "$config" --addr "$address" >"$logs/$n" 2>&1 &
    pids="$pids $!"
    shift
done
shift
UHDSIM_PIDS=
for log in $(seq "$n"); do
    tries=0
    until grep -q '^READY' "$logs/$log"; do
        tries=$((tries + 1))
        [ $tries -lt 1200 ] || { cat "$logs/$log" >&2; exit 3; }
        sleep 0.1
    done
    UHDSIM_PIDS="$UHDSIM_PIDS $(sed -n 's/^READY pids//p' "$logs/$log" | tr -d '[],')"
done
export UHDSIM_PIDS
"$@"
