//! Looking up a term: halving along the offsets, then reading on.

use std::io::{BufRead as _, BufReader, Read, Seek, SeekFrom};

use super::{BETWEEN, Index, IndexError, MOST_LINE, TAIL};
use crate::line::push_escaped;

/// Bytes of an offset.
const WIDTH: u64 = 8;

/// Tells `each` the paths of the documents that `term` leads to, sorted, until it says `false`.
/// `lines` and `offsets` are the files of `index`. Takes about twenty reads for a million lines.
///
/// # Errors
/// When the files cannot be read, or are not those of an index.
pub fn find<L: Read + Seek, O: Read + Seek>(
    lines: &mut L,
    offsets: &mut O,
    index: Index,
    term: &str,
    each: &mut dyn FnMut(&str) -> bool,
) -> Result<(), IndexError> {
    let mut wanted = index.head().to_vec();
    push_escaped(&mut wanted, term);
    wanted.extend_from_slice(BETWEEN);
    let count = offsets.seek(SeekFrom::End(0)).map_err(IndexError::Read)? / WIDTH;
    let mut line = Vec::new();
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        seek(lines, offsets, middle)?;
        let mut reader = BufReader::with_capacity(512, &mut *lines);
        read(&mut reader, index, middle + 1, &mut line)?;
        if line.as_slice() < wanted.as_slice() {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if low == count {
        return Ok(());
    }
    seek(lines, offsets, low)?;
    let mut reader = BufReader::new(lines);
    for number in low..count {
        read(&mut reader, index, number + 1, &mut line)?;
        let path = line
            .strip_prefix(wanted.as_slice())
            .and_then(|rest| rest.strip_suffix(TAIL))
            .and_then(|path| std::str::from_utf8(path).ok());
        match path {
            Some(path) if each(path) => {}
            _ => break,
        }
    }
    Ok(())
}

/// Goes to the line `number`, which counts from 0.
fn seek<L: Seek, O: Read + Seek>(
    lines: &mut L,
    offsets: &mut O,
    number: u64,
) -> Result<(), IndexError> {
    let mut offset = [0; WIDTH as usize];
    offsets
        .seek(SeekFrom::Start(number * WIDTH))
        .and_then(|_| offsets.read_exact(&mut offset))
        .and_then(|()| lines.seek(SeekFrom::Start(u64::from_be_bytes(offset))))
        .map_err(IndexError::Read)?;
    Ok(())
}

fn read(
    reader: &mut BufReader<impl Read>,
    index: Index,
    number: u64,
    line: &mut Vec<u8>,
) -> Result<(), IndexError> {
    line.clear();
    reader
        .take(MOST_LINE as u64)
        .read_until(b'\n', line)
        .map_err(IndexError::Read)?;
    if line.starts_with(index.head()) && line.ends_with(TAIL) {
        return Ok(());
    }
    Err(IndexError::Damaged {
        what: index.lines_file().to_owned(),
        line: number,
        fault: "no line of the index is where its offset says",
    })
}
