#!/usr/bin/env bash
# Coverage-guided fuzzing of what reads bytes: scripts/fuzz.sh [TARGET...] ; FUZZ_SECONDS for each (60).
#
# Without names, all targets of tests/fuzz/targets.rs one after the other. What reached new code is kept in
# target/fuzz/corpus and is where the next run goes on; an input that breaks a promise ends the run with its path, and
# with the same name and that path as FUZZ_INPUT it is tried again.
# Needs a nightly compiler and cargo-fuzz (`cargo install cargo-fuzz`). The first build takes minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

package=tests/fuzz/guided
seconds="${FUZZ_SECONDS:-60}"
mapfile -t all < <(sed -n 's/^name = "\(.*\)"$/\1/p' "$package/Cargo.toml" | tail -n +2)
names=("$@")
[ ${#names[@]} -gt 0 ] || names=("${all[@]}")
for name in "${names[@]}"; do
    case " ${all[*]} " in
    *" $name "*) ;;
    *)
        echo "no target is named $name; there are: ${all[*]}" >&2
        exit 2
        ;;
    esac
done
if ! cargo +nightly fuzz --version >/dev/null 2>&1; then
    echo "needs a nightly compiler and cargo-fuzz: rustup toolchain install nightly && cargo install cargo-fuzz" >&2
    exit 1
fi

# The same versions as everywhere else.
cp Cargo.lock "$package/Cargo.lock"
for name in "${names[@]}"; do
    folder="target/fuzz/corpus/$name"
    mkdir -p "$folder"
    printf '\n== %s, %s s\n' "$name" "$seconds"
    # Nothing of ours is unsafe, so that no sanitizer is needed to see a promise broken.
    FUZZ_SEEDS="$PWD/$folder" cargo +nightly fuzz run --fuzz-dir "$package" --target-dir target/fuzz/build \
        --sanitizer none "$name" "${FUZZ_INPUT:-$folder}" -- \
        -max_total_time="$seconds" -timeout=20 -max_len=65536 -artifact_prefix="$PWD/target/fuzz/$name-" -print_final_stats=1
done
