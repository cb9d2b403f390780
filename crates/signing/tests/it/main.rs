//! Signatures and keys judged by another program.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod openssl;
