#!/usr/bin/env bash
# What following every switch costs: nanoseconds of the BPF program a switch, and what `perf bench sched pipe` loses by it.
# usage: switches.sh KEPLER [ROUNDS]   (as root; the program as built for release)
set -euo pipefail
kepler=$1
rounds=${2:-9}
loops=100000
served=

start() {
    "$kepler" serve --usage=ebpf --meter=model --web.listen-address=127.0.0.1:0 >/dev/null 2>&1 &
    served=$!
    sleep 2
}
stop() {
    [ -z "$served" ] || { kill "$served"; wait "$served" || true; }
    served=
}
before=$(cat /proc/sys/kernel/bpf_stats_enabled)
trap 'stop; echo "$before" >/proc/sys/kernel/bpf_stats_enabled' EXIT
# Seconds of CPU time of the two that pass a token to and fro: hardly changed by what else runs.
pipe() { { TIMEFORMAT='%U %S'; time perf bench sched pipe -l "$loops" >/dev/null 2>&1; } 2>&1 | awk '{ print $1 + $2 }'; }
median() { sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

start
echo 1 >/proc/sys/kernel/bpf_stats_enabled
for _ in 1 2 3; do pipe >/dev/null; done
for info in "/proc/$served/fdinfo/"*; do
    awk '/^run_time_ns/ { time = $2 } /^run_cnt/ { count = $2 } END { if (count > 100000) printf "%.0f ns a switch, %d switches\n", time / count, count }' "$info"
done
echo 0 >/proc/sys/kernel/bpf_stats_enabled
stop

ratios=$(mktemp)
for _ in $(seq "$rounds"); do
    without=$(pipe)
    start
    with=$(pipe)
    stop
    awk -v a="$without" -v b="$with" 'BEGIN { print b / a }' >>"$ratios"
done
awk -v m="$(median <"$ratios")" 'BEGIN { printf "perf bench sched pipe: CPU time %+.1f %%, median of %d pairs\n", (m - 1) * 100, '"$rounds"' }'
rm "$ratios"
