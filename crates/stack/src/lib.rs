//! Which backends a process uses, from one file or the environment.
//!
//! A host reads its [`Settings`] and opens what they name. [`Backends`] may be all ports or some: a
//! function has nothing else, a command line puts them in the place of its home's.

mod backends;
mod chosen;
mod evidence;
mod liveness;
mod open;
mod seals;
mod settings;

pub use backends::Backends;
pub use chosen::DATABASE;
pub use liveness::Presumed;
pub use open::{database, key_wrap, names_any, open, validate, validate_whole};
pub use settings::{InvalidSettings, SETTINGS, Setting, Settings};
