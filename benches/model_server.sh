#!/usr/bin/env bash
# Predictions a second over keep-alive HTTP, with one row a request and with 100, beside the floor: requests that ask for nothing.
# A prediction is a row of features that comes as JSON and goes back as watts of each of the model's components.
# wrk and the server share this machine's processors.
# usage: benches/model_server.sh MODELS [SECONDS]; needs wrk and target/release/kepler (or KEPLER_BIN)
set -euo pipefail
models=$1 seconds=${2:-10}
kepler=${KEPLER_BIN:-target/release/kepler}
work=$(mktemp -d)
"$kepler" model-server "$models" --web.listen-address=127.0.0.1:0 2>"$work/log" &
server=$!
trap 'kill $server; rm -rf "$work"' EXIT
until address=$(grep -o 'http://[0-9.:]*' "$work/log"); do
    kill -0 $server || { cat "$work/log"; exit 1; }
    sleep 0.1
done

measure() { # name, rows a request, path, Lua that makes the request
    cat >"$work/run.lua" <<LUA
local rows, width = {}, $2
for row = 1, width do rows[row] = "[" .. row * 400 .. ", 0]" end
$4
done = function(summary)
  local errors = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
  print(string.format("$1: %.0f requests/s, %.0f predictions/s, %d errors", summary.requests / summary.duration * 1e6,
    summary.requests * width / summary.duration * 1e6, errors))
end
LUA
    wrk --threads 1 --connections 16 --duration "${seconds}s" --script "$work/run.lua" "$address$3" | tail -1
}

body='wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [[{"metrics": ["bpf_cpu_time_ms", "bpf_page_cache_hit"], "output_type": "AbsPower", "source": "rapl-sysfs", ]]
  .. [["trainer_name": "SGDRegressorTrainer", "values": []] .. table.concat(rows, ", ") .. "]}"'
measure "floor" 0 /livez ''
measure "1 row a request" 1 /predict "$body"
measure "100 rows a request" 100 /predict "$body"
