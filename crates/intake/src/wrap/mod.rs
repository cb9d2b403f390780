//! Public formats as ledger records.
//!
//! Wrapping adds an envelope: where the document came from, what it calls itself, and the names it
//! links (purls, CPEs, aliases, references), all copied from the document. Nothing is derived: no
//! severity, no status, no merged range. The result goes through [`admit`](crate::admit()) like any
//! other record.

mod csaf;
mod cyclonedx;
mod envelope;
mod format;
mod lenient;
mod maven;
mod openvex;
mod osv;
mod osv_purl;
mod osv_sources;
mod spdx;

use export_model::{ErrorCode, Tenant, Timestamp};

use crate::Refusal;
pub(crate) use maven::wrap_maven;

pub use format::{Format, UnknownFormatName, detect};

/// What wrapping needs to know beside the document.
#[derive(Clone, Copy, Debug)]
pub struct WrapContext<'a> {
    /// Whose record it becomes. A document of a public format names no tenant, so wrapping needs
    /// one; a ledger record must be this tenant's where it is given.
    pub tenant: Option<&'a Tenant>,
    /// When it was fetched and received, as far as the host knows.
    pub time: Timestamp,
    /// The version of the program that imports, such as `0.1.0`.
    pub exporter_version: &'a str,
    /// The file's name without its last ending: the last resort for naming a document that does
    /// not name itself. None for a stream.
    pub file_stem: Option<&'a str>,
}

/// A ledger record, in canonical form, around `document`, which is of a public `format` and in
/// canonical form.
///
/// # Errors
/// [`ErrorCode::AmbiguousTenant`] without a tenant, [`ErrorCode::UnknownFormat`] where it is not of
/// that format or of a version that cannot be read, [`ErrorCode::InvalidRecord`] where it does not
/// say what every document of the format has to.
pub fn wrap(
    format: Format,
    document: &[u8],
    context: &WrapContext<'_>,
) -> Result<Vec<u8>, Refusal> {
    let tenant = context.tenant.ok_or_else(no_tenant)?;
    let described = match format {
        Format::Osv => osv::describe(document)?,
        Format::CycloneDx => cyclonedx::describe(document, context.file_stem)?,
        Format::Spdx => spdx::describe(document, context.file_stem)?,
        Format::OpenVex => openvex::describe(document)?,
        Format::Csaf => csaf::describe(document)?,
        Format::Ledger => {
            return Err(Refusal::new(
                ErrorCode::UnknownFormat,
                "a ledger record is not wrapped again",
            ));
        }
    };
    envelope::write(&described, document, tenant, context)
}

fn no_tenant() -> Refusal {
    Refusal::new(
        ErrorCode::AmbiguousTenant,
        "a document of a public format names no tenant: say whose record it becomes",
    )
}

#[cfg(test)]
mod tests;
