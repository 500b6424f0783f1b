//! The library as a program uses it.
//!
//! Nothing touches the real home.

mod blocks;
mod fixture;
mod many;
mod rules;
