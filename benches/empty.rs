//! The smallest Rust program: what a process costs before it does anything. `scripts/bench.sh` times against it.

fn main() {}
