//! The HTTP API, as a router that any host can mount.
//!
//! The host brings the ports, the Authority's keys and the limits; what is here reads requests,
//! asks the phase's own functions and writes answers. Nothing here knows how connections are
//! accepted, so that a process and a function in a cloud serve the same API.

mod answer;
mod caller;
mod cursor;
mod download;
mod events;
mod extract;
mod feed;
mod health;
mod object_body;
mod openapi;
mod profiles;
mod range;
mod routes;
mod runs;
mod schedules;
mod service;
mod verify;

pub use export_http::{Authority, Problem, ProblemDocument, status};
pub use health::{Dependency, Liveness, Readiness};
pub use profiles::config_schema;
pub use routes::{openapi_document, router};
pub use schedules::{SchedulePage, ScheduleView};
pub use service::{Carried, LINK_VALID, Service, ServiceConfig};
pub use verify::Verdict;

use export_http::{read, wants};
use export_model::FieldError;

use crate::ApiError;

/// Where the API lies below the service's URL.
pub const BASE: &str = "/api/export";

/// A request with one wrong member.
fn field(field: &str, message: impl Into<String>) -> Problem {
    ApiError::invalid(vec![FieldError {
        field: field.to_owned(),
        message: message.into(),
    }])
    .into()
}
