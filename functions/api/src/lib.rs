//! The api phase: what a user may ask for, checked before anything happens.
//!
//! A request that is wrong is refused here, with every wrong member by name; one that is accepted
//! is a `pending` run and a step to admit it. What a run was asked for never changes afterwards.

mod cross_tenant;
mod error;
pub mod http;
mod profiles;
mod runs;
mod schedules;
pub mod views;

pub use cross_tenant::MAX_APPROVALS;
pub use error::ApiError;
pub use export_lifecycle::quota_state;
pub use profiles::{
    NewProfile, create_profile, find_profile, list_profiles, retire_profile, update_profile,
};
pub use runs::{RunRequest, SubmitContext, Submitted, cancel_run, find_run, submit};
pub use schedules::{NewSchedule, create_schedule, delete_schedule, find_schedule, list_schedules};
