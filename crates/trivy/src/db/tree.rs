//! The second merge: settled rows, in the order of the database's tree, into its file.
//!
//! Advisories' buckets and the database's own stand in one sequence, sorted by name.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use export_bolt::{Options, WriteError, Writer};

use super::red_hat;
use crate::TrivyError;
use crate::merge::{Merge, Proceed};
use crate::runs::encode::RED_HAT;
use crate::runs::key::Fields;
use crate::settle::Settled;

/// Red Hat's products, by number, and by content set.
const RED_HAT_CPE: &str = "Red Hat CPE";
/// Each bucket's feed.
const DATA_SOURCE: &str = "data-source";
/// Each vulnerability's description. Readers stop, in a panic, where it is missing.
const VULNERABILITY: &str = "vulnerability";

/// Root buckets that hold no advisories, sorted.
pub(crate) const OWN_BUCKETS: [&str; 3] = [RED_HAT_CPE, DATA_SOURCE, VULNERABILITY];

/// Writes `trivy.db` to `path`.
pub(super) fn write(
    settled: &Settled,
    path: &Path,
    scratch: &Path,
    proceed: Proceed<'_>,
) -> Result<(), TrivyError> {
    let file = File::create(path).map_err(TrivyError::file("create", path))?;
    let bolt = Writer::new(BufWriter::new(file), Options::default());
    let mut tree = Tree {
        bolt: bolt.map_err(failed(path))?,
        path,
        settled,
        own: &OWN_BUCKETS,
        bucket: String::new(),
        package: String::new(),
    };
    let mut rows = Merge::open(
        settled.advisories.chunks(),
        scratch,
        "advisories-merge",
        proceed,
    )?;
    while let Some((key, value)) = rows.next()? {
        tree.advisory(key, value, scratch, proceed)?;
    }
    tree.finish(scratch, proceed)
}

fn failed(path: &Path) -> impl Fn(WriteError) -> TrivyError {
    move |source| TrivyError::Bolt {
        doing: "write",
        path: path.to_owned(),
        source: Box::new(source),
    }
}

struct Tree<'a> {
    bolt: Writer<BufWriter<File>>,
    path: &'a Path,
    settled: &'a Settled,
    /// The database's own buckets that are still to come.
    own: &'a [&'static str],
    /// The advisories' bucket that is open; empty for none.
    bucket: String,
    /// The package that is open in it.
    package: String,
}

impl Tree<'_> {
    fn enter(&mut self, name: &str) -> Result<(), TrivyError> {
        self.bolt.bucket(name.as_bytes()).map_err(failed(self.path))
    }

    fn leave(&mut self) -> Result<(), TrivyError> {
        self.bolt.leave().map_err(failed(self.path))
    }

    fn put(&mut self, key: &str, value: &[u8]) -> Result<(), TrivyError> {
        self.bolt
            .put(key.as_bytes(), value)
            .map_err(failed(self.path))
    }

    fn put_json(&mut self, key: &str, value: &impl serde::Serialize) -> Result<(), TrivyError> {
        let json = serde_json::to_vec(value).map_err(TrivyError::Serialise)?;
        self.put(key, &json)
    }

    fn advisory(
        &mut self,
        key: &[u8],
        value: &[u8],
        scratch: &Path,
        proceed: Proceed<'_>,
    ) -> Result<(), TrivyError> {
        let mut fields = Fields::new(key, 0);
        let mut text = || fields.text().ok_or(TrivyError::Row);
        let (bucket, package, id) = (text()?, text()?, text()?);
        if bucket != self.bucket {
            self.close()?;
            if OWN_BUCKETS.contains(&bucket.as_str()) {
                return Err(TrivyError::ReservedBucket { bucket });
            }
            self.own_before(Some(&bucket), scratch, proceed)?;
            self.enter(&bucket)?;
            self.bucket = bucket;
        }
        if package != self.package {
            if !self.package.is_empty() {
                self.leave()?;
            }
            self.enter(&package)?;
            self.package = package;
        }
        let (shape, json) = value.split_first().ok_or(TrivyError::Row)?;
        if *shape == RED_HAT {
            let json = red_hat::value(&id, json, &self.settled.cpes)?;
            self.put(&id, &json)
        } else {
            self.put(&id, json)
        }
    }

    /// Leaves the advisories' bucket that is open.
    fn close(&mut self) -> Result<(), TrivyError> {
        if !self.package.is_empty() {
            self.leave()?;
        }
        if !self.bucket.is_empty() {
            self.leave()?;
        }
        self.package.clear();
        self.bucket.clear();
        Ok(())
    }

    /// Writes those of the database's own buckets that sort before `name`; all, where there is none.
    fn own_before(
        &mut self,
        name: Option<&str>,
        scratch: &Path,
        proceed: Proceed<'_>,
    ) -> Result<(), TrivyError> {
        while let Some((next, rest)) = self.own.split_first()
            && name.is_none_or(|name| *next < name)
        {
            self.own = rest;
            match *next {
                RED_HAT_CPE => self.products(scratch, proceed)?,
                DATA_SOURCE => self.sources()?,
                _ => self.vulnerabilities(scratch, proceed)?,
            }
        }
        Ok(())
    }

    fn products(&mut self, scratch: &Path, proceed: Proceed<'_>) -> Result<(), TrivyError> {
        let settled = self.settled;
        if settled.cpes.is_empty() {
            return Ok(());
        }
        self.enter(RED_HAT_CPE)?;
        self.enter("cpe")?;
        // Numbers are keys by their digits: 0, 1, 10, 11, 2.
        let mut numbers: Vec<(String, &String)> = settled
            .cpes
            .iter()
            .enumerate()
            .map(|(number, cpe)| (number.to_string(), cpe))
            .collect();
        numbers.sort_unstable();
        for (number, cpe) in &numbers {
            self.put_json(number, cpe)?;
        }
        self.leave()?;
        // By package build: nothing in the evidence says so, but readers open it.
        self.enter("nvr")?;
        self.leave()?;
        self.enter("repository")?;
        let mut rows = Merge::open(
            settled.repositories.chunks(),
            scratch,
            "repositories-merge",
            proceed,
        )?;
        let mut set = String::new();
        let mut numbers = Vec::new();
        while let Some((key, _)) = rows.next()? {
            let mut fields = Fields::new(key, 0);
            let mut text = || fields.text().ok_or(TrivyError::Row);
            let (content_set, cpe) = (text()?, text()?);
            if content_set != set && !numbers.is_empty() {
                self.put_json(&set, &numbers)?;
                numbers.clear();
            }
            set = content_set;
            numbers.push(red_hat::number(&settled.cpes, &cpe)?);
        }
        if !numbers.is_empty() {
            self.put_json(&set, &numbers)?;
        }
        self.leave()?;
        self.leave()
    }

    fn sources(&mut self) -> Result<(), TrivyError> {
        let settled = self.settled;
        self.enter(DATA_SOURCE)?;
        for (bucket, source) in &settled.sources {
            self.put_json(bucket, source)?;
        }
        self.leave()
    }

    fn vulnerabilities(&mut self, scratch: &Path, proceed: Proceed<'_>) -> Result<(), TrivyError> {
        self.enter(VULNERABILITY)?;
        let mut rows = Merge::open(
            self.settled.details.chunks(),
            scratch,
            "details-merge",
            proceed,
        )?;
        while let Some((key, value)) = rows.next()? {
            let id = Fields::new(key, 0).text().ok_or(TrivyError::Row)?;
            self.put(&id, value)?;
        }
        self.leave()
    }

    fn finish(mut self, scratch: &Path, proceed: Proceed<'_>) -> Result<(), TrivyError> {
        self.close()?;
        self.own_before(None, scratch, proceed)?;
        let (_, out) = self.bolt.finish().map_err(failed(self.path))?;
        out.into_inner()
            .map(drop)
            .map_err(|error| TrivyError::file("write", self.path)(error.into_error()))
    }
}
