//! Filling a ledger: reading in one thread, storing in another; all of it or nothing, where the
//! ledger can.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use export_canonical::record::{Limits, canonicalize};
use export_intake::read::{Input, Location, ReadError, ReadReport, Skipped, documents};
use export_intake::wrap::{Format, WrapContext, detect};
use export_intake::{Admitted, Refusal, admit_document};
use export_model::{AdmittedRecord, ErrorCode, Kind, PolicySnapshot, Source, Tenant, Timestamp};
use export_ports::{Clock, Import, Imported, Importer};
use serde_json::json;

use super::{is_standard_input, maven_index};
use crate::cli::ImportArgs;
use crate::failure::Failed;
use crate::output::{Output, grouped, size, table};
use crate::settings::{Settings, import_time, importing_tenant, tenant};

/// A batch is stored sorted, so that records that belong together lie together.
const BATCH_BYTES: usize = 16 << 20;
const BATCH_RECORDS: usize = 20_000;
/// Batches that wait to be stored.
const WAITING: usize = 2;
/// Skipped files that are named to people; scripts get all.
const NAMED: usize = 10;

/// What the documents were, by owner, kind and source.
type Tally = BTreeMap<(Tenant, Kind, Source), u64>;

/// Collects admitted documents into batches for the thread that stores them.
pub(super) struct Batches {
    out: SyncSender<Import>,
    records: Vec<AdmittedRecord>,
    snapshots: Vec<PolicySnapshot>,
    bytes: usize,
    pub(super) tally: Tally,
}

impl Batches {
    fn new(out: SyncSender<Import>) -> Self {
        Self {
            out,
            records: Vec::new(),
            snapshots: Vec::new(),
            bytes: 0,
            tally: Tally::new(),
        }
    }

    /// Takes a document. Fails only when nobody stores any more, who then says why.
    pub(super) fn add(&mut self, admitted: Admitted) -> Result<(), Refusal> {
        match admitted {
            Admitted::Snapshot(snapshot) => self.snapshots.push(snapshot),
            Admitted::Record(record) => {
                let what = (record.tenant.clone(), record.kind, record.source.clone());
                *self.tally.entry(what).or_insert(0) += 1;
                self.bytes += record.canonical.len();
                self.records.push(*record);
            }
        }
        if self.bytes >= BATCH_BYTES || self.records.len() >= BATCH_RECORDS {
            self.send()?;
        }
        Ok(())
    }

    fn send(&mut self) -> Result<(), Refusal> {
        self.bytes = 0;
        let batch = Import::Batch {
            records: std::mem::take(&mut self.records),
            snapshots: std::mem::take(&mut self.snapshots),
        };
        let stopped = || Refusal::new(ErrorCode::Internal, "storing has stopped");
        self.out.send(batch).map_err(|_| stopped())
    }

    fn commit(mut self) -> Result<Tally, Refusal> {
        self.send()?;
        let stopped = || Refusal::new(ErrorCode::Internal, "storing has stopped");
        self.out.send(Import::Commit).map_err(|_| stopped())?;
        Ok(self.tally)
    }
}

/// Runs `read` in a thread of its own and stores what it gives. Where the ledger is atomic, nothing
/// is stored unless `read` and everything before it went well.
pub(super) async fn store<T, F>(
    ledger: &dyn Importer,
    now: Timestamp,
    read: F,
) -> Result<(T, Tally, Imported), Failed>
where
    T: Send + 'static,
    F: FnOnce(&mut Batches) -> Result<T, Failed> + Send + 'static,
{
    let (out, batches): (SyncSender<Import>, Receiver<Import>) = sync_channel(WAITING);
    let reading = tokio::task::spawn_blocking(move || {
        let mut sink = Batches::new(out);
        let read = read(&mut sink)?;
        let tally = sink
            .commit()
            .map_err(|refusal| Failed::new(refusal.code, refusal.detail))?;
        Ok::<_, Failed>((read, tally))
    });
    let stored = ledger.import(batches, now).await;
    let read = reading
        .await
        .map_err(|e| Failed::new(ErrorCode::Internal, format!("reading stopped: {e}")))?;
    // Where storing failed, reading only says that nobody listened.
    match (stored, read) {
        (Err(error), _) => Err(error.into()),
        (Ok(_), Err(failed)) => Err(failed),
        (Ok(Some(imported)), Ok((read, tally))) => Ok((read, tally, imported)),
        (Ok(None), Ok(_)) => Err(Failed::new(ErrorCode::Internal, "nothing was stored")),
    }
}

pub(super) async fn execute(
    settings: &Settings,
    output: &Output,
    args: ImportArgs,
) -> Result<u8, Failed> {
    #[cfg(feature = "stack")]
    let to = args.to.clone();
    let scratch = settings.scratch().unwrap_or_else(std::env::temp_dir);
    let request = Request::new(args, scratch)?;
    #[cfg(feature = "stack")]
    if let Some(uri) = to {
        let ledger = elsewhere(&uri).await?;
        return into_ledger(&ledger, &export_host::SystemClock, output, request).await;
    }
    let backends = settings.backends().await?;
    let clock = Arc::clone(&backends.ports.clock);
    into_ledger(&**backends.importer()?, &*clock, output, request).await
}

/// The ledger in the database that a URI names, or in the one that settings name by default, given
/// this version's collections where it has none.
#[cfg(feature = "stack")]
async fn elsewhere(
    uri: &str,
) -> Result<export_ports::BatchImporter<export_mongo::MongoLedger>, Failed> {
    let client = export_mongo::connect(uri).await?;
    let database = client
        .default_database()
        .unwrap_or_else(|| client.database(export_stack::DATABASE));
    export_mongo::migrate(&database).await?;
    let ledger = export_mongo::MongoLedger::new(database);
    Ok(export_ports::BatchImporter(Arc::new(ledger)))
}

/// What is in the files.
enum Wanted {
    /// Documents, of one format or of any.
    Documents(Option<Format>),
    /// Lines of a Maven index, sorted in this folder.
    MavenIndex { scratch: PathBuf },
}

/// What was asked for, checked.
pub(super) struct Request {
    format: Wanted,
    documents_go_to: Tenant,
    only: Option<Tenant>,
    paths: Vec<PathBuf>,
}

impl Request {
    pub(super) fn new(args: ImportArgs, scratch: PathBuf) -> Result<Self, Failed> {
        let format = match args.format.as_str() {
            "auto" => Wanted::Documents(None),
            "maven-index" => Wanted::MavenIndex { scratch },
            name => Wanted::Documents(Some(
                name.parse::<Format>()
                    .map_err(|e| Failed::new(ErrorCode::Usage, format!("--format: {e}")))?,
            )),
        };
        Ok(Self {
            format,
            documents_go_to: importing_tenant(args.tenant.as_deref())?,
            only: args.tenant.as_deref().map(tenant).transpose()?,
            paths: args.paths,
        })
    }
}

/// Imports into any ledger.
pub(super) async fn into_ledger(
    ledger: &dyn Importer,
    clock: &dyn Clock,
    output: &Output,
    request: Request,
) -> Result<u8, Failed> {
    let (time, is_atomic) = (import_time(clock.now())?, ledger.is_atomic());
    let paths = request.paths;
    let read = move |batches: &mut Batches| match request.format {
        Wanted::MavenIndex { scratch } => {
            let index = maven_index::Index {
                tenant: request.documents_go_to,
                time,
                scratch,
                is_atomic,
            };
            maven_index::read_all(&index, &paths, batches)
        }
        Wanted::Documents(format) => {
            let door = Door {
                format,
                documents_go_to: request.documents_go_to,
                only: request.only,
                time,
                is_atomic,
            };
            read_all(&door, &paths, batches)
        }
    };
    let (report, tally, imported) = store(ledger, clock.now(), read).await?;
    tell(output, &report, &tally, &imported);
    Ok(0)
}

/// What is let in, and as whose.
struct Door {
    format: Option<Format>,
    /// Whose records public documents become.
    documents_go_to: Tenant,
    /// Whose ledger records are let in; anybody's where nobody was named.
    only: Option<Tenant>,
    time: Timestamp,
    /// Whether one refused document keeps all others out.
    is_atomic: bool,
}

impl Door {
    fn admit(&self, location: &Location, bytes: &[u8]) -> Result<Admitted, Refusal> {
        let limits = Limits::default();
        let document = canonicalize(bytes, &limits)?;
        let format = self.format.or_else(|| detect(&document));
        let own = matches!(format, Some(Format::Ledger));
        let context = WrapContext {
            tenant: if own {
                self.only.as_ref()
            } else {
                Some(&self.documents_go_to)
            },
            time: self.time,
            exporter_version: env!("CARGO_PKG_VERSION"),
            file_stem: location.file_stem(),
        };
        admit_document(&document, format, &context, &limits)
    }
}

fn read_all(door: &Door, paths: &[PathBuf], batches: &mut Batches) -> Result<ReadReport, Failed> {
    let mut report = ReadReport::default();
    for path in paths {
        let mut sink =
            |location: &Location, bytes: Vec<u8>| batches.add(door.admit(location, &bytes)?);
        let one = documents(input(path), &Limits::default(), &mut sink)
            .map_err(|error| refused(error, door.is_atomic))?;
        report.documents += one.documents;
        report.bytes += one.bytes;
        report.skipped.extend(one.skipped);
    }
    Ok(report)
}

pub(super) fn input(path: &Path) -> Input {
    if is_standard_input(path) {
        Input::Stream {
            name: "standard input".to_owned(),
            reader: Box::new(std::io::stdin()),
        }
    } else {
        Input::Path(path.to_path_buf())
    }
}

pub(super) fn refused(error: ReadError, is_atomic: bool) -> Failed {
    match error {
        ReadError::Io { location, source } => Failed::io(&format!("reading {location}"), &source),
        other @ ReadError::Refused { .. } => {
            let rest = if is_atomic {
                "nothing was imported"
            } else {
                "some of what was read before it may be imported; import all of it again"
            };
            Failed::new(other.code(), format!("{other}; {rest}"))
        }
    }
}

fn tell(output: &Output, report: &ReadReport, tally: &Tally, imported: &Imported) {
    let mut rows = Vec::new();
    for ((tenant, kind, source), count) in tally {
        rows.push(vec![
            format!("  {tenant}"),
            kind.to_string(),
            source.to_string(),
            grouped(*count),
        ]);
    }
    let appended = &imported.records;
    let records: u64 = tally.values().sum();
    let mut text = format!(
        "imported {} records ({}): {} new, {} already there, {} superseded\n{}",
        grouped(records),
        size(report.bytes),
        grouped(appended.added),
        grouped(appended.present),
        grouped(appended.superseded),
        table(&rows)
    );
    let snapshots = imported.snapshots_added + imported.snapshots_present;
    if snapshots > 0 {
        text.push_str(&format!(
            "  policy snapshots: {} new, {} already there\n",
            imported.snapshots_added, imported.snapshots_present
        ));
    }
    for Skipped { location, reason } in report.skipped.iter().take(NAMED) {
        text.push_str(&format!("  skipped {location}: {reason}\n"));
    }
    if report.skipped.len() > NAMED {
        let more = report.skipped.len() - NAMED;
        text.push_str(&format!("  and {more} more skipped; --json lists them\n"));
    }
    let sources: Vec<_> = tally
        .iter()
        .map(|((tenant, kind, source), documents)| {
            json!({
                "tenant": tenant,
                "kind": kind,
                "vendor": source.vendor,
                "stream": source.stream,
                "documents": documents,
            })
        })
        .collect();
    let skipped: Vec<_> = report
        .skipped
        .iter()
        .map(|s| json!({ "path": s.location.to_string(), "reason": s.reason }))
        .collect();
    let value = json!({
        "documents": report.documents,
        "bytes": report.bytes,
        "records": records,
        "added": appended.added,
        "present": appended.present,
        "superseded": appended.superseded,
        "snapshots_added": imported.snapshots_added,
        "snapshots_present": imported.snapshots_present,
        "sources": sources,
        "skipped": skipped,
    });
    output.result(&text, &value);
}
