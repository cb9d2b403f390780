//! `payload/vex/openvex.json`: statements, as one document that a scanner takes with `--vex`.
//!
//! Source: `OpenVEX` specification 0.2.0. The document is in the form of RFC 8785, written as a stream:
//! its members happen to need nothing of the statements but their digest and their newest time.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Serialize;
use time::OffsetDateTime;

use crate::TrivyError;
use crate::assembled::{AssembledFile, HashedFile, canonical};
use crate::metadata::parse;
use crate::row::VexRow;
use crate::runs::rfc3339;

const CONTEXT: &str = "https://openvex.dev/ns/v0.2.0";
const AUTHOR: &str = "Export Center";
const ID_PREFIX: &str = "https://export-center.dev/vex/sha256:";
const EPOCH: &str = "1970-01-01T00:00:00Z";

#[derive(Serialize)]
struct Statement<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    impact_statement: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    justification: &'a str,
    products: [Product<'a>; 1],
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<&'a str>,
    vulnerability: Vulnerability<'a>,
}

#[derive(Serialize)]
struct Product<'a> {
    #[serde(rename = "@id")]
    id: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subcomponents: Vec<Component<'a>>,
}

#[derive(Serialize)]
struct Component<'a> {
    #[serde(rename = "@id")]
    id: &'a str,
}

#[derive(Serialize)]
struct Vulnerability<'a> {
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    aliases: &'a [String],
    name: &'a str,
}

#[derive(Serialize)]
struct Head<'a> {
    #[serde(rename = "@context")]
    context: &'a str,
    #[serde(rename = "@id")]
    id: &'a str,
    author: &'a str,
}

#[derive(Serialize)]
struct Tail<'a> {
    timestamp: &'a str,
    version: u32,
}

/// Gathers statements on scratch.
pub(crate) struct Statements {
    scratch: PathBuf,
    body: HashedFile,
    last: Vec<u8>,
    count: u64,
    newest: Option<OffsetDateTime>,
}

impl Statements {
    pub(crate) fn create(scratch: &Path) -> Result<Self, TrivyError> {
        Ok(Self {
            scratch: scratch.to_owned(),
            body: HashedFile::create(scratch.join("openvex.statements"))?,
            last: Vec::new(),
            count: 0,
            newest: None,
        })
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Adds a row by its value; rows come in order. What two records say in the same words is said
    /// once.
    pub(crate) fn push(&mut self, value: &[u8]) -> Result<(), TrivyError> {
        let row: VexRow = serde_json::from_slice(value).map_err(|_| TrivyError::Row)?;
        // A time that is none would make readers refuse the whole document.
        let time = parse(&row.timestamp).ok();
        let statement = Statement {
            impact_statement: &row.impact_statement,
            justification: &row.justification,
            products: [Product {
                id: &row.product,
                subcomponents: row
                    .subcomponents
                    .iter()
                    .map(|id| Component { id })
                    .collect(),
            }],
            status: &row.status,
            timestamp: time.is_some().then_some(row.timestamp.as_str()),
            vulnerability: Vulnerability {
                aliases: &row.aliases,
                name: &row.vulnerability,
            },
        };
        let bytes = canonical("a VEX statement", &statement)?;
        if bytes == self.last {
            return Ok(());
        }
        if self.count > 0 {
            self.body.add(b",")?;
        }
        self.body.add(&bytes)?;
        self.last = bytes;
        self.count += 1;
        self.newest = self.newest.max(time);
        Ok(())
    }

    /// The document, if there are statements.
    pub(crate) fn finish(self) -> Result<Option<AssembledFile>, TrivyError> {
        let body = self.body.finish("", "", self.count)?;
        let document = if self.count == 0 {
            None
        } else {
            let id = format!("{ID_PREFIX}{}", hex::encode(body.sha256));
            let newest = self.newest.map_or_else(|| EPOCH.to_owned(), rfc3339);
            Some(document(&self.scratch, &body, &id, &newest)?)
        };
        std::fs::remove_file(&body.stored).map_err(TrivyError::file("remove", &body.stored))?;
        Ok(document)
    }
}

fn document(
    scratch: &Path,
    body: &AssembledFile,
    id: &str,
    newest: &str,
) -> Result<AssembledFile, TrivyError> {
    let head = Head {
        context: CONTEXT,
        id,
        author: AUTHOR,
    };
    let tail = Tail {
        timestamp: newest,
        version: 1,
    };
    let head = canonical("the VEX document", &head)?;
    let tail = canonical("the VEX document", &tail)?;
    let mut out = HashedFile::create(scratch.join("openvex.json"))?;
    // Both are objects; "statements" sorts between their members.
    out.add(head.get(..head.len().saturating_sub(1)).unwrap_or_default())?;
    out.add(b",\"statements\":[")?;
    let reading = TrivyError::file("read", &body.stored);
    let mut from = File::open(&body.stored).map_err(reading)?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from
            .read(&mut buffer)
            .map_err(TrivyError::file("read", &body.stored))?;
        if read == 0 {
            break;
        }
        out.add(buffer.get(..read).unwrap_or_default())?;
    }
    out.add(b"],")?;
    out.add(tail.get(1..).unwrap_or_default())?;
    out.finish("payload/vex/openvex.json", "application/json", body.records)
}
