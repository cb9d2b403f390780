//! Which calls fail, and how.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{PortError, PortErrorKind};

/// Whether a call that fails has had its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// It had none.
    Before,
    /// It had its effect, and the caller does not know.
    After,
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails with `Unavailable`.
    Fail(When),
    /// It fails, and so does every later call, before its effect: the process is dead. What starts
    /// it again makes new wrappers with a new plan.
    Die(When),
    /// The messages that it sends or receives are delivered twice. Other calls just succeed.
    Duplicate,
}

/// Decides the fate of calls. Clones share their count.
#[derive(Clone, Debug, Default)]
pub struct FaultPlan {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    script: Vec<Line>,
    /// State of the generator, and faults in a thousand calls.
    chance: Option<(u64, u32)>,
    calls: u64,
    calls_by_name: BTreeMap<&'static str, u64>,
    faults: u64,
    dead: bool,
}

#[derive(Debug)]
struct Line {
    name: Option<String>,
    nth: u64,
    fault: Fault,
}

impl FaultPlan {
    /// No faults; only counts calls.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Faults drawn from `seed`, in about `per_thousand` of a thousand calls. Nobody dies.
    #[must_use]
    pub fn seeded(seed: u64, per_thousand: u32) -> Self {
        let plan = Self::default();
        plan.locked().chance = Some((seed, per_thousand));
        plan
    }

    /// The same plan, with `fault` at the `nth` call (counting from 1) of any port.
    #[must_use]
    pub fn at(self, nth: u64, fault: Fault) -> Self {
        self.line(None, nth, fault)
    }

    /// The same plan, with `fault` at the `nth` call (counting from 1) of this name: the port, a
    /// dot, and the method, such as `state.commit`, `objects.part`, `queue.send`.
    #[must_use]
    pub fn on(self, name: &str, nth: u64, fault: Fault) -> Self {
        self.line(Some(name.to_owned()), nth, fault)
    }

    fn line(self, name: Option<String>, nth: u64, fault: Fault) -> Self {
        self.locked().script.push(Line { name, nth, fault });
        self
    }

    /// How many calls there were.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.locked().calls
    }

    /// How many calls there were of this name.
    #[must_use]
    pub fn calls_of(&self, name: &str) -> u64 {
        self.locked().calls_by_name.get(name).copied().unwrap_or(0)
    }

    /// How many calls suffered a fault, those of a dead process not counted.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.locked().faults
    }

    /// Whether the process is dead.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.locked().dead
    }

    fn locked(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call and decides its fate.
    pub(super) fn next(&self, name: &'static str) -> Option<Fault> {
        let mut inner = self.locked();
        inner.calls += 1;
        let of_all = inner.calls;
        let of_name = inner.calls_by_name.entry(name).or_default();
        *of_name += 1;
        let of_name = *of_name;
        if inner.dead {
            return Some(Fault::Die(When::Before));
        }
        let scripted = inner.script.iter().find(|line| match &line.name {
            None => line.nth == of_all,
            Some(wanted) => wanted == name && line.nth == of_name,
        });
        let fault = scripted.map(|line| line.fault).or_else(|| inner.draw());
        inner.faults += u64::from(fault.is_some());
        inner.dead = matches!(fault, Some(Fault::Die(_)));
        fault
    }

    /// Lets a call happen, or fail.
    pub(super) async fn call<T>(
        &self,
        name: &'static str,
        effect: impl Future<Output = Result<T, PortError>>,
    ) -> Result<T, PortError> {
        suffer(self.next(name), name, effect).await
    }
}

impl Inner {
    fn draw(&mut self) -> Option<Fault> {
        let (state, per_thousand) = self.chance.as_mut()?;
        let number = splitmix(state);
        // The high bits choose whether, the low ones which.
        if (number >> 32) % 1_000 >= u64::from(*per_thousand) {
            return None;
        }
        Some(match number % 3 {
            0 => Fault::Fail(When::Before),
            1 => Fault::Fail(When::After),
            _ => Fault::Duplicate,
        })
    }
}

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Lets a call with this fate happen, or fail.
pub(super) async fn suffer<T>(
    fault: Option<Fault>,
    name: &'static str,
    effect: impl Future<Output = Result<T, PortError>>,
) -> Result<T, PortError> {
    match fault {
        None | Some(Fault::Duplicate) => effect.await,
        Some(Fault::Fail(When::Before) | Fault::Die(When::Before)) => Err(injected(name)),
        Some(Fault::Fail(When::After) | Fault::Die(When::After)) => {
            effect.await?;
            Err(injected(name))
        }
    }
}

fn injected(name: &'static str) -> PortError {
    PortError::because(
        PortErrorKind::Unavailable,
        format!("calling {name}"),
        "a fault of the test's plan",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_count_from_one_and_death_is_final() {
        let plan =
            FaultPlan::none()
                .at(2, Fault::Fail(When::Before))
                .on("b", 2, Fault::Die(When::After));
        assert_eq!(plan.next("a"), None);
        assert_eq!(plan.next("b"), Some(Fault::Fail(When::Before)));
        assert_eq!(plan.next("a"), None);
        assert!(!plan.is_dead());
        assert_eq!(plan.next("b"), Some(Fault::Die(When::After)));
        assert_eq!(plan.next("a"), Some(Fault::Die(When::Before)));
        assert!(plan.is_dead());
        assert_eq!((plan.calls(), plan.calls_of("b"), plan.faults()), (5, 2, 2));
    }

    #[test]
    fn a_seed_gives_the_same_faults_about_as_often_as_asked() {
        let draw = |seed| {
            let plan = FaultPlan::seeded(seed, 100);
            (0..10_000).map(|_| plan.next("a")).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let faults = draw(7).into_iter().flatten().count();
        assert!((800..1_200).contains(&faults), "{faults}");
    }
}
