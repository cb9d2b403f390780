//! Which backends a process uses, from one file or the environment.

mod settings;

pub use settings::{InvalidSettings, SETTINGS, Setting, Settings};
