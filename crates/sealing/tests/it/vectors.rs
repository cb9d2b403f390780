//! The test vectors of the age format, <https://c2sp.org/CCTV/age>: the folder is in `AGE_VECTORS`.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::Arc;
use std::{env, fs};

use export_sealing::{Identity, Keyring, OpenErrorKind};
use flate2::read::ZlibDecoder;
use sha2::{Digest as _, Sha256};

use crate::world::open_at;

struct Vector {
    said: BTreeMap<String, Vec<String>>,
    file: Vec<u8>,
}

impl Vector {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(2).position(|two| two == b"\n\n").unwrap();
        let mut said: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in std::str::from_utf8(&bytes[..end]).unwrap().lines() {
            let (name, value) = line
                .split_once(": ")
                .unwrap_or((line.trim_end_matches(':'), ""));
            said.entry(name.to_owned())
                .or_default()
                .push(value.to_owned());
        }
        let mut file = bytes[end + 2..].to_vec();
        if said.contains_key("compressed") {
            let mut unpacked = Vec::new();
            ZlibDecoder::new(&file[..])
                .read_to_end(&mut unpacked)
                .unwrap();
            file = unpacked;
        }
        Self { said, file }
    }

    fn has(&self, name: &str) -> bool {
        self.said.contains_key(name)
    }

    fn first(&self, name: &str) -> &str {
        self.said.get(name).map_or("", |values| &values[0])
    }

    /// The identities that are of our kind; none where one of them is of another.
    fn identities(&self) -> Option<Vec<Identity>> {
        let mut all = Vec::new();
        for text in self.said.get("identity").map_or(&[][..], Vec::as_slice) {
            all.extend(Identity::parse_file(text.as_bytes()).ok()?);
        }
        Some(all)
    }
}

#[test]
fn all_vectors() {
    let Some(folder) = env::var_os("AGE_VECTORS").filter(|folder| !folder.is_empty()) else {
        println!("skipped: age's test vectors: AGE_VECTORS is not set");
        return;
    };
    let mut tried = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let vector = Vector::parse(&fs::read(entry.path()).unwrap());
        // Other formats and other recipients, which have to be refused without an identity for them.
        let is_ours = !vector.has("armored") && !vector.has("passphrase");
        let identities = vector.identities();
        let is_ours = is_ours && identities.is_some();
        let keys = Keyring::new().with_identities(identities.unwrap_or_default());
        let (out, opened) = open_at(&Arc::new(keys), &name, &vector.file);
        if !is_ours {
            assert!(opened.is_err(), "{name}");
            continue;
        }
        tried += 1;
        judge(&name, &vector, &out, opened.map_err(|error| error.kind));
    }
    assert!(tried > 60, "only {tried} of the vectors are for us");
}

fn judge(name: &str, vector: &Vector, out: &[u8], opened: Result<(), OpenErrorKind>) {
    use OpenErrorKind::{
        Altered, Appended, BadHeader, Cut, HeaderAltered, NoKey, NotSealed, Unsupported, WrongKey,
    };
    let is_as_expected = match vector.first("expect") {
        "success" => opened.is_ok(),
        "no match" => matches!(opened, Err(WrongKey { .. } | NoKey { .. })),
        "HMAC failure" => matches!(opened, Err(HeaderAltered)),
        "header failure" => matches!(
            opened,
            Err(BadHeader { .. } | NotSealed | Unsupported { .. })
        ),
        "payload failure" => matches!(
            opened,
            Err(Altered { .. } | Cut { .. } | Appended { .. } | BadHeader { .. })
        ),
        other => panic!("{name}: it expects {other}"),
    };
    assert!(is_as_expected, "{name}: {opened:?}");
    let is_what_age_gives = || hex::encode(Sha256::digest(out)) == vector.first("payload");
    match opened {
        // age gives out a chunk before it finds that it should have been the last, or was not. Here it is held back.
        Err(Appended { chunk } | Cut { chunk }) => {
            let before = chunk as usize * 64 * 1024;
            assert!(
                out.len() == before || is_what_age_gives(),
                "{name}: {opened:?}"
            );
        }
        _ if vector.has("payload") => assert!(is_what_age_gives(), "{name}: {opened:?}"),
        _ => assert!(out.is_empty(), "{name}"),
    }
}
