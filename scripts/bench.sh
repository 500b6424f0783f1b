#!/usr/bin/env bash
# How fast a cached answer is, as ratios measured in one run: beside an empty program, and beside `cat`.
#
#   scripts/bench.sh              with the release profile
#   PROFILE=dist scripts/bench.sh with the profile that is shipped
#   USERS=50000 RUNS=100          sizes
set -euo pipefail
cd "$(dirname "$0")/.."

profile="${PROFILE:-release}"
users="${USERS:-50000}"
runs="${RUNS:-100}"
target="${CARGO_TARGET_DIR:-target}"

cargo build --locked --profile "$profile"
binary="$PWD/$target/$profile/awsideman"
[ -x "$binary" ] || binary="$target/$profile/awsideman"
work=$(mktemp -d)
server=""
cleanup() {
    if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap cleanup EXIT

rustc --edition 2024 -C opt-level=3 -C strip=symbols -o "$work/empty" benches/empty.rs

export HOME="$work" AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=bench AWS_SECRET_ACCESS_KEY=bench
export AWSIDEMAN_PACE_IDENTITY_STORE_TPS=10000 AWSIDEMAN_PACE_SSO_ADMIN_TPS=10000
unset XDG_CONFIG_HOME XDG_CACHE_HOME XDG_STATE_HOME AWS_PROFILE AWS_CONFIG_FILE

serve() {
    : >"$work/serve.json"
    "$binary" sandbox serve --users "$1" --tps 0 --json >"$work/serve.json" &
    server=$!
    until grep -q '"url"' "$work/serve.json"; do sleep 0.1; done
    AWS_ENDPOINT_URL=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["url"])' "$work/serve.json")
    export AWS_ENDPOINT_URL
}

printf '%s, %s runs of each in turn\n' "$(uname -sm), $(nproc) cores, profile $profile" "$runs"
printf '%-44s %11s %11s\n' "" "this" "the other"

serve 300
"$binary" user list --json >/dev/null
name=$("$binary" user list --limit 1 --columns UserName --output csv | tail -n 1)
"$binary" user get "$name" >/dev/null
python3 benches/pairs.py "$runs" "user get (300 users) / empty program" -- "$binary" user get "$name" -- "$work/empty"
python3 benches/pairs.py "$runs" "--version / empty program" -- "$binary" --version -- "$work/empty"
kill "$server"; wait "$server" 2>/dev/null || true

serve "$users"
"$binary" user list --json >"$work/users.json"
name=$("$binary" user list --limit 1 --columns UserName --output csv | tail -n 1)
"$binary" user get "$name" >/dev/null
python3 benches/pairs.py "$runs" "user get ($users users) / empty program" -- "$binary" user get "$name" -- "$work/empty"
python3 benches/pairs.py 20 "user list --json ($users users) / cat" -- "$binary" user list --json -- cat "$work/users.json"
