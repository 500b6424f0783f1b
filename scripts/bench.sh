#!/usr/bin/env bash
# How fast a cached answer is, as ratios measured in one run: next to an empty program, and next to `cat`. And how much
# memory commands take at their peak, at two sizes of the directory.
#
#   scripts/bench.sh              with the release profile
#   PROFILE=dist scripts/bench.sh with the profile that is shipped
#   USERS=50000 RUNS=100          sizes
#   FEW=20000 MANY=200000         users and assignments of which memory is compared; MANY=0 leaves it out
set -euo pipefail
cd "$(dirname "$0")/.."

profile="${PROFILE:-release}"
users="${USERS:-50000}"
runs="${RUNS:-100}"
few="${FEW:-20000}"
many="${MANY:-200000}"
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
    "$binary" sandbox serve --users "$1" "${@:2}" --tps 0 --json >"$work/serve.json" &
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
kill "$server"; wait "$server" 2>/dev/null || true
server=""
[ "$many" != 0 ] || exit 0

# Lists of one long kind at a time: users, and the assignments of so many accounts.
memory_of() {
    serve "$1" --accounts $(($1 / 400)) --permission-sets 50 --groups 400
    export AWSIDEMAN_CACHE_DIR="$work/cache-of-$1"
    for words in "cache warm users" "user list" "user list --json" "cache warm assignments" "assignment list --json"; do
        # shellcheck disable=SC2086 # the words of a command
        python3 benches/peak.py "$binary" $words >>"$work/peaks-of-$1"
    done
    kill "$server"; wait "$server" 2>/dev/null || true
    server=""
}
memory_of "$few"
memory_of "$many"
printf '\n%-44s %11s %11s\n' "peak memory" "$few" "$many"
printf '%s\n' "cache warm users" "user list" "user list --json" "cache warm assignments" "assignment list --json" |
    paste -d '|' - "$work/peaks-of-$few" "$work/peaks-of-$many" |
    awk -F '|' '{ printf "%-44s %8.1f MB %8.1f MB   ratio %5.2f\n", $1, $2, $3, $3 / $2 }'
