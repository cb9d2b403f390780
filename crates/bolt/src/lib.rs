//! Files of bbolt, the embedded key/value database: a bulk writer in one pass, and a reader.
