//! What a user gets: the real program, on real files, in homes of its own.

mod documentation;
mod first_steps;
mod support;
