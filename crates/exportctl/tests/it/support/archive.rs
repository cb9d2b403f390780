//! Bundles in the hands of somebody else: archives read and made without the program's own code
//! (POSIX.1-1988 ustar), and signed again by whoever has the key.

use std::path::Path;

use export_signing::{SigningKey, bundle, detached, to_sign};
use serde_json::Value;

use super::sha256_hex;

const BLOCK: usize = 512;

/// An archive's members, in order.
#[derive(Clone)]
pub(crate) struct Archive {
    pub(crate) members: Vec<(String, Vec<u8>)>,
}

impl Archive {
    pub(crate) fn read(path: &Path) -> Self {
        Self::parse(&std::fs::read(path).unwrap())
    }

    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let mut members = Vec::new();
        let mut at = 0;
        while bytes[at] != 0 {
            let header = &bytes[at..at + BLOCK];
            let text = |from: usize, to: usize| {
                let field = header[from..to].split(|b| *b == 0).next().unwrap();
                String::from_utf8(field.to_vec()).unwrap()
            };
            assert_eq!(header[156], b'0', "short names need no extension");
            assert_eq!(text(345, 500), "", "short names need no prefix");
            let size = usize::from_str_radix(&text(124, 136), 8).unwrap();
            let from = at + BLOCK;
            members.push((text(0, 100), bytes[from..from + size].to_vec()));
            at = from + size.next_multiple_of(BLOCK);
        }
        let archive = Self { members };
        assert!(archive.bytes() == bytes, "the archive has another form");
        archive
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, content) in &self.members {
            bytes.extend(header(name, content.len() as u64, b'0', ""));
            bytes.extend(content);
            bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        }
        bytes.resize(bytes.len() + 2 * BLOCK, 0);
        bytes
    }

    fn position(&self, name: &str) -> usize {
        let found = self.members.iter().position(|(own, _)| own == name);
        found.unwrap_or_else(|| panic!("no {name} in {:?}", self.names()))
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.members.iter().map(|(name, _)| name.as_str()).collect()
    }

    pub(crate) fn get(&self, name: &str) -> &[u8] {
        &self.members[self.position(name)].1
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> &mut Vec<u8> {
        let position = self.position(name);
        &mut self.members[position].1
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.members.remove(self.position(name));
    }

    pub(crate) fn manifest(&self) -> Value {
        serde_json::from_slice(self.get("export.json")).unwrap()
    }

    /// The lines of every file whose name begins with `payload/` and then `kind`.
    pub(crate) fn lines(&self, kind: &str) -> Vec<String> {
        let prefix = format!("payload/{kind}");
        let mut lines = Vec::new();
        for (name, content) in &self.members {
            if name.starts_with(&prefix) && name.ends_with(".jsonl.zst") {
                let text = String::from_utf8(unpacked(content)).unwrap();
                assert!(text.ends_with('\n'), "{name}");
                lines.extend(text.lines().map(str::to_owned));
            }
        }
        lines
    }

    /// The `_id`s of all exported records, in order.
    pub(crate) fn ids(&self) -> Vec<String> {
        ["advisory/", "finding/", "sbom/", "vex/"]
            .iter()
            .flat_map(|kind| self.lines(kind))
            .map(|line| {
                let record: Value = serde_json::from_str(&line).unwrap();
                record["_id"].as_str().unwrap().to_owned()
            })
            .collect()
    }

    /// Replaces what a `.zst` member holds.
    pub(crate) fn repack(&mut self, name: &str, content: &[u8]) {
        let mut compressor = zstd::bulk::Compressor::new(3).unwrap();
        compressor.include_checksum(true).unwrap();
        *self.get_mut(name) = compressor.compress(content).unwrap();
    }

    /// Makes the documents fit the payload, changed by `edit`, and signs them: what a dishonest
    /// holder of the key would do.
    pub(crate) fn resign(&mut self, key: &SigningKey, edit: impl FnOnce(&mut Value)) {
        let mut manifest = self.manifest();
        for file in manifest["files"].as_array_mut().unwrap() {
            let stored = self.get(file["path"].as_str().unwrap());
            let content = match file.get("compression") {
                Some(_) => unpacked(stored),
                None => stored.to_vec(),
            };
            file["size"] = stored.len().into();
            file["sha256"] = format!("sha256:{}", sha256_hex(stored)).into();
            file["content_size"] = content.len().into();
            file["content_sha256"] = format!("sha256:{}", sha256_hex(&content)).into();
        }
        edit(&mut manifest);
        let mut sums: Vec<_> = manifest["files"]
            .as_array()
            .unwrap()
            .iter()
            .map(|file| {
                let path = file["path"].as_str().unwrap().trim_end_matches(".zst");
                let sum = file["content_sha256"].as_str().unwrap();
                let line = format!("{}  {}  {path}\n", &sum[7..], file["content_size"]);
                (path.to_owned(), line)
            })
            .collect();
        sums.sort();
        let sums: String = sums.into_iter().map(|(_, line)| line).collect();
        let content = sha256_hex(sums.as_bytes());
        manifest["content_digest"] = format!("sha256:{content}").into();
        let export = manifest.to_string().into_bytes();

        let mut provenance: Value = serde_json::from_slice(self.get("provenance.json")).unwrap();
        provenance["subject"][0]["digest"]["sha256"] = sha256_hex(&export).into();
        provenance["subject"][1]["digest"]["sha256"] = content.into();
        self.sign(key, export, provenance.to_string().into_bytes());
    }

    /// Signs these documents, and puts them in.
    pub(crate) fn sign(&mut self, key: &SigningKey, export: Vec<u8>, provenance: Vec<u8>) {
        let fingerprint = key.public_key().fingerprint();
        let message = to_sign::export_json_to_sign(&export);
        let signature = key.sign(message.bytes()).unwrap();
        let statement = to_sign::statement_to_sign(&provenance);
        let statement = key.sign(statement.bytes()).unwrap();
        *self.get_mut("export.json.sig") = detached::write(&signature).into_bytes();
        *self.get_mut("export.json.sigstore.json") =
            bundle::message_bundle(&signature, &message.sha256(), &fingerprint);
        *self.get_mut("provenance.json.sigstore.json") =
            bundle::dsse_bundle(&provenance, &statement, &fingerprint);
        *self.get_mut("export.json") = export;
        *self.get_mut("provenance.json") = provenance;
    }
}

/// The header of a member of the type `kind`.
pub(crate) fn header(name: &str, size: u64, kind: u8, link: &str) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, b"0000644\x000000000\x000000000\0");
    if size < 1 << 33 {
        put(124, format!("{size:011o}\0").as_bytes());
    } else {
        // The extension of GNU and star for large sizes: a big-endian number after a set bit.
        put(124, &[0x80, 0, 0, 0]);
        put(128, &size.to_be_bytes());
    }
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, &[kind]);
    put(157, link.as_bytes());
    put(257, b"ustar\x0000");
    put(329, b"0000000\x000000000\0");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// What a zstd file holds.
pub(crate) fn unpacked(bytes: &[u8]) -> Vec<u8> {
    zstd::decode_all(bytes).unwrap()
}
