#!/bin/bash
# What sensing says of real recordings, against how long their frames are. Prints TAP.
# shellcheck disable=SC2016 # $4 and the like are awk's
#
# The recordings are not kept with the sources (docs/recordings.md tells where they come from): AIRDEED_RECORDINGS names their
# folder; without it, they are looked for in a folder shared/iq/ beside the sources, where there is one.
set -u
. "$(dirname "$0")/../tap.bash"
sources=$(cd "$(dirname "$0")/../.." && pwd)
build=${AIRDEED_BUILD:-$sources/build/release}
folder=${AIRDEED_RECORDINGS:-$sources/../shared/iq}
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT

check_of() { # recording, title, command...
    local name=$1 title=$2
    shift 2
    if [ -f "$folder/$name.sigmf-meta" ]; then
        check "$title" "$@"
    else
        skip "$title" "$name is not there"
    fi
}

# bursts NAME PROGRAM END: awk over the bursts, $4 length in us, $5 mean and $6 peak in dBFS; the program sets good
bursts() {
    "$build/airdeed" sense "$folder/$1.sigmf-meta" | awk '
        function near(us, tolerance_us) { return $4 >= us - tolerance_us && $4 <= us + tolerance_us }
        /^ +[0-9]+ +[0-9]/ { '"$2"' }
        END { '"$3"'; exit !good }'
}

sensed() { # recording, title, program, its end
    check_of "$1" "$2" bursts "$1" "$3" "$4"
}

sensed wifi-n210-80211a-6mbps-conducted "6 Mb/s, cabled: ten frames of 208 us and ten ACKs of 44 us, to half a microsecond" \
    'all++; data += near(208, .5); ack += near(44, .5)' 'good = all == 20 && data == 10 && ack == 10'
sensed wifi-n210-80211a-24mbps-conducted "24 Mb/s, cabled: frames of 68 and 60 us and ACKs of 28 us, to .6 us" \
    'all++; data += near(68, .6) || near(60, .6); ack += near(28, .6)' 'good = all == 19 && data == 10 && ack == 9'
sensed wifi-n210-80211n-26mbps-radiated "26 Mb/s, off the air: the near station's frames are 32, 68 and 80 us long, but for one that another follows without a gap" \
    'if ($5 > -35) { all++; frame += near(32, .5) || near(68, .5) || near(80, .5) }' 'good = all == 12 && frame == 11'
sensed wifi-n210-80211n-6p5mbps-radiated "6.5 Mb/s, off the air: the near station's frames are as long as their SIGNAL says, but for two that others follow without a gap" \
    'if ($5 > -35) { all++; frame += near(32, .5) || near(68, .5) || near(136, 1.1) || near(176, .5) || near(192, .7) || near(204, .5) || near(212, .5) }' \
    'good = all == 47 && frame == 45'
sensed adsb-rtlsdr-1090mhz "Mode S: most strong bursts are 64 or 120 us long, or 56 or 112 where the preamble is cut off" \
    'if ($4 >= 50 && $6 > -12) { all++; whole += near(64, 2.5) || near(120, 2.5); cut += near(56, 2.5) || near(112, 4.5) }' \
    'good = whole >= 310 && whole + cut >= .85 * all'

# the documentation's own command, by the awk that is here
docs_count() {
    local command counts
    command=$(sed -n "/^    airdeed sense adsb.*awk/,/n\[k\] }'$/p" "$sources/docs/recordings.md")
    counts=$(cd "$folder" && PATH=$build:$PATH sh -c "$command" 2>&1 | sort | tr '\n' ';')
    [ "$counts" = "112 57;120 195;56 28;64 121;other 63;" ] || { echo "$counts"; return 1; }
}
check_of adsb-rtlsdr-1090mhz "Mode S: the command of docs/recordings.md counts what stands there" docs_count

# --- the receiver ---

frames() { # recording, how many frames with a valid FCS, how many that are named as HT
    local found
    found=$("$build/airdeed" replay "$folder/$1.sigmf-meta" | awk '
        /"start_sample"/ { good += /"fcs_ok": true/; ht += /"format": "ht", "ht_mcs": [0-9]+, "ht_length_octets": [1-9]/
            if (/"fcs_ok": true/ && match($0, /"cfo_hz": [-0-9.]+/)) { hz = substr($0, RSTART + 10, RLENGTH - 10) + 0; far += hz < -60e3 || hz > -10e3 } }
        END { print good + 0, ht + 0, far + 0 }')
    [ "$found" = "$2 $3 0" ] || { echo "good frames, HT frames, good frames with a strange offset: $found"; return 1; }
}

received() { # recording, title, frames, HT frames
    check_of "$1" "$2" frames "$1" "$3" "$4"
}

received wifi-n210-80211a-6mbps-conducted "6 Mb/s, cabled: all 20 frames have a valid FCS" 20 0
received wifi-n210-80211a-24mbps-conducted "24 Mb/s, cabled: all 19 frames have a valid FCS" 19 0
# with those whose short training field was cut away
received wifi-n210-80211n-26mbps-radiated "26 Mb/s, off the air: 11 legacy frames have a valid FCS, all 12 HT frames are named" 11 12
received wifi-n210-80211n-6p5mbps-radiated "6.5 Mb/s, off the air: 47 legacy frames have a valid FCS, all 22 HT frames are named" 47 22

tshark_reads() { # recording
    local found
    "$build/airdeed" replay "$folder/$1.sigmf-meta" --pcapng "$work/a.pcapng" --payload >/dev/null
    found=$(HOME=$work tshark -r "$work/a.pcapng" -o wlan.check_checksum:TRUE -T fields -E separator=, -e radiotap.datarate \
        -e radiotap.dbm_antsignal -e wlan.fcs.status -e _ws.malformed 2>"$work/err" | sort | uniq -c | tr -s ' ')
    [ "$found" = " 19 24,-13,1," ] && ! grep -qi 'damaged\|error' "$work/err" || { echo "$found"; cat "$work/err"; return 1; }
}

title="tshark reads the 24 Mb/s recording's frames: rate, level, FCS, nothing malformed"
if command -v tshark >/dev/null; then
    check_of wifi-n210-80211a-24mbps-conducted "$title" tshark_reads wifi-n210-80211a-24mbps-conducted
else
    skip "$title" "tshark is not installed"
fi
end_tests
