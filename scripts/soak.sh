#!/usr/bin/env bash
# The full counts: what scripts/test.sh does in small, for as long as it takes (many minutes).
#
# A test has a full count if its file asks for AWSIDEMAN_SOAK (`1` means the full count) or for `soak()`: the tests of
# every such file under tests/ or src/ run here, with nothing to register. Such a test prints one line with its figures.
# Words given to this script narrow the choice: each is a part of the names of tests, as in `scripts/soak.sh quota`.
# Needs cargo-nextest. Builds in release mode, once. Nothing else should keep the host busy: the pace is measured.
set -euo pipefail
cd "$(dirname "$0")/.."

chosen=()
for file in $(grep -rlE --include='*.rs' 'AWSIDEMAN_SOAK|\<soak\(\)' tests src | sort); do
    case "$file" in
    src/*) tests='kind(lib)' ;;
    *)
        # tests/BINARY/A/B.rs is the module A::B of the binary; mod.rs is that of its folder, main.rs the binary itself.
        name="${file#tests/}" module="${file#tests/*/}"
        module="${module%.rs}" module="${module%main}" module="${module%mod}" module="${module%/}"
        tests="(binary(=${name%%/*}) & test(/^${module//\//::}/))"
        if [ ! -e "tests/${name%%/*}/main.rs" ]; then
            echo "$file belongs to no test binary" >&2
            exit 1
        fi
        ;;
    esac
    case " ${chosen[*]-} " in *" $tests "*) ;; *) chosen+=("$tests") ;; esac
done
if [ ${#chosen[@]} -eq 0 ]; then
    echo "no test has a full count" >&2
    exit 1
fi
filter=$(printf ' + %s' "${chosen[@]}")
filter="${filter# + }"
words=("$@")

# Other cases in each run; a failure happens again with the printed seed.
export PROPTEST_RNG_SEED="${PROPTEST_RNG_SEED:-$RANDOM$RANDOM}"
printf 'PROPTEST_RNG_SEED=%s\n' "$PROPTEST_RNG_SEED"

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
