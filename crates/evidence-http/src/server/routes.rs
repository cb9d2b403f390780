//! The handlers.

use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use export_authority::Scope;
use export_http::Problem;
use export_model::{ErrorCode, Kind};
use export_ports::{PageBudget, PortErrorKind, RecordPage};
use serde::Serialize;

use super::LedgerService;
use super::caller::Asked;
use super::page;
use crate::query::{Parameters, Wrong};
use crate::wire::{PAGE_BYTES, PAGE_LINES, PICKED, Sboms, Snapshot, Watermark};

type Answer = Result<Response, Problem>;

pub(super) async fn watermark(State(service): State<LedgerService>, asked: Asked) -> Answer {
    asked.require(Scope::EvidenceRead)?;
    let mut parameters = Parameters::parse(&asked.parameters);
    let tenant = asked.tenant(parameters.tenant()?)?;
    let as_of = parameters.time("as_of")?;
    parameters.finish()?;
    let watermark = match as_of {
        None => Some(service.ledger.watermark(&tenant).await?),
        Some(time) => service.ledger.watermark_at(&tenant, time).await?,
    };
    document(&Watermark { watermark })
}

pub(super) async fn sboms(State(service): State<LedgerService>, asked: Asked) -> Answer {
    asked.require(Scope::EvidenceRead)?;
    let mut parameters = Parameters::parse(&asked.parameters);
    let tenant = asked.tenant(parameters.tenant()?)?;
    let subject = parameters.required("subject")?;
    let watermark = parameters.watermark()?;
    parameters.finish()?;
    let sboms = service.ledger.sboms(&tenant, &subject, watermark).await?;
    document(&Sboms { sboms })
}

pub(super) async fn snapshot(State(service): State<LedgerService>, asked: Asked) -> Answer {
    asked.require(Scope::EvidenceRead)?;
    let mut parameters = Parameters::parse(&asked.parameters);
    let tenant = asked.tenant(parameters.tenant()?)?;
    let id = parameters.text("id")?;
    parameters.finish()?;
    let snapshot = service.ledger.snapshot(&tenant, id.as_deref()).await?;
    document(&Snapshot { snapshot })
}

pub(super) async fn freeze(State(service): State<LedgerService>, asked: Asked) -> Answer {
    asked.require(Scope::EvidenceFreeze)?;
    let mut parameters = Parameters::parse(&asked.parameters);
    let tenant = asked.tenant(parameters.tenant()?)?;
    let id = parameters.required("id")?;
    parameters.finish()?;
    match service.ledger.freeze(&tenant, &id).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT.into_response()),
        Err(error) if error.kind() == PortErrorKind::NotFound => {
            let detail = format!("{tenant} has no policy snapshot of that id");
            let problem = Problem::new(ErrorCode::UnknownSnapshot, detail);
            Err(problem.with_status(StatusCode::NOT_FOUND))
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn index(
    State(service): State<LedgerService>,
    Path(kind): Path<String>,
    asked: Asked,
) -> Answer {
    asked.require(Scope::EvidenceRead)?;
    let mut parameters = Parameters::parse(&asked.parameters);
    let scan = parameters.scan(known(&kind)?)?;
    let after = parameters.position("after")?;
    let limit = parameters.count("limit", PAGE_LINES)?;
    parameters.finish()?;
    asked.tenant(scan.tenant.clone())?;
    let turn = service.turn().await?;
    let lines = service.ledger.index(&scan, after.as_ref(), limit).await?;
    page::index(lines, limit, turn)
}

pub(super) async fn records(
    State(service): State<LedgerService>,
    Path(kind): Path<String>,
    asked: Asked,
) -> Answer {
    asked.require(Scope::EvidenceRead)?;
    let mut parameters = Parameters::parse(&asked.parameters);
    let scan = parameters.scan(known(&kind)?)?;
    let mut required = |name: &'static str| {
        let position = parameters.position(name)?;
        position.ok_or_else(|| Wrong {
            parameter: name.to_owned(),
            message: "is missing".to_owned(),
        })
    };
    let (first, last) = (required("first")?, required("last")?);
    let after = parameters.position("after")?;
    let budget = budget(&mut parameters)?;
    parameters.finish()?;
    asked.tenant(scan.tenant.clone())?;
    let turn = service.turn().await?;
    let read = service.ledger.records(
        &scan,
        &first,
        &last,
        after.as_ref(),
        budget,
        RecordPage::default(),
    );
    page::records(read.await?, Some(&last), turn)
}

pub(super) async fn pick(
    State(service): State<LedgerService>,
    Path(kind): Path<String>,
    asked: Asked,
) -> Answer {
    asked.require(Scope::EvidenceRead)?;
    let mut parameters = Parameters::parse(&asked.parameters);
    let scan = parameters.scan(known(&kind)?)?;
    let positions = parameters.positions("at", PICKED)?;
    let budget = budget(&mut parameters)?;
    parameters.finish()?;
    asked.tenant(scan.tenant.clone())?;
    let turn = service.turn().await?;
    let ledger = &service.ledger;
    let picked = ledger.pick(&scan, &positions, budget, RecordPage::default());
    page::records(picked.await?, positions.last(), turn)
}

fn budget(parameters: &mut Parameters<'_>) -> Result<PageBudget, Wrong> {
    Ok(PageBudget {
        records: parameters.count("max_records", PAGE_LINES)?,
        bytes: parameters.count("max_bytes", PAGE_BYTES)?,
    })
}

fn known(kind: &str) -> Result<Kind, Problem> {
    kind.parse()
        .map_err(|_| Problem::new(ErrorCode::NoSuchResource, "there is nothing at this path"))
}

fn document(value: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(value).map_err(|error| {
        Problem::failed(ErrorCode::Internal, format!("writing an answer: {error}"))
    })?;
    let json = HeaderValue::from_static("application/json");
    Ok(([(CONTENT_TYPE, json)], body).into_response())
}
