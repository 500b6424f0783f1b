#!/usr/bin/env bash
# The full counts: what scripts/test.sh does in small, for as long as it takes (many minutes).
#
# A test has a full count when its source asks for AWSIDEMAN_SOAK (`1` means the full count); whatever file under tests/
# or src/ does so, its test binary is run here, with nothing to register. Such a test prints one line with its figures.
# Words given to this script narrow the choice: each is a part of the names of tests, as in `scripts/soak.sh quota`.
# Needs cargo-nextest. Builds in release mode, once. Nothing else should keep the host busy: the pace is measured.
set -euo pipefail
cd "$(dirname "$0")/.."

chosen=()
for file in $(grep -rl --include='*.rs' AWSIDEMAN_SOAK tests src | sort); do
    case "$file" in
    src/*) binary='kind(lib)' ;;
    *)
        name="${file#tests/}"
        binary="binary(=$(basename "${name%%/*}" .rs))"
        # A folder without a file of its name, or another file, takes it in by its path.
        if [ ! -e "tests/${name%%/*}/main.rs" ] && [ ! -e "tests/$(basename "${name%%/*}" .rs).rs" ]; then
            echo "$file belongs to no test binary of its name" >&2
            exit 1
        fi
        ;;
    esac
    case " ${chosen[*]-} " in *" $binary "*) ;; *) chosen+=("$binary") ;; esac
done
if [ ${#chosen[@]} -eq 0 ]; then
    echo "no test has a full count" >&2
    exit 1
fi
filter=$(printf ' + %s' "${chosen[@]}")
filter="${filter# + }"
words=("$@")

printf '== build\n'
cargo nextest run --locked --release --no-run -E "$filter"
printf '\n== full counts of %s\n' "$filter"
begin=$(date +%s)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
AWSIDEMAN_SOAK=1 cargo nextest run --locked --release --no-fail-fast --no-capture -E "$filter" "${words[@]}" \
    2>&1 | tee "$log" || status=$?
printf '\n== figures (%d s)\n' $(($(date +%s) - begin))
# What the tests themselves said; the rest is nextest's.
grep -vE '^(running [0-9]|test |[[:space:]]|$|─)' "$log" || true
exit "$status"
