//! `exportctl inspect --unmapped`

use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::path::Path;

use export_bundle::contents::{pieces, read_archive, read_folder};
use export_bundle::manifest::{FileEntry, Manifest};
use export_bundle::payload::UNMAPPED;
use export_model::{ErrorCode, ProfileKind};
use export_trivy::listing::UnmappedLine;
use serde_json::json;

use super::layer::{sealed, unreadable};
use super::{is_standard_input, verify::open};
use crate::failure::Failed;
use crate::output::Output;

/// Prints the listing as it is read: it may be longer than memory.
pub(super) fn execute(output: &Output, bundle: &Path) -> Result<u8, Failed> {
    let mut listing = Listing {
        out: Box::new(io::BufWriter::new(io::stdout().lock())),
        json: output.is_json(),
        line: Vec::new(),
        lines: 0,
        gone: false,
    };
    let mut other: Option<ProfileKind> = None;
    let mut found = false;
    let mut take = |manifest: &Manifest, file: &FileEntry, stored: &mut dyn Read| {
        if !manifest.profile.kind.is_assembled() {
            other = Some(manifest.profile.kind);
            return Ok(ControlFlow::Break(()));
        }
        if file.path != UNMAPPED {
            return Ok(ControlFlow::Continue(()));
        }
        found = true;
        listing.begin(bundle);
        pieces(file, stored, &mut |piece| listing.add(piece))?;
        listing.end()?;
        Ok(ControlFlow::Break(()))
    };
    let read = if !is_standard_input(bundle) && bundle.is_dir() {
        read_folder(bundle, &mut take)
    } else {
        read_archive(open(bundle)?, &mut take)
    };
    let inspection = read.map_err(|e| unreadable(bundle, &e))?;
    let kind = other.unwrap_or(inspection.manifest.profile.kind);
    if !kind.is_assembled() {
        let detail = format!(
            "{} is an export of {kind}: nothing in it is mapped",
            bundle.display()
        );
        return Err(Failed::new(ErrorCode::Usage, detail));
    }
    if inspection.manifest.sealed.is_some() {
        return Err(sealed(bundle));
    }
    if !found {
        let detail = format!("{} misses {UNMAPPED}", bundle.display());
        return Err(Failed::new(ErrorCode::Incomplete, detail));
    }
    Ok(0)
}

struct Listing<'a> {
    out: Box<dyn Write + 'a>,
    json: bool,
    /// The beginning of a line that its piece did not end.
    line: Vec<u8>,
    lines: u64,
    /// Whether nobody reads any more.
    gone: bool,
}

impl Listing<'_> {
    fn begin(&mut self, bundle: &Path) {
        if self.json {
            let name = json!(bundle);
            self.write(&format!(
                "{{\"bundle\":{name},\"verified\":false,\"unmapped\":["
            ));
        }
    }

    fn add(&mut self, piece: &[u8]) -> io::Result<()> {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.one()?;
            }
        }
        Ok(())
    }

    fn one(&mut self) -> io::Result<()> {
        let line: UnmappedLine = serde_json::from_slice(&self.line)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        self.line.clear();
        let text = if self.json {
            let comma = if self.lines > 0 { "," } else { "" };
            format!("{comma}{}", json!(line))
        } else {
            let UnmappedLine {
                detail,
                reason,
                record,
            } = line;
            // One line, whatever a publisher has written.
            let detail: String = detail.chars().flat_map(char::escape_debug).collect();
            format!("{reason}\t{record}\t{detail}\n")
        };
        self.lines += 1;
        self.write(&text);
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        if !self.line.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "its last line has no end",
            ));
        }
        if self.json {
            self.write("]}\n");
        }
        self.gone |= self.out.flush().is_err();
        Ok(())
    }

    /// A reader that has gone away wants nothing more.
    fn write(&mut self, text: &str) {
        if !self.gone {
            self.gone = self.out.write_all(text.as_bytes()).is_err();
        }
    }
}
