//! What only the host knows: the time, new ids, and who is still alive.

use std::time::Duration;

use export_model::{RunId, ScheduleId, Timestamp};

/// The time.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// New ids. Seeded in simulation, random elsewhere.
pub trait Ids: Send + Sync {
    /// An id for a run submitted at `now`; later ids sort after earlier ones.
    fn run_id(&self, now: Timestamp) -> RunId;

    /// An id for a schedule made at `now`.
    fn schedule_id(&self, now: Timestamp) -> ScheduleId {
        self.run_id(now).into()
    }

    /// A token for a lease: at least 64 random bits, of letters and digits.
    fn token(&self) -> String;

    /// The name of this process as a holder of leases.
    fn holder(&self) -> String;
}

/// Which holders of leases are known to be gone, so that their work need not wait for a lease to
/// expire. A host that cannot know says that none is.
pub trait Liveness: Send + Sync {
    /// Whether `holder` is certainly gone.
    fn is_gone(&self, holder: &str) -> bool;

    /// How long a lease stands unless it is renewed: for so long the work of a holder that is gone
    /// waits where nobody can know that it is.
    fn lease(&self) -> Duration {
        Duration::from_secs(60)
    }
}
