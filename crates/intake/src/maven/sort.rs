//! Sorting more rows than memory holds: sorted runs in files without a name, and one merge.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek as _, Write as _};
use std::path::PathBuf;

use super::MavenError;

/// Bytes that are read of a run at once.
const BUFFER: usize = 64 << 10;
/// Runs that are merged at once; more become one first.
const MOST_RUNS: usize = 64;

/// Takes rows without line feeds; gives each of them once, sorted.
pub(super) struct Sorter {
    folder: PathBuf,
    memory: usize,
    held: usize,
    rows: Vec<Box<[u8]>>,
    runs: Vec<File>,
}

impl Sorter {
    pub(super) fn new(folder: PathBuf, memory: usize) -> Self {
        Self {
            folder,
            memory,
            held: 0,
            rows: Vec::new(),
            runs: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, row: &[u8]) -> Result<(), MavenError> {
        self.held += row.len() + size_of::<Box<[u8]>>() + 16;
        self.rows.push(row.into());
        if self.held >= self.memory {
            self.spill()?;
        }
        Ok(())
    }

    fn failed(&self) -> impl Fn(io::Error) -> MavenError + use<> {
        let folder = self.folder.clone();
        move |source| MavenError::Scratch {
            folder: folder.clone(),
            source,
        }
    }

    fn spill(&mut self) -> Result<(), MavenError> {
        self.sort();
        let mut run = self.file()?;
        for row in self.rows.drain(..) {
            run.write_all(&row)
                .and_then(|()| run.write_all(b"\n"))
                .map_err(|source| MavenError::Scratch {
                    folder: self.folder.clone(),
                    source,
                })?;
        }
        self.held = 0;
        self.keep(run)?;
        if self.runs.len() >= MOST_RUNS {
            let runs = std::mem::take(&mut self.runs);
            let mut run = self.file()?;
            let failed = self.failed();
            merge(runs, &failed, &mut |row| {
                run.write_all(row)
                    .and_then(|()| run.write_all(b"\n"))
                    .map_err(&failed)
            })?;
            self.keep(run)?;
        }
        Ok(())
    }

    fn sort(&mut self) {
        self.rows.sort_unstable();
        self.rows.dedup();
    }

    fn file(&self) -> Result<BufWriter<File>, MavenError> {
        let file = tempfile::tempfile_in(&self.folder).map_err(self.failed())?;
        Ok(BufWriter::with_capacity(1 << 20, file))
    }

    fn keep(&mut self, run: BufWriter<File>) -> Result<(), MavenError> {
        let file = run
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
            .and_then(|mut file| file.rewind().map(|()| file))
            .map_err(self.failed())?;
        self.runs.push(file);
        Ok(())
    }

    /// Gives every row, sorted, each once.
    pub(super) fn sorted(
        mut self,
        each: &mut dyn FnMut(&[u8]) -> Result<(), MavenError>,
    ) -> Result<(), MavenError> {
        if self.runs.is_empty() {
            self.sort();
            return self.rows.iter().try_for_each(|row| each(row));
        }
        self.spill()?;
        let failed = self.failed();
        merge(self.runs, &failed, each)
    }
}

fn merge(
    runs: Vec<File>,
    failed: &dyn Fn(io::Error) -> MavenError,
    each: &mut dyn FnMut(&[u8]) -> Result<(), MavenError>,
) -> Result<(), MavenError> {
    let mut runs: Vec<_> = runs
        .into_iter()
        .map(|run| BufReader::with_capacity(BUFFER, run))
        .collect();
    let mut heap = BinaryHeap::new();
    for (index, run) in runs.iter_mut().enumerate() {
        if let Some(row) = next(run).map_err(failed)? {
            heap.push(Reverse((row, index)));
        }
    }
    let mut last: Option<Vec<u8>> = None;
    while let Some(Reverse((row, index))) = heap.pop() {
        if let Some(run) = runs.get_mut(index)
            && let Some(following) = next(run).map_err(failed)?
        {
            heap.push(Reverse((following, index)));
        }
        if last.as_ref() != Some(&row) {
            each(&row)?;
            last = Some(row);
        }
    }
    Ok(())
}

fn next(run: &mut BufReader<File>) -> io::Result<Option<Vec<u8>>> {
    let mut row = Vec::new();
    if run.read_until(b'\n', &mut row)? == 0 {
        return Ok(None);
    }
    row.pop();
    Ok(Some(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_out_sorted_and_once_however_little_memory_there_is() {
        let folder = tempfile::tempdir().unwrap();
        let mut rows: Vec<String> = (0..5_000_u32)
            .map(|n| format!("{:04}", n.wrapping_mul(2_654_435_761) % 3_000))
            .collect();
        for memory in [1, 100, 10_000, 1 << 20] {
            let mut sorter = Sorter::new(folder.path().to_owned(), memory);
            for row in &rows {
                sorter.push(row.as_bytes()).unwrap();
            }
            let mut found = Vec::new();
            sorter
                .sorted(&mut |row| {
                    found.push(String::from_utf8(row.to_vec()).unwrap());
                    Ok(())
                })
                .unwrap();
            let mut expected = rows.clone();
            expected.sort_unstable();
            expected.dedup();
            assert_eq!(found, expected, "{memory}");
            rows.reverse();
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let folder = PathBuf::from("/nowhere/at/all");
        let mut sorter = Sorter::new(folder, 1);
        let error = sorter.push(b"x").unwrap_err().to_string();
        assert!(error.contains("/nowhere/at/all"), "{error}");
    }
}
