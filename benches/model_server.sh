#!/usr/bin/env bash
# Predictions a second over keep-alive HTTP: one row a request, and 100 rows a request.
# usage: benches/model_server.sh MODELS [SECONDS]; needs wrk and target/release/kepler (or KEPLER_BIN)
set -euo pipefail
models=$1 seconds=${2:-10}
kepler=${KEPLER_BIN:-target/release/kepler}
work=$(mktemp -d)
"$kepler" model-server "$models" --web.listen-address=127.0.0.1:0 2>"$work/log" &
server=$!
trap 'kill $server; rm -rf "$work"' EXIT
until address=$(grep -o 'http://[0-9.:]*' "$work/log"); do sleep 0.1; done

for rows in 1 100; do
    cat >"$work/$rows.lua" <<LUA
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local rows = {}
for row = 1, $rows do rows[row] = "[" .. row * 400 .. ", 0]" end
wrk.body = '{"metrics": ["bpf_cpu_time_ms", "bpf_page_cache_hit"], "output_type": "AbsPower", "source": "rapl-sysfs", '
  .. '"trainer_name": "SGDRegressorTrainer", "values": [' .. table.concat(rows, ", ") .. ']}'
done = function(summary)
  local errors = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
  print(string.format("%d rows a request: %.0f predictions/s, %d errors",
    $rows, summary.requests * $rows / summary.duration * 1e6, errors))
end
LUA
    wrk --threads 1 --connections 16 --duration "${seconds}s" --script "$work/$rows.lua" "$address/predict" | tail -1
done
