//! Headers of members. Source: POSIX.1-2001, pax, "ustar Interchange Format" and "pax Header
//! Block".

/// Bytes of a block. Everything in an archive is padded to it.
pub(super) const BLOCK: usize = 512;
/// The largest size that a ustar header holds: eleven octal digits.
const MAX_USTAR_SIZE: u64 = 0o777_7777_7777;
/// Name of PAX headers. Readers that know them never show it.
const PAX_NAME: &str = "././@PaxHeader";

const NAME: std::ops::Range<usize> = 0..100;
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// Fields of a header, as far as they tell anything.
pub(super) struct Fields {
    pub(super) path: Vec<u8>,
    pub(super) size: Size,
    pub(super) kind: u8,
}

/// The size field.
pub(super) enum Size {
    Bytes(u64),
    /// GNU's binary form, which is for sizes of more than 8 GiB.
    Binary,
    Malformed,
}

/// The header of a regular file: one block, or three and more where a PAX header comes first.
pub(super) fn member_header(path: &str, size: u64) -> Vec<u8> {
    let mut records = Vec::new();
    let split = split_path(path);
    if split.is_none() {
        push_record(&mut records, "path", path);
    }
    let fits = size <= MAX_USTAR_SIZE;
    if !fits {
        push_record(&mut records, "size", &size.to_string());
    }
    let mut out = Vec::with_capacity(BLOCK);
    if !records.is_empty() {
        out.extend_from_slice(&block("", PAX_NAME, records.len() as u64, b'x'));
        out.extend_from_slice(&records);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
    }
    // Readers that know PAX headers ignore these fields where a record replaces them.
    let (prefix, name) = split.unwrap_or_else(|| ("", beginning(path)));
    out.extend_from_slice(&block(prefix, name, if fits { size } else { 0 }, b'0'));
    out
}

/// The shortest prefix that leaves a name of at most 100 bytes, and that name.
fn split_path(path: &str) -> Option<(&str, &str)> {
    if path.len() <= NAME.len() {
        return Some(("", path));
    }
    path.match_indices('/')
        .map(|(at, _)| {
            (
                path.get(..at).unwrap_or(""),
                path.get(at + 1..).unwrap_or(""),
            )
        })
        .find(|(_, name)| name.len() <= NAME.len())
        .filter(|(prefix, name)| prefix.len() <= 155 && !prefix.is_empty() && !name.is_empty())
}

fn beginning(path: &str) -> &str {
    let mut end = NAME.len().min(path.len());
    while !path.is_char_boundary(end) {
        end -= 1;
    }
    path.get(..end).unwrap_or("")
}

/// Appends `<length> <key>=<value>\n`, whose length counts its own digits.
fn push_record(out: &mut Vec<u8>, key: &str, value: &str) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    out.extend_from_slice(format!("{length} {key}={value}\n").as_bytes());
}

fn block(prefix: &str, name: &str, size: u64, kind: u8) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    put(&mut block, NAME.start, name.as_bytes());
    put(&mut block, 100, b"0000644\0");
    put(&mut block, 108, b"0000000\0");
    put(&mut block, 116, b"0000000\0");
    put(&mut block, 124, format!("{size:011o}\0").as_bytes());
    put(&mut block, 136, b"00000000000\0");
    put(&mut block, CHECKSUM.start, b"        ");
    put(&mut block, 156, &[kind]);
    put(&mut block, 257, b"ustar\x0000");
    put(&mut block, 329, b"0000000\0");
    put(&mut block, 337, b"0000000\0");
    put(&mut block, 345, prefix.as_bytes());
    let sum = format!("{:06o}\0 ", checksum(&block));
    put(&mut block, CHECKSUM.start, sum.as_bytes());
    block
}

fn put(block: &mut [u8; BLOCK], at: usize, bytes: &[u8]) {
    if let Some(field) = block.get_mut(at..at + bytes.len()) {
        field.copy_from_slice(bytes);
    }
}

/// The sum of the block's bytes, its checksum field counted as spaces.
fn checksum(block: &[u8; BLOCK]) -> u64 {
    block
        .iter()
        .enumerate()
        .map(|(at, byte)| u64::from(if CHECKSUM.contains(&at) { b' ' } else { *byte }))
        .sum()
}

/// Whether the block's checksum is right, in whatever form it is written.
pub(super) fn checksum_fits(block: &[u8; BLOCK]) -> bool {
    octal(&block[CHECKSUM]) == Some(checksum(block))
}

/// Whether the block is a header of the format that is read here.
pub(super) fn is_ustar(block: &[u8; BLOCK]) -> bool {
    &block[257..265] == b"ustar\x0000"
}

/// Reads a header's fields, whatever else is in it.
pub(super) fn fields(block: &[u8; BLOCK]) -> Fields {
    let text = |field: &[u8]| -> Vec<u8> {
        field
            .iter()
            .copied()
            .take_while(|byte| *byte != 0)
            .collect()
    };
    let (prefix, name) = (text(&block[345..500]), text(&block[NAME]));
    let path = if prefix.is_empty() {
        name
    } else {
        [prefix, b"/".to_vec(), name].concat()
    };
    let field = &block[124..136];
    let size = if field[0] & 0x80 != 0 {
        Size::Binary
    } else {
        octal(field).map_or(Size::Malformed, Size::Bytes)
    };
    Fields {
        path,
        size,
        kind: block[156],
    }
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    let digits = text.trim_matches(['\0', ' ']);
    if digits.is_empty() || digits.bytes().any(|b| !b.is_ascii_digit()) {
        return None;
    }
    u64::from_str_radix(digits, 8).ok()
}

/// Reads the records of a PAX header; none where one is malformed.
pub(super) fn pax_records(mut body: &[u8]) -> Option<Vec<(&str, &str)>> {
    let mut records = Vec::new();
    while !body.is_empty() {
        let space = body.iter().take(8).position(|byte| *byte == b' ')?;
        let length: usize = std::str::from_utf8(body.get(..space)?).ok()?.parse().ok()?;
        let record = body.get(space + 1..length)?.strip_suffix(b"\n")?;
        records.push(std::str::from_utf8(record).ok()?.split_once('=')?);
        body = body.get(length..)?;
    }
    Some(records)
}
