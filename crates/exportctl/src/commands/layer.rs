//! The layer of a bundle that a scanner reads.

use std::fs::File;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use export_bundle::contents::{read_archive, read_folder};
use export_bundle::inspect::InspectError;
use export_bundle::payload::layer_of;
use export_bundle::verify::Report;
use export_model::{ErrorCode, ProfileKind};
use export_trivy::TrivyError;
use export_trivy::layer::{LayerKind, UnpackLimits, unpack};
use tempfile::TempDir;

use super::verify::open;
use crate::failure::Failed;

/// Which layer an export of `kind` has.
fn layer_kind(kind: ProfileKind) -> Option<LayerKind> {
    match kind {
        ProfileKind::TrivyDb => Some(LayerKind::Database),
        ProfileKind::TrivyJavaDb => Some(LayerKind::Java),
        ProfileKind::JsonRaw
        | ProfileKind::JsonPolicy
        | ProfileKind::MirrorFull
        | ProfileKind::MirrorDelta => None,
    }
}

fn no_layer(bundle: &Path, kind: ProfileKind) -> Failed {
    let detail = format!(
        "{} is an export of {kind}; only trivy:db and trivy:java-db have a database for Trivy",
        bundle.display()
    );
    Failed::new(ErrorCode::Usage, detail)
}

/// A folder beside a cache's own, for what is on its way there.
pub(super) fn aside(cache: &Path) -> Result<TempDir, Failed> {
    std::fs::create_dir_all(cache).map_err(|e| Failed::write(cache, &e))?;
    tempfile::Builder::new()
        .prefix(".export-")
        .tempdir_in(cache)
        .map_err(|e| Failed::write(cache, &e))
}

/// Lays out the layer of a bundle that was unpacked, and verified, to `folder`; gives the database.
pub(super) fn lay_out(
    bundle: &Path,
    folder: &Path,
    report: &Report,
    cache: &Path,
) -> Result<PathBuf, Failed> {
    let kind = report.summary.as_ref().map(|summary| summary.profile_kind);
    let known = kind.and_then(|kind| Some((kind, layer_kind(kind)?, layer_of(kind)?)));
    let Some((_, layer, (path, _))) = known else {
        let kind = kind.unwrap_or(ProfileKind::JsonRaw);
        return Err(no_layer(bundle, kind));
    };
    let stored = folder.join(path);
    if !stored.exists()
        && report
            .summary
            .as_ref()
            .is_some_and(|summary| summary.sealed.is_some())
    {
        let detail = format!("{} is sealed; open it with --identity", bundle.display());
        return Err(Failed::new(ErrorCode::WrongIdentity, detail));
    }
    let file = File::open(&stored).map_err(|e| Failed::read(&stored, &e))?;
    let unpacked = unpack(layer, file, cache, UnpackLimits::default()).map_err(failed)?;
    Ok(unpacked.database)
}

/// Takes the vulnerability database out of a bundle, unverified, into `folder`; gives its path.
pub(super) fn database(bundle: &Path, folder: &Path) -> Result<PathBuf, Failed> {
    let mut kind = None;
    let mut outcome = None;
    let mut take = |manifest: &export_bundle::manifest::Manifest,
                    file: &export_bundle::manifest::FileEntry,
                    stored: &mut dyn Read| {
        kind = Some(manifest.profile.kind);
        let path = layer_of(manifest.profile.kind).map(|(path, _)| path);
        if manifest.profile.kind != ProfileKind::TrivyDb {
            return Ok(ControlFlow::Break(()));
        }
        if path != Some(file.path.as_str()) {
            return Ok(ControlFlow::Continue(()));
        }
        let limits = UnpackLimits {
            database: file.content_size,
            ..UnpackLimits::default()
        };
        outcome = Some(unpack(LayerKind::Database, stored, folder, limits));
        Ok(ControlFlow::Break(()))
    };
    let inspection = if bundle.is_dir() {
        read_folder(bundle, &mut take)
    } else {
        read_archive(open(bundle)?, &mut take)
    }
    .map_err(|e| unreadable(bundle, &e))?;
    let kind = kind.unwrap_or(inspection.manifest.profile.kind);
    match outcome {
        Some(unpacked) => Ok(unpacked
            .map_err(|error| {
                let failed = failed(error);
                Failed::new(
                    failed.code,
                    format!("{}: {}", bundle.display(), failed.detail),
                )
            })?
            .database),
        None if inspection.manifest.sealed.is_some() => Err(sealed(bundle)),
        None if kind == ProfileKind::TrivyDb => {
            let detail = format!("{} misses its database", bundle.display());
            Err(Failed::new(ErrorCode::Incomplete, detail))
        }
        None => {
            let detail = format!(
                "{} is an export of {kind}; only advisories of trivy:db can be compared",
                bundle.display()
            );
            Err(Failed::new(ErrorCode::Usage, detail))
        }
    }
}

/// What only looks at a bundle opens nothing.
pub(super) fn sealed(bundle: &Path) -> Failed {
    let detail = format!(
        "{} is sealed, and this command opens nothing; `exportctl unpack --identity` does",
        bundle.display()
    );
    Failed::new(ErrorCode::Usage, detail)
}

pub(super) fn unreadable(bundle: &Path, error: &InspectError) -> Failed {
    Failed::new(error.code(), format!("{}: {error}", bundle.display()))
}

/// A layer or a database that cannot be read or laid out.
pub(super) fn failed(error: TrivyError) -> Failed {
    if let TrivyError::File {
        doing,
        path,
        source,
    } = &error
    {
        return Failed::io(&format!("could not {doing} {}", path.display()), source);
    }
    let code = if error.is_full() {
        ErrorCode::DiskFull
    } else {
        ErrorCode::Altered
    };
    let mut detail = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        detail.push_str(&format!(": {error}"));
        cause = error.source();
    }
    Failed::new(code, detail)
}
