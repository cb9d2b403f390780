//! The bundle: manifest, provenance and archive, written, read and verified.
//!
//! A bundle is five documents and a payload. The manifest ([`manifest`]) lists every payload file
//! by digest and is signed; the provenance ([`provenance`]) says what went in and who built it,
//! and is signed too. As one file it is an archive ([`archive`]) whose bytes follow from its
//! members alone. Payload files are compressed in frames ([`frames`]) that do not depend on how
//! many threads made them.
//!
//! Writing is laid out here as pure functions, and done by whoever has the object store. Reading
//! and verifying ([`verify`]) is bytes in, verdict out: no network, no clock, no environment. Only
//! [`verify::verify_folder`], [`inspect`], [`contents`], [`unpack`] and [`parts`] touch files; unpacking
//! because verifying on the way is what keeps anything unverified from being unpacked.

pub mod archive;
pub mod contents;
pub mod frames;
pub mod inspect;
pub mod manifest;
pub mod parts;
pub mod paths;
pub mod payload;
pub mod provenance;
pub mod unpack;
pub mod verify;

#[cfg(test)]
mod test_support;
