//! One part, from its records to its payload file, or to the run file that it is merged from.
//!
//! Three stages run at once: pages are read, records are checked and hashed and cut into frames,
//! frames that the pool has compressed are stored. Each hands over through a bounded channel, so a
//! part holds a few pages and a few frames, however large it is. Its last frames and the flush to
//! disk go on while the next part is read.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use export_lifecycle::{Held, PhaseError, transact};
use export_mirror::index::IndexBuilder;
use export_model::{
    ErrorCode, EventBody, Kind, ObjectKey, Part, PartOutput, Position, QuarantinedRecord, Run,
    RunStatus, Sha256Digest, StagedFile,
};
use export_ports::{Evidence, PageBudget, Ports, RecordPage, Scan};
use export_sealing::Sealer;
use export_staging::{FramePool, FrameWriter, Framed, PendingFrame, Seal, Staged};
use export_telemetry as telemetry;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::Instrument;

use crate::json_lines::JsonLines;
use crate::keys;
use crate::layer::{self, Layer};
use crate::records::{Checked, check_all};
use crate::run_file::RunFile;
use crate::scratch;

const PAGE: PageBudget = PageBudget {
    records: 4_096,
    bytes: 1 << 20,
};
/// Pages and frames that wait between two stages.
const WAITING: usize = 1;
/// How often a part looks whether its run is still wanted, and tells how far it is.
const LOOK_MILLIS: u64 = 200;
const CHUNK_MILLIS: u64 = 1_000;

/// Everything that a part's stages need to know.
#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) run: Run,
    pub(crate) part: Part,
    pub(crate) scan: Scan,
    /// How its payload file is sealed.
    pub(crate) seal: Seal,
    /// Where what is too much for memory goes.
    pub(crate) scratch: PathBuf,
}

type Frames = mpsc::Sender<PendingFrame>;

/// What processing a part's records gave.
struct Processed {
    /// Of the file, before compression.
    size: u64,
    sha256: Sha256Digest,
    checked: Checked,
    /// Of a mirror's: what its documents are found by, and where it goes.
    index: Option<(IndexBuilder, Frames)>,
}

/// A part whose records were all read and checked; its last frames may still be on their way, and its
/// run file may still be sorted.
pub(crate) struct Streamed {
    processed: Processed,
    /// Whoever sorts a mirror's run file.
    sorting: Option<JoinHandle<Result<(), PhaseError>>>,
    /// Its payload file, where it becomes one.
    file: Option<Writing>,
    /// Its run file, where parts are merged.
    run_file: Option<Writing>,
}

/// A file on its way to storage.
struct Writing {
    object: ObjectKey,
    staged: JoinHandle<Result<Staged, PhaseError>>,
}

impl Writing {
    async fn abort(self) {
        if let Ok(Ok(staged)) = self.staged.await {
            staged.abort().await;
        }
    }
}

/// Streams a part's records into its payload file. What an attempt that fails has written is swept
/// when the run ends.
pub(crate) async fn stream(
    ports: &Ports,
    held: &Held,
    frames: &Arc<FramePool>,
    job: &Job,
) -> Result<Streamed, PhaseError> {
    let kind = job.run.profile.kind;
    let (mut file, mut run_file) = (None, None);
    let (mut file_in, mut run_in) = (None, None);
    if !kind.is_assembled() {
        let name = job
            .seal
            .path(&format!("{}.zst", job.part.payload_path(kind)));
        let sealer = job.seal.sealer(&name)?;
        let (writing, frames_in) = write(ports, held, frames, job, (&name, sealer))?;
        (file, file_in) = (Some(writing), Some(frames_in));
    }
    if job.run.is_assembled() {
        let name = format!("runs/part-{:05}", job.part.index);
        let (writing, frames_in) = write(ports, held, frames, job, (&name, None))?;
        (run_file, run_in) = (Some(writing), Some(frames_in));
    }
    let (pages_in, pages) = mpsc::channel(WAITING);
    let (spare_in, spare) = mpsc::unbounded_channel();
    let processing = tokio::task::spawn_blocking({
        let (job, pool) = (job.clone(), Arc::clone(frames));
        move || process(&job, &pool, pages, &spare_in, (file_in, run_in))
    });
    let (part, run, tenant) = (job.part.index, &job.run.key.run, &job.run.key.tenant);
    let span = tracing::info_span!("export.fetch", otel.name = telemetry::SPAN_FETCH,
        run_id = %run, tenant = %tenant, part);
    let read = read(ports, held, job, pages_in, spare)
        .instrument(span)
        .await;
    let processed = processing.await.map_err(|e| stopped(&e))?;
    match (read, processed) {
        (Ok(()), Ok(mut processed)) => {
            let sorting = processed.index.take().map(|(index, to)| {
                let pool = Arc::clone(frames);
                tokio::task::spawn_blocking(move || {
                    layer::write_run(index, FrameWriter::new(&pool, None, to))
                })
            });
            Ok(Streamed {
                processed,
                sorting,
                file,
                run_file,
            })
        }
        (read, processed) => {
            // Whoever waits for its run file sees that there is none.
            let processed = processed.map(drop);
            let errors = read.err().into_iter().chain(processed.err()).collect();
            Err(given_up(errors, [file, run_file]).await)
        }
    }
}

/// Gives up what is being written; says why. The stage that failed first says why; the others only say
/// that nobody listened.
async fn given_up(mut errors: Vec<PhaseError>, files: [Option<Writing>; 2]) -> PhaseError {
    for writing in files.into_iter().flatten() {
        match writing.staged.await.map_err(|e| stopped(&e)) {
            Ok(Ok(staged)) => staged.abort().await,
            Ok(Err(error)) | Err(error) => errors.push(error),
        }
    }
    errors.sort_by_key(|error| matches!(error, PhaseError::Superseded));
    errors.into_iter().next().unwrap_or(PhaseError::Superseded)
}

impl Streamed {
    /// Makes the file appear; says what the part has become, and how many canonical bytes it read.
    pub(crate) async fn store(
        self,
        ports: &Ports,
        held: &Held,
        job: &Job,
    ) -> Result<(PartOutput, u64), PhaseError> {
        let bytes = self.processed.checked.bytes;
        let output = store(ports, held, job, self).await?;
        Ok((output, bytes))
    }

    /// Forgets what was written.
    pub(crate) async fn abort(self) {
        for writing in [self.file, self.run_file].into_iter().flatten() {
            writing.abort().await;
        }
    }
}

/// Begins to write a file; gives where its frames go.
fn write(
    ports: &Ports,
    held: &Held,
    pool: &Arc<FramePool>,
    job: &Job,
    (name, sealer): (&str, Option<Sealer>),
) -> Result<(Writing, mpsc::Sender<PendingFrame>), PhaseError> {
    let object = key(job, held, name)?;
    let (send, frames) = mpsc::channel(WAITING);
    let span = tracing::info_span!("export.write", otel.name = telemetry::SPAN_WRITE,
        run_id = %job.run.key.run, tenant = %job.run.key.tenant, part = job.part.index);
    let (ports, pool) = (ports.clone(), Arc::clone(pool));
    let writing = export_staging::write(ports, pool, object.clone(), frames, sealer);
    let staged = tokio::spawn(writing.instrument(span));
    Ok((Writing { object, staged }, send))
}

/// Makes a file appear, unless it is empty.
async fn appear(writing: Option<Writing>) -> Result<Option<StagedFile>, PhaseError> {
    let Some(Writing { object, staged }) = writing else {
        return Ok(None);
    };
    let staged = staged.await.map_err(|e| stopped(&e))??;
    let (size, sha256) = (staged.size, staged.sha256);
    Ok(staged.complete().await?.then_some(StagedFile {
        object,
        size,
        sha256,
    }))
}

async fn store(
    ports: &Ports,
    held: &Held,
    job: &Job,
    streamed: Streamed,
) -> Result<PartOutput, PhaseError> {
    let path = job.part.payload_path(job.run.profile.kind);
    let Processed {
        size: content_size,
        sha256: content_sha256,
        checked,
        ..
    } = streamed.processed;
    if let Some(sorting) = streamed.sorting {
        let sorted = sorting.await.map_err(|e| stopped(&e))?;
        if let Err(error) = sorted {
            return Err(given_up(vec![error], [streamed.file, streamed.run_file]).await);
        }
    }
    let (file, run_file) = tokio::try_join!(appear(streamed.file), appear(streamed.run_file))?;
    let quarantine = if checked.quarantined.is_empty() {
        None
    } else {
        let key = key(job, held, &format!("{path}.quarantine"))?;
        let lines = quarantine_lines(&checked.quarantined)?;
        ports.objects.put(&key, Bytes::from(lines)).await?;
        Some((key, by_code(&checked.quarantined)))
    };
    let traces = if checked.traces.is_empty() {
        None
    } else {
        let key = key(job, held, &format!("{path}.traces"))?;
        ports.objects.put(&key, Bytes::from(checked.traces)).await?;
        Some(key)
    };
    let stored = file.as_ref().or(run_file.as_ref());
    Ok(PartOutput {
        size: stored.map_or(0, |file| file.size),
        sha256: stored.map_or_else(|| Sha256Digest::of(b""), |file| file.sha256),
        object: file.map(|file| file.object),
        content_size,
        content_sha256,
        records: checked.records,
        range: checked.range,
        quarantine,
        traces,
        run_file,
    })
}

fn quarantine_lines(records: &[QuarantinedRecord]) -> Result<Vec<u8>, PhaseError> {
    let mut lines = Vec::new();
    for record in records {
        let line = export_bundle::payload::quarantine::to_line(record).map_err(|e| {
            let detail = format!(
                "the quarantine entry of {} cannot be written: {e}",
                record.id
            );
            PhaseError::permanent(ErrorCode::Internal, detail)
        })?;
        lines.extend_from_slice(&line);
    }
    Ok(lines)
}

fn by_code(records: &[QuarantinedRecord]) -> Vec<(String, u64)> {
    let mut counts = std::collections::BTreeMap::new();
    for record in records {
        *counts.entry(record.code.clone()).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

fn key(job: &Job, held: &Held, path: &str) -> Result<ObjectKey, PhaseError> {
    ObjectKey::new(&job.run.key, held.token(), path)
        .map_err(|e| PhaseError::permanent(ErrorCode::Internal, e.to_string()))
}

fn stopped(error: &tokio::task::JoinError) -> PhaseError {
    PhaseError::permanent(
        ErrorCode::Internal,
        format!("a stage of a part stopped: {error}"),
    )
}

/// Reads the part's pages and tells how far it is.
async fn read(
    ports: &Ports,
    held: &Held,
    job: &Job,
    pages: mpsc::Sender<RecordPage>,
    mut spare: mpsc::UnboundedReceiver<RecordPage>,
) -> Result<(), PhaseError> {
    let evidence: &dyn Evidence = match job.part.kind {
        Kind::Finding => &*ports.policy,
        _ => &*ports.ledger,
    };
    let picked = keys::positions(ports, &job.part).await?;
    let (mut records, mut bytes) = (0, 0);
    let (mut looked, mut told) = (ports.clock.now(), ports.clock.now());
    let mut after: Option<Position> = None;
    loop {
        let (first, last) = (&job.part.first, &job.part.last);
        let spare = spare.try_recv().unwrap_or_default();
        let page = match &picked {
            None => {
                evidence
                    .records(&job.scan, first, last, after.as_ref(), PAGE, spare)
                    .await?
            }
            Some(picked) => {
                let begin = after.as_ref().map_or(0, |after| {
                    picked.partition_point(|position| position <= after)
                });
                let rest = picked.get(begin..).unwrap_or_default();
                evidence.pick(&job.scan, rest, PAGE, spare).await?
            }
        };
        let Some(last) = page.last() else { break };
        after = Some(last);
        records += page.records.len() as u64;
        bytes += page.bytes.len() as u64;
        if pages.send(page).await.is_err() {
            // Processing has stopped: it says why.
            return Err(PhaseError::Superseded);
        }
        let now = ports.clock.now();
        if held.is_lost() {
            return Err(PhaseError::Superseded);
        }
        if now.millis_since(told) >= CHUNK_MILLIS {
            (looked, told) = (now, now);
            tell(ports, held, job, records, bytes).await?;
        } else if now.millis_since(looked) >= LOOK_MILLIS {
            looked = now;
            let run = ports.state.run(&job.run.key).await?;
            if run.is_none_or(|run| run.status != RunStatus::Exporting) {
                return Err(PhaseError::Superseded);
            }
        }
        if after.as_ref() == Some(&job.part.last) {
            break;
        }
    }
    Ok(())
}

async fn tell(
    ports: &Ports,
    held: &Held,
    job: &Job,
    records: u64,
    bytes: u64,
) -> Result<(), PhaseError> {
    let part = job.part.index;
    tracing::debug!(part, records, bytes, "adapter.chunk");
    transact(ports, &job.run.key, |draft| {
        if draft.run.status != RunStatus::Exporting {
            return Err(PhaseError::Superseded);
        }
        draft.require(held);
        draft.event(EventBody::AdapterChunk {
            part,
            records,
            bytes,
        });
        Ok(())
    })
    .await
    .map(|_| ())
}

/// Checks and hashes every record and writes out what the adapter makes of it.
fn process(
    job: &Job,
    pool: &FramePool,
    pages: mpsc::Receiver<RecordPage>,
    spare: &mpsc::UnboundedSender<RecordPage>,
    (file, run_file): (Option<Frames>, Option<Frames>),
) -> Result<Processed, PhaseError> {
    let profile = &job.run.profile;
    let level = Some(profile.config.compression.level);
    let mut index = None;
    let (checked, (size, sha256)) = match (file, run_file) {
        (Some(file), run_file) if profile.kind.is_mirror() => {
            let indexes = layer::indexes(&job.run);
            std::fs::create_dir_all(&job.scratch)
                .map_err(|e| scratch::failed("creating", &job.scratch, e))?;
            let mut file = Framed::new(pool, level, file);
            let mut layer = Layer::new(job.part.kind, &mut file, &indexes, &job.scratch);
            let checked = check_all(job, pages, spare, &mut layer)?;
            index = layer.finish()?.zip(run_file);
            (checked, file.finish()?)
        }
        (Some(file), _) => {
            let mut file = Framed::new(pool, level, file);
            let checked = check_all(job, pages, spare, &mut JsonLines(&mut file))?;
            (checked, file.finish()?)
        }
        (None, Some(run_file)) => {
            let mut run_file = Framed::new(pool, None, run_file);
            let mut rows = RunFile::new(profile.kind, &mut run_file)?;
            let checked = check_all(job, pages, spare, &mut rows)?;
            rows.finish()?;
            (checked, run_file.finish()?)
        }
        (None, None) => {
            let detail = format!("a part of {} becomes no file", profile.kind);
            return Err(PhaseError::permanent(ErrorCode::Internal, detail));
        }
    };
    Ok(Processed {
        size,
        sha256,
        checked,
        index,
    })
}
