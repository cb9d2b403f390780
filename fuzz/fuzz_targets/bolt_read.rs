//! The reader of bbolt files, on any bytes. What is done with them is what the tests of the crate do
//! with files that they have damaged, so that this runs without a fuzzer too.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/bolt/tests/it/exercise.rs"]
mod exercise;

fuzz_target!(|bytes: &[u8]| exercise::exercise(bytes));
