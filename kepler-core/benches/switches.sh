#!/usr/bin/env bash
# What following every switch costs: nanoseconds of the BPF program a switch, and what `perf bench sched pipe` loses by it,
# each beside an empty program's (the floor: what the kernel charges for calling any).
# usage: switches.sh KEPLER [ROUNDS]   (as root; the program as built for release; needs perf and Python)
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
kepler=$1
rounds=${2:-15}
loops=100000
pin=
served=

start() { # floor or kepler
    if [ "$1" = floor ]; then
        python3 "$here/empty_switch.py" &
    else
        "$kepler" serve --usage=ebpf --meter=model --web.listen-address=127.0.0.1:0 >/dev/null 2>&1 &
    fi
    served=$!
    sleep 2
}
stop() {
    [ -z "$served" ] || { kill "$served"; wait "$served" 2>/dev/null || true; }
    served=
}
before=$(cat /proc/sys/kernel/bpf_stats_enabled)
trap 'stop; echo "$before" >/proc/sys/kernel/bpf_stats_enabled' EXIT
# Seconds of CPU time of the two that pass a token to and fro. Pinned to one processor each run is like the others; left
# alone, the scheduler decides each time whether they share a processor (2 us an operation) or not (10 to 30 us).
pipe() { { TIMEFORMAT='%U %S'; time $pin perf bench sched pipe -l "$loops" >/dev/null 2>&1; } 2>&1 | awk '{ print $1 + $2 }'; }
median() { sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

for which in floor kepler; do
    start "$which"
    echo 1 >/proc/sys/kernel/bpf_stats_enabled
    for _ in 1 2 3; do pipe >/dev/null; done
    for info in "/proc/$served/fdinfo/"*; do
        awk -v which="$which" '/^run_time_ns/ { time = $2 } /^run_cnt/ { count = $2 } END { if (count > 100000) printf "%s: %.0f ns a switch, %d switches\n", which, time / count, count }' "$info"
    done
    echo 0 >/proc/sys/kernel/bpf_stats_enabled
    stop
done

for pin in "taskset --cpu-list 0" ""; do
    figures=$(mktemp)
    for _ in $(seq "$rounds"); do
        line=$(pipe)
        for which in floor kepler; do
            start "$which"
            line+=" $(pipe)"
            stop
        done
        echo "$line" >>"$figures"
    done
    nothing=$(cut -d ' ' -f 1 "$figures" | median)
    floor=$(cut -d ' ' -f 2 "$figures" | median)
    kepler_=$(cut -d ' ' -f 3 "$figures" | median)
    awk -v a="$nothing" -v f="$floor" -v b="$kepler_" -v n="$loops" -v how="${pin:-left alone}" -v rounds="$rounds" 'BEGIN {
        printf "perf bench sched pipe, %s: CPU time of an operation %.2f us with nothing, %.2f us with an empty program (%+.1f %%), %.2f us with kepler (%+.1f %%), medians of %d alternating runs\n",
            how, a / n * 1e6, f / n * 1e6, (f / a - 1) * 100, b / n * 1e6, (b / a - 1) * 100, rounds }'
    rm "$figures"
done
