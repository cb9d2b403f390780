//! Pages of the index and of records, checked line by line.

use std::sync::Arc;

use bytes::Bytes;
use export_model::{IndexEntry, Position, Sha256Digest, Source};
use export_ports::{PageBudget, PortError, PortErrorKind, RecordPage, RecordRef, Scan};
use reqwest::Method;
use serde::Deserialize;

use super::ask::{Ask, Link};
use super::lines::{Broken, Lines};
use super::retry::{Retry, Trouble};
use crate::cursor;
use crate::query::Form;
use crate::wire::{Close, IndexLine, PAGE_BYTES, PAGE_LINES, RECORD_BYTES, RecordLine};

/// A read of records.
pub(super) struct Read<'a> {
    pub(super) scan: &'a Scan,
    pub(super) first: &'a Position,
    pub(super) last: &'a Position,
    pub(super) after: Option<&'a Position>,
    pub(super) budget: PageBudget,
    /// The only positions that are asked for, ascending; all from `first` to `last` without.
    pub(super) among: Option<&'a [Position]>,
    /// Whether the ledger's word counts that a record was admitted.
    pub(super) trusted: bool,
}

/// Index lines after `after`, at most `limit`; fewer only where there are no more.
pub(super) async fn index(
    link: &Link,
    scan: &Scan,
    after: Option<&Position>,
    limit: usize,
) -> Result<Vec<IndexEntry>, PortError> {
    let mut entries: Vec<IndexEntry> = Vec::new();
    let mut retry = link.retry();
    while entries.len() < limit {
        let had = entries.len();
        let after = entries.last().map(|entry| &entry.position).or(after);
        let wanted = (limit - had).min(PAGE_LINES);
        let mut form = form(link, scan)?;
        if let Some(after) = after {
            form.add("after", cursor::encode(after));
        }
        form.add("limit", wanted);
        let ask = ask(link, scan, "index", "walking the index", form);
        let response = link.send(&ask, &mut retry).await?;
        let mut lines = Lines::new(response);
        let before = after.cloned();
        let read = index_page(&mut lines, before.as_ref(), wanted, &mut entries).await;
        if entries.len() > had {
            retry.renew();
        }
        match read {
            Ok(Close::End(_)) => break,
            Ok(Close::Next(_)) if entries.len() > had => {}
            Ok(Close::Next(_)) => return Err(ask.damaged("a page has no line but its last")),
            Err(Broken::Wrong(why)) => return Err(ask.damaged(why)),
            Err(Broken::Cut(why)) => retry.endure(Trouble::passing(why), &ask.doing).await?,
        }
    }
    Ok(entries)
}

async fn index_page(
    lines: &mut Lines,
    after: Option<&Position>,
    wanted: usize,
    entries: &mut Vec<IndexEntry>,
) -> Result<Close, Broken> {
    let mut room = wanted;
    let had = entries.len();
    loop {
        let line = lines.line().await?;
        let entry: IndexLine<'_> = match parse(&line)? {
            Parsed::Line(entry) => entry,
            Parsed::Close(close) => return Ok(close),
        };
        let position = Position {
            subject_key: entry.subject_key.into_owned(),
            id: entry.id.into_owned(),
        };
        let before = match entries.len() {
            len if len > had => entries.last().map(|entry| &entry.position),
            _ => after,
        };
        if before.is_some_and(|before| *before >= position) {
            return Err(out_of_order(&position));
        }
        if room == 0 {
            return Err(Broken::Wrong(
                "a page has more lines than were asked for".into(),
            ));
        }
        room -= 1;
        entries.push(IndexEntry {
            position,
            record_sha256: entry.record_sha256,
            size: entry.size,
            source: source(entries.last(), &entry.vendor, &entry.stream),
        });
    }
}

/// A source; the one of the line before where it is the same, as it mostly is.
fn source(last: Option<&IndexEntry>, vendor: &str, stream: &str) -> Source {
    match last {
        Some(last) if *last.source.vendor == *vendor && *last.source.stream == *stream => {
            last.source.clone()
        }
        _ => Source {
            vendor: Arc::from(vendor),
            stream: Arc::from(stream),
        },
    }
}

/// A page of records; empty where there are no more.
pub(super) async fn records(
    link: &Link,
    read: &Read<'_>,
    mut page: RecordPage,
) -> Result<RecordPage, PortError> {
    page.records.clear();
    page.bytes.clear();
    if read.after.is_some_and(|after| after >= read.last) {
        return Ok(page);
    }
    let mut form = form(link, read.scan)?;
    form.add("first", cursor::encode(read.first));
    form.add("last", cursor::encode(read.last));
    if let Some(after) = read.after {
        form.add("after", cursor::encode(after));
    }
    add_budget(&mut form, read.budget);
    let ask = ask(link, read.scan, "records", "reading records", form);
    page_of(link, &ask, read, page, &mut link.retry()).await
}

/// What a page may hold; a ledger gives no more than that of any.
pub(super) fn add_budget(form: &mut Form, budget: PageBudget) {
    form.add("max_records", budget.records.clamp(1, PAGE_LINES));
    form.add("max_bytes", budget.bytes.clamp(1, PAGE_BYTES));
}

/// The page that answers a read; `page` is empty, and is filled.
pub(super) async fn page_of(
    link: &Link,
    ask: &Ask<'_>,
    read: &Read<'_>,
    mut page: RecordPage,
    retry: &mut Retry<'_>,
) -> Result<RecordPage, PortError> {
    loop {
        let response = link.send(ask, retry).await?;
        let mut lines = Lines::new(response);
        let outcome = record_page(&mut lines, read, &mut page).await;
        let got = !page.records.is_empty();
        match outcome {
            Ok(Close::Next(_)) if !got => {
                return Err(ask.damaged("a page has no line but its last"));
            }
            Ok(_) => return Ok(page),
            Err(Broken::Wrong(why)) => return Err(ask.damaged(why)),
            // What is there is a page; who wants the rest asks for what comes after it.
            Err(Broken::Cut(why)) if got => {
                tracing::warn!(doing = ask.doing, "a page was cut short: {why}");
                return Ok(page);
            }
            Err(Broken::Cut(why)) => retry.endure(Trouble::passing(why), &ask.doing).await?,
        }
    }
}

async fn record_page(
    lines: &mut Lines,
    read: &Read<'_>,
    page: &mut RecordPage,
) -> Result<Close, Broken> {
    loop {
        let line = lines.line().await?;
        let announced: RecordLine<'_> = match parse(&line)? {
            Parsed::Line(announced) => announced,
            Parsed::Close(close) => return Ok(close),
        };
        let position = Position {
            subject_key: announced.subject_key.into_owned(),
            id: announced.id.into_owned(),
        };
        let before = match (page.records.last(), read.after) {
            (Some(last), _) => {
                (&last.subject_key, &last.id) < (&position.subject_key, &position.id)
            }
            (None, Some(after)) => *after < position,
            (None, None) => *read.first <= position,
        };
        if !before || position > *read.last {
            return Err(out_of_order(&position));
        }
        if let Some(among) = read.among
            && among.binary_search(&position).is_err()
        {
            let why = format!("record `{}` was not asked for", position.id);
            return Err(Broken::Wrong(why));
        }
        let start = page.bytes.len();
        let size = usize::try_from(announced.size).unwrap_or(usize::MAX);
        let over = start.saturating_add(size) > read.budget.bytes
            || page.records.len() >= read.budget.records;
        if announced.size > RECORD_BYTES || (start > 0 && over) {
            let why = format!("record `{}` is more than a page may hold", position.id);
            return Err(Broken::Wrong(why));
        }
        if let Err(broken) = lines.bytes(size, &mut page.bytes).await {
            page.bytes.truncate(start);
            return Err(broken);
        }
        if Sha256Digest::of(&page.bytes[start..]) != announced.record_sha256 {
            page.bytes.truncate(start);
            let why = format!("record `{}` is not what its digest says", position.id);
            return Err(Broken::Wrong(why));
        }
        page.records.push(RecordRef {
            id: position.id,
            subject_key: position.subject_key,
            bytes: start..page.bytes.len(),
            record_sha256: announced.record_sha256,
            admitted: read.trusted && announced.admitted,
        });
    }
}

enum Parsed<T> {
    Line(T),
    Close(Close),
}

fn parse<'a, T: Deserialize<'a>>(line: &'a Bytes) -> Result<Parsed<T>, Broken> {
    match serde_json::from_slice(line) {
        Ok(parsed) => Ok(Parsed::Line(parsed)),
        Err(error) => match serde_json::from_slice(line) {
            Ok(Close::End(false)) | Err(_) => {
                Err(Broken::Wrong(format!("a line cannot be read: {error}")))
            }
            Ok(close) => Ok(Parsed::Close(close)),
        },
    }
}

fn out_of_order(position: &Position) -> Broken {
    Broken::Wrong(format!("record `{}` is out of order", position.id))
}

pub(super) fn form(link: &Link, scan: &Scan) -> Result<Form, PortError> {
    Form::scan(scan).map_err(|error| {
        let doing = format!("reading {} of {} at {}", scan.kind, scan.tenant, link.base);
        PortError::because(PortErrorKind::Invalid, doing, error)
    })
}

pub(super) fn ask<'a>(link: &Link, scan: &'a Scan, what: &str, doing: &str, form: Form) -> Ask<'a> {
    Ask {
        method: Method::GET,
        path: format!("/{}/{what}", scan.kind),
        form: form.finish(),
        tenant: &scan.tenant,
        doing: format!(
            "{doing} ({}) of {} at {}",
            scan.kind, scan.tenant, link.base
        ),
    }
}
