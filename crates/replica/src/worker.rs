//! What is done to one document.

use std::ops::Range;

use export_mirror::listing::write_line;
use export_mirror::path::DocumentPath;
use export_mirror::terms::Record;
use export_model::Sha256Digest;

use crate::error::Error;
use crate::indexing::Gathered;
use crate::pool::{Batch, Item, Line, Task};
use crate::tree::{Fault, Tree};

/// Works on documents, beside others of its kind.
pub(crate) struct Worker<'a> {
    /// The tree that is being made.
    new: Option<&'a Tree>,
    /// The tree that is there.
    old: Option<&'a Tree>,
    /// What documents can be found by.
    pub(crate) gathered: Gathered,
    buffer: Vec<u8>,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(new: Option<&'a Tree>, old: Option<&'a Tree>, gathered: Gathered) -> Self {
        Self {
            new,
            old,
            gathered,
            buffer: Vec::new(),
        }
    }

    /// Does to each document of a batch what it is there for.
    pub(crate) fn work(&mut self, batch: &mut Batch) -> Result<(), Error> {
        for at in 0..batch.items.len() {
            let Some(item) = batch.items.get(at).cloned() else {
                break;
            };
            match item.task {
                Task::Write | Task::WriteKnown => self.write(batch, &item)?,
                Task::Keep | Task::Retire | Task::Check => self.look(batch, &item)?,
            }
        }
        Ok(())
    }

    fn write(&mut self, batch: &mut Batch, item: &Item) -> Result<(), Error> {
        let tree = self.new.ok_or(Error::Internal("no tree to write to"))?;
        let path = slice(&batch.paths, &item.path);
        let bytes = batch.bytes.get(item.bytes.clone()).unwrap_or_default();
        let altered = |what: String| Error::Altered {
            path: path.to_owned(),
            what,
        };
        let sha256 = Sha256Digest::of(bytes);
        if item.task == Task::WriteKnown && sha256 != item.sha256 {
            return Err(altered(format!(
                "has the digest {sha256}, but the delta says {}",
                item.sha256
            )));
        }
        let record = Record::read(bytes)
            .map_err(|error| altered(format!("is no document of a mirror: {error}")))?;
        let expected = DocumentPath::of(record.kind, &record.id);
        if expected.as_bytes() != path.as_bytes() {
            return Err(altered(format!(
                "is a document that belongs at `{expected}`"
            )));
        }
        tree.write(path, bytes)?;
        self.gathered.add(&record)?;
        if item.task == Task::Write {
            let start = batch.line_bytes.len();
            write_line(
                &mut batch.line_bytes,
                record.kind,
                &record.subject_key,
                &record.id,
                &sha256,
                item.size,
            );
            let subject = batch.names.len();
            batch.names.push_str(&record.subject_key);
            let id = batch.names.len();
            batch.names.push_str(&record.id);
            batch.lines.push(Line {
                kind: record.kind,
                size: item.size,
                line: start..batch.line_bytes.len(),
                subject_key: subject..id,
                id: id..batch.names.len(),
            });
        }
        Ok(())
    }

    fn look(&mut self, batch: &mut Batch, item: &Item) -> Result<(), Error> {
        let old = self.old.ok_or(Error::Internal("no tree to look at"))?;
        let path = slice(&batch.paths, &item.path);
        let looked_at = if item.task == Task::Keep {
            let new = self.new.ok_or(Error::Internal("no tree to write to"))?;
            match new.link(old, path)? {
                Ok(()) => new,
                Err(fault) => {
                    note(&mut batch.found, path, fault);
                    return Ok(());
                }
            }
        } else {
            old
        };
        let indexed = match item.task {
            Task::Retire => self.gathered.is_update(),
            _ => self.gathered.is_whole(),
        };
        let checked = looked_at.check(path, &item.sha256, item.size, &mut self.buffer, indexed)?;
        if let Err(fault) = checked {
            note(&mut batch.found, path, fault);
            return Ok(());
        }
        if indexed {
            let size = usize::try_from(item.size).unwrap_or_default();
            let bytes = self.buffer.get(..size).unwrap_or_default();
            let record = Record::read(bytes).map_err(|error| Error::Altered {
                path: path.to_owned(),
                what: format!("is no document of a mirror: {error}"),
            })?;
            match item.task {
                Task::Retire => self.gathered.remove(&record)?,
                _ => self.gathered.add(&record)?,
            }
        }
        Ok(())
    }
}

fn note(found: &mut crate::differences::Differences, path: &str, fault: Fault) {
    match fault {
        Fault::Changed => found.changed.add(path),
        Fault::Missing => found.missing.add(path),
    }
}

pub(crate) fn slice<'t>(text: &'t str, range: &Range<usize>) -> &'t str {
    text.get(range.clone()).unwrap_or_default()
}
