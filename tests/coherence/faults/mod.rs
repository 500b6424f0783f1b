//! A disk that fails, a process that is gone, a directory that is taken away: the real binary over all of it.
//!
//! A case is named by its command, its call and its number, and happens again when that is asked for; all that went
//! wrong is told at once.
//!
//! `AWSIDEMAN_SOAK=1` runs every case there is, and each test prints one line of figures.

mod every;
mod full;
mod gone;
mod held;
mod killed;
mod rotation;
mod shim;
mod stopped;
