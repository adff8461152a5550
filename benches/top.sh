#!/usr/bin/env bash
# What `kepler top` costs while it watches: its share of one processor at one frame a second on a screen of 200 by 50, beside a
# `kepler serve` that follows PROCESSES sleeping processes. Its frames go to a pseudo-terminal of script(1).
# usage: benches/top.sh [PROCESSES] [SECONDS]; needs script and target/release/kepler (or KEPLER_BIN)
set -euo pipefail
processes=${1:-4000} seconds=${2:-60}
kepler=$(realpath "${KEPLER_BIN:-target/release/kepler}")
work=$(mktemp -d)
server='' view='' screen='' sleepers=''
finish() {
    kill $view $server 2>/dev/null || true
    # It ignores what its terminal does not say.
    kill -KILL $screen 2>/dev/null || true
    [ -z "$sleepers" ] || kill -- "-$sleepers" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
# In a group of their own, to be ended together.
set -m
bash -c "for _ in \$(seq $processes); do sleep 100000 & done; wait" &
sleepers=$!
set +m
"$kepler" serve --web.listen-address=127.0.0.1:0 --monitor.interval=1s 2>"$work/log" &
server=$!
until address=$(grep -o 'http://[0-9.:]*' "$work/log" | head -1) && [ -n "$address" ]; do
    kill -0 $server || { cat "$work/log"; exit 1; }
    sleep 0.1
done
# Nobody presses a key.
mkfifo "$work/keys"
exec 3<>"$work/keys"
script -qec "stty cols 200 rows 50; exec $kepler top $address" /dev/null <&3 >"$work/screen" 2>&1 &
screen=$!
disown $screen
until view=$(pgrep -f "^$kepler top $address"); do sleep 0.1; done
ticks() { cut -d' ' -f14,15 "/proc/$view/stat" | tr ' ' '+'; }
sleep 10
before=$(($(ticks)))
sleep "$seconds"
after=$(($(ticks)))
awk -v ticks=$((after - before)) -v rate="$(getconf CLK_TCK)" -v seconds="$seconds" -v processes="$processes" \
    'BEGIN { printf "kepler top beside %d processes: %.2f %% of a processor\n", processes, ticks / rate / seconds * 100 }'
