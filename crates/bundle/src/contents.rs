//! Reading payload files out of a bundle, without verifying anything: for whoever wants to look.

use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::Path;

use crate::archive::ArchiveReader;
use crate::frames::FrameReader;
use crate::inspect::{InspectError, Inspection, inspect_folder, read_documents, read_inspection};
use crate::manifest::{Algorithm, FileEntry, Manifest};

/// Takes payload files, in the order of the manifest: what that says of each, and its stored bytes, of
/// which as few as wanted may be read. Says whether to go on.
pub type Take<'a> =
    dyn FnMut(&Manifest, &FileEntry, &mut dyn Read) -> io::Result<ControlFlow<()>> + 'a;

/// Reads an archive once, as far as is wanted, and hands the payload files that its manifest lists to
/// `take`.
///
/// # Errors
/// When it cannot be read, has no manifest at its beginning, ends too early, or `take` fails.
pub fn read_archive(reader: impl Read, take: &mut Take<'_>) -> Result<Inspection, InspectError> {
    let mut archive = ArchiveReader::new(reader);
    let (documents, mut member) = read_documents(&mut archive)?;
    let inspection = read_inspection(&documents)?;
    loop {
        let found = match member.take() {
            Some(found) => found,
            None => match archive.next_member()? {
                Some(found) => found,
                None => return Ok(inspection),
            },
        };
        if let Some((_, file)) = inspection.manifest.listed(&found.path) {
            let mut content = Member {
                archive: &mut archive,
                failed: None,
            };
            let taken = take(&inspection.manifest, file, &mut content);
            if let Some(error) = content.failed {
                return Err(error.into());
            }
            let flow = taken.map_err(|source| InspectError::Folder {
                path: file.path.clone().into(),
                source,
            })?;
            if flow.is_break() {
                return Ok(inspection);
            }
        }
    }
}

/// The same with a bundle that was unpacked to a folder. Files that are not there are passed over:
/// what is missing is for a verification to tell.
///
/// # Errors
/// As [`read_archive`].
pub fn read_folder(folder: &Path, take: &mut Take<'_>) -> Result<Inspection, InspectError> {
    let inspection = inspect_folder(folder)?;
    for file in &inspection.manifest.files {
        let path = folder.join(&file.path);
        let taken = match File::open(&path) {
            Ok(mut stored) => take(&inspection.manifest, file, &mut stored),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(ControlFlow::Continue(())),
            Err(error) => Err(error),
        };
        if taken
            .map_err(|source| InspectError::Folder { path, source })?
            .is_break()
        {
            break;
        }
    }
    Ok(inspection)
}

/// A member as a stream.
struct Member<'a, R> {
    archive: &'a mut ArchiveReader<R>,
    /// What the archive has, beyond what a stream can say.
    failed: Option<crate::archive::ArchiveError>,
}

impl<R: Read> Read for Member<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        match self.archive.read_into(buffer) {
            Ok(count) => Ok(count),
            Err(error) => {
                let told = io::Error::other(error.to_string());
                self.failed = Some(error);
                Err(told)
            }
        }
    }
}

/// The content of a file of lines or of a document, piece by piece: no more of it than the manifest
/// says there is.
///
/// # Errors
/// When it cannot be read or is not compressed as the manifest says; of a gzip file, always: nothing in
/// one is text.
pub fn pieces(
    file: &FileEntry,
    stored: &mut dyn Read,
    each: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut left = file.content_size;
    let mut give = |piece: &[u8]| {
        left = left.checked_sub(piece.len() as u64).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "it has more content than the manifest says",
            )
        })?;
        each(piece)
    };
    match file.compression.map(|compression| compression.algorithm) {
        Some(Algorithm::Zstd) => {
            let mut frames = FrameReader::new(stored)?;
            let mut frame = Vec::new();
            let damaged = |error: crate::frames::ReadError| {
                io::Error::new(io::ErrorKind::InvalidData, error.to_string())
            };
            while frames.next_frame(&mut frame).map_err(damaged)? {
                give(&frame)?;
            }
            Ok(())
        }
        Some(Algorithm::Gzip) => Err(io::ErrorKind::Unsupported.into()),
        None => {
            let mut buffer = vec![0; 256 << 10];
            loop {
                let count = crate::frames::read_some(&mut &mut *stored, &mut buffer)?;
                match buffer.get(..count) {
                    Some(piece) if !piece.is_empty() => give(piece)?,
                    _ => return Ok(()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use export_model::{ErrorCode, ProfileKind};
    use export_signing::SigningKey;

    use super::*;
    use crate::payload::{INPUTS, SUMMARY};
    use crate::test_support::{Sample, archive, by_path};

    fn read(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, InspectError> {
        let mut found = Vec::new();
        read_archive(bytes, &mut |_, file, stored| {
            let mut all = Vec::new();
            stored.read_to_end(&mut all)?;
            found.push((file.path.clone(), all));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    #[test]
    fn every_payload_file_is_handed_over_however_much_of_it_is_read() {
        let key = SigningKey::generate().unwrap();
        let members = Sample::assembled(ProfileKind::TrivyDb).members(&key);
        let bytes = archive(&members);
        assert_eq!(read(&bytes).unwrap(), members[5..].to_vec());

        let mut names = Vec::new();
        let mut first = [0; 3];
        let inspection = read_archive(bytes.as_slice(), &mut |_, file, stored| {
            names.push(file.path.clone());
            stored.read_exact(&mut first)?;
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
        assert_eq!(names.len(), members.len() - 5);
        assert_eq!(inspection.summary.profile_kind, ProfileKind::TrivyDb);

        let folder = tempfile::tempdir().unwrap();
        for (path, content) in &members {
            let at = folder.path().join(path);
            std::fs::create_dir_all(at.parent().unwrap()).unwrap();
            std::fs::write(at, content).unwrap();
        }
        let mut found = Vec::new();
        let same = read_folder(folder.path(), &mut |_, file, stored| {
            let mut all = Vec::new();
            stored.read_to_end(&mut all)?;
            found.push((file.path.clone(), all));
            Ok(ControlFlow::Continue(()))
        });
        assert_eq!(same.unwrap(), inspection);
        assert_eq!(found, members[5..].to_vec());
    }

    #[test]
    fn content_is_given_as_it_was_written_and_no_more_than_was_promised() {
        let key = SigningKey::generate().unwrap();
        let members = Sample::assembled(ProfileKind::TrivyDb).members(&key);
        let stored = by_path(&members);
        let content = |file: &FileEntry| {
            let mut all = Vec::new();
            pieces(file, &mut &stored[file.path.as_str()][..], &mut |piece| {
                all.extend_from_slice(piece);
                Ok(())
            })
            .map(|()| all)
        };
        let manifest = crate::manifest::Manifest::parse(stored["export.json"]).unwrap();
        for path in [INPUTS, SUMMARY] {
            let (_, file) = manifest.file(path).unwrap();
            let found = content(file).unwrap();
            assert_eq!(found.len() as u64, file.content_size);
            let mut less = file.clone();
            less.content_size -= 1;
            let error = content(&less).unwrap_err();
            assert!(error.to_string().contains("more content"), "{error}");
        }
        let (_, layer) = manifest.file("payload/db.tar.gz").unwrap();
        assert!(content(layer).is_err());
    }

    #[test]
    fn what_ends_too_early_or_fails_is_told() {
        let key = SigningKey::generate().unwrap();
        let bytes = archive(&Sample::assembled(ProfileKind::TrivyDb).members(&key));
        let cut = read(&bytes[..bytes.len() - 3000]).unwrap_err();
        assert_eq!(cut.code(), ErrorCode::Incomplete);
        assert_eq!(read(b"hello").unwrap_err().code(), ErrorCode::NotABundle);
        let mut seen = 0;
        read_archive(&bytes[..bytes.len() - 3000], &mut |manifest, _, _| {
            assert_eq!(manifest.profile.kind, ProfileKind::TrivyDb);
            seen += 1;
            Ok(ControlFlow::Break(()))
        })
        .unwrap();
        assert_eq!(seen, 1, "what follows is not even looked at");
        let failed = read_archive(bytes.as_slice(), &mut |_, _, _| {
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(failed.unwrap_err().code(), ErrorCode::DiskFull);
    }
}
