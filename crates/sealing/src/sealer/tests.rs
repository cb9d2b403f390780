//! Small chunks, so that every byte and every cut of a file of several chunks can be tried.
