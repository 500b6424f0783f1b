//! Damage: flipped bits, cut files, garbage pages, swapped rows, foreign files and old schemas in everything that is kept,
//! and two versions of the cache side by side.
//!
//! The damage comes from a seed, so that a case that fails is the same case again; no case crashes, none shows a
//! wrong value, and `cache recover` brings the rest back.

mod corrupt_files;
mod next_binary;
mod versions;
mod versions_at_work;
