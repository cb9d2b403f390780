//! Who is gone, where nobody can know.

use std::time::Duration;

use export_ports::Liveness;

/// Hosts on machines of their own: none is ever known to be gone, so what one has left waits until
/// its lease has expired.
#[derive(Clone, Copy, Debug)]
pub struct Presumed {
    lease: Duration,
}

impl Presumed {
    /// Leases that stand for so long unless they are renewed.
    #[must_use]
    pub fn new(lease: Duration) -> Self {
        Self { lease }
    }
}

impl Liveness for Presumed {
    fn is_gone(&self, _holder: &str) -> bool {
        false
    }

    fn lease(&self) -> Duration {
        self.lease
    }
}
