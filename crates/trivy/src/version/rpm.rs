//! RPM's versions (rpm-version(7)): epoch, version, release.

use std::cmp::Ordering;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Version {
    epoch: u64,
    version: String,
    release: String,
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| compare(self.version.as_bytes(), other.version.as_bytes()))
            .then_with(|| compare(self.release.as_bytes(), other.release.as_bytes()))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

/// The library takes anything; what no packager can have built is refused here.
pub(super) fn parse(text: &str) -> Option<Version> {
    let text = text.trim_ascii();
    let (epoch, rest) = match text.split_once(':') {
        Some((epoch, rest)) => (epoch.parse().ok()?, rest),
        None => (0, text),
    };
    let (version, release) = rest.split_once('-').unwrap_or((rest, ""));
    let allowed = |b: u8| b.is_ascii_graphic() && b != b':' && b != b'/';
    let has_segment = version.bytes().any(|byte| byte.is_ascii_alphanumeric());
    (has_segment && rest.bytes().all(allowed)).then(|| Version {
        epoch,
        version: version.to_owned(),
        release: release.to_owned(),
    })
}

fn skip_separators(text: &[u8]) -> &[u8] {
    let start = text
        .iter()
        .position(|b| b.is_ascii_alphanumeric() || matches!(b, b'~' | b'^'));
    text.get(start.unwrap_or(text.len())..).unwrap_or(&[])
}

fn compare(mut a: &[u8], mut b: &[u8]) -> Ordering {
    loop {
        a = skip_separators(a);
        b = skip_separators(b);
        match (a.first(), b.first()) {
            (None, None) => return Ordering::Equal,
            // A tilde comes before everything, the end included.
            (Some(b'~'), Some(b'~')) | (Some(b'^'), Some(b'^')) => {
                a = a.get(1..).unwrap_or_default();
                b = b.get(1..).unwrap_or_default();
                continue;
            }
            (Some(b'~'), _) => return Ordering::Less,
            (_, Some(b'~')) => return Ordering::Greater,
            // A caret comes after the end, and before everything else.
            (Some(b'^'), None) => return Ordering::Greater,
            (None, Some(b'^')) => return Ordering::Less,
            (Some(b'^'), _) => return Ordering::Less,
            (_, Some(b'^')) => return Ordering::Greater,
            (Some(_), None) => return Ordering::Greater,
            (None, Some(_)) => return Ordering::Less,
            (Some(left), Some(right)) => {
                match (left.is_ascii_digit(), right.is_ascii_digit()) {
                    // Numbers come after letters.
                    (true, false) => return Ordering::Greater,
                    (false, true) => return Ordering::Less,
                    (true, true) => {
                        let (left, after_left) = run(a, u8::is_ascii_digit);
                        let (right, after_right) = run(b, u8::is_ascii_digit);
                        let (left, right) = (without_zeros(left), without_zeros(right));
                        let order = left.len().cmp(&right.len()).then_with(|| left.cmp(right));
                        if order.is_ne() {
                            return order;
                        }
                        (a, b) = (after_left, after_right);
                    }
                    (false, false) => {
                        let (left, after_left) = run(a, u8::is_ascii_alphabetic);
                        let (right, after_right) = run(b, u8::is_ascii_alphabetic);
                        let order = left.cmp(right);
                        if order.is_ne() {
                            return order;
                        }
                        (a, b) = (after_left, after_right);
                    }
                }
            }
        }
    }
}

fn run(text: &[u8], is: fn(&u8) -> bool) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !is(byte));
    text.split_at(end.unwrap_or(text.len()))
}

fn without_zeros(digits: &[u8]) -> &[u8] {
    let start = digits.iter().position(|byte| *byte != b'0');
    digits.get(start.unwrap_or(digits.len())..).unwrap_or(&[])
}
