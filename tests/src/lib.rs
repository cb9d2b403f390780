//! Whole runs in one process, with every message, call and process at the mercy of a test.
//!
//! The phases promise that a run ends the same whatever happens on the way: messages come twice,
//! late or out of order, calls fail, processes die in the middle of a step or wake up after their
//! lease has passed to another. A [`World`] is a small home, on the real embedded backends, whose
//! clock, ids and signs of life belong to the test; a [`Process`] is one host in it, which takes
//! messages only when it is told to. What goes wrong, and where, is then a loop over numbers: the
//! *n*-th call of a port ([`export_ports::fault`]), or the *n*-th time that a process has to wait
//! ([`until_nth_wait`]).
//!
//! Nothing here sleeps: time passes when the test says so.

mod evidence;
mod host;
mod process;
mod waits;
mod world;

pub use evidence::{BEFORE_CHANGES, CHANGING, Evidence, HEAVY, SMALL};
pub use host::{Alive, ManualClock, Random, SeededIds};
pub use process::Process;
pub use waits::until_nth_wait;
pub use world::World;
