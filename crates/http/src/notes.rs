//! What is noted of a request while it is answered: for its headers and for the access log.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::Extensions;
use export_model::{QuotaState, Tenant};

/// Notes of one request. Clones share them.
#[derive(Clone, Default)]
pub struct Notes(Arc<Mutex<Noted>>);

#[derive(Clone, Default)]
pub(crate) struct Noted {
    pub(crate) tenant: Option<Tenant>,
    pub(crate) subject: Option<String>,
    /// The tightest quota that applied.
    pub(crate) quota: Option<QuotaState>,
    /// The trace context to hand on, `traceparent` (W3C Trace Context §3.2).
    pub(crate) traceparent: Option<String>,
}

impl Notes {
    /// The notes that a request carries; new ones where it carries none.
    pub(crate) fn of(extensions: &Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or_default()
    }

    pub(crate) fn caller(&self, tenant: &Tenant, subject: &str) {
        self.change(|noted| {
            noted.tenant = Some(tenant.clone());
            noted.subject = Some(subject.to_owned());
        });
    }

    pub(crate) fn traceparent(&self, value: &str) {
        self.change(|noted| noted.traceparent = Some(value.to_owned()));
    }

    /// Notes a quota; of several the one of which the smallest share is left stays.
    pub fn quota(&self, state: QuotaState) {
        self.change(|noted| {
            // Shares compared without division: r1/l1 < r2/l2.
            let share =
                |of: &QuotaState, by: &QuotaState| u128::from(of.remaining) * u128::from(by.limit);
            let tighter = noted
                .quota
                .as_ref()
                .is_none_or(|other| share(&state, other) < share(other, &state));
            if tighter {
                noted.quota = Some(state);
            }
        });
    }

    /// The trace context to hand on, `traceparent` (W3C Trace Context §3.2).
    #[must_use]
    pub fn trace(&self) -> Option<String> {
        self.read().traceparent
    }

    pub(crate) fn read(&self) -> Noted {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn change(&self, change: impl FnOnce(&mut Noted)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use export_model::{QuotaName, Timestamp};

    use super::*;

    #[test]
    fn the_tightest_quota_stays() {
        let notes = Notes::default();
        let state = |name, limit, used| QuotaState::new(name, limit, used, Timestamp(0));
        notes.quota(state(QuotaName::Requests, 100, 10));
        notes.quota(state(QuotaName::TenantRuns, 10, 5));
        notes.quota(state(QuotaName::TenantBytes, 1_000_000, 1));
        assert_eq!(notes.read().quota.unwrap().name, QuotaName::TenantRuns);
    }
}
