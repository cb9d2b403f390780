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
mod gate;
mod health;
mod notes;
mod object_body;
mod observe;
mod openapi;
mod problem;
mod profiles;
mod range;
mod resource;
mod routes;
mod runs;
mod schedules;
mod service;
mod verify;

pub use health::{Dependency, Liveness, Readiness};
pub use problem::{Problem, ProblemDocument, status};
pub use profiles::config_schema;
pub use resource::{RESOURCE_METADATA, resource_metadata};
pub use routes::{openapi_document, router};
pub use schedules::{SchedulePage, ScheduleView};
pub use service::{Authority, Carried, LINK_VALID, Service, ServiceConfig};
pub use verify::Verdict;

/// Where the API lies below the service's URL.
pub const BASE: &str = "/api/export";
