//! A process that applies is killed anywhere: readers have the old tree or the new one, and applying
//! again completes.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use export_model::ErrorCode;
use export_replica::{Options, apply, status};

use crate::support::bundle::Export;
use crate::support::child::{Child, Kill, STEPS, keep_key};
use crate::support::evidence::{Evidence, Seeded};
use crate::support::{Site, expected, tree};

const KILLS: u64 = 120;

#[test]
fn a_kill_anywhere_leaves_the_old_tree_or_the_new_one() {
    let mut seeded = Seeded::new(20_261_126);
    let mut site = Site::new();
    let mut key = keep_key(&site.key, site.folder.path());
    let mut evidence = Evidence::of(90);
    let mut last: Option<Export> = None;
    let mut number = 0;
    let (mut kills, mut old, mut new) = (0, 0, 0);
    let mut usual = Duration::from_millis(40);
    let mut tried = 0;
    while kills < KILLS {
        tried += 1;
        assert!(
            tried < 4 * KILLS,
            "too few of the children were killed: {kills}"
        );
        // Now and then a mirror of its own, so that first applies are killed too.
        if tried % 12 == 0 {
            site = Site::new();
            key = keep_key(&site.key, site.folder.path());
            last = None;
        }
        number += 1;
        let next = match &last {
            None => Export::full(number, u64::from(number), &evidence),
            Some(last) => {
                evidence.shake(&mut seeded, 120);
                if seeded.below(4) == 0 {
                    Export::full(number, u64::from(number), &evidence)
                } else {
                    Export::delta(number, u64::from(number), last, &evidence)
                }
            }
        };
        let bytes = next.bundle(&site.key);
        let bundle = site.folder.path().join("bundle.tar");
        std::fs::write(&bundle, &bytes).unwrap();
        let kill = match seeded.below(10) {
            0..4 => Kill::AfterBytes(seeded.below(bytes.len() as u64)),
            4..8 => Kill::AtStep(seeded.below(STEPS)),
            _ => Kill::Never,
        };
        let dir = site.dir();
        let child = Child {
            dir: &dir,
            bundle: &bundle,
            key: &key,
            kill,
        };
        let began = Instant::now();
        let mut running = child.command().spawn().unwrap();
        if kill == Kill::Never {
            // At a time that is drawn from as long as it usually takes.
            let most = usual.as_micros() as u64;
            std::thread::sleep(Duration::from_micros(seeded.below(most + most / 4)));
            let _ = running.kill();
        }
        let status_of = running.wait().unwrap();
        if status_of.success() {
            usual = began.elapsed();
        } else {
            assert_eq!(status_of.signal(), Some(9), "{kill:?}");
            kills += 1;
        }
        let before = match &last {
            Some(last) => expected(&last.evidence),
            None => Default::default(),
        };
        let after = expected(&next.evidence);
        let found = tree(&dir);
        assert!(found == before || found == after, "{kill:?}: a mixture");
        // A tree that did not change is told by what the chain says.
        let head = status(&dir).ok().map(|status| status.head.export_id);
        let done = head == Some(crate::support::bundle::run_id(next.number));
        assert!(
            if done {
                found == after
            } else {
                found == before
            },
            "{kill:?}"
        );
        match apply(bytes.as_slice(), &dir, &site.options()) {
            Ok(applied) => {
                assert!(!done, "{kill:?}: applied twice");
                assert!(applied.repaired.is_none());
                old += 1;
            }
            Err(error) => {
                let same = last
                    .as_ref()
                    .is_some_and(|last| last.tree_digest == next.tree_digest);
                assert!(done || same, "{kill:?}: {error}");
                assert_eq!(error.code(), ErrorCode::MirrorReplay, "{kill:?}: {error}");
                new += u64::from(done);
                // What the child left behind is swept by the next apply that does something.
            }
        }
        assert!(tree(&dir) == after, "{kill:?}");
        if tried % 6 == 0 {
            assert!(site.verify().is_good(), "{kill:?}");
        }
        let at = status(&dir).unwrap().head.export_id;
        if at == crate::support::bundle::run_id(next.number) {
            last = Some(next);
        }
    }
    eprintln!("{kills} kills: the old tree was there {old} times, the new one {new} times");
    assert!(old > 0 && new > 0);
}

#[test]
fn at_every_step_a_kill_leaves_something_that_the_next_apply_completes() {
    for step in 0..STEPS {
        let site = Site::new();
        let key = keep_key(&site.key, site.folder.path());
        let evidence = Evidence::of(40);
        let full = Export::full(1, 10, &evidence);
        site.apply(&full).unwrap();
        let mut next = evidence.clone();
        next.put(2, 7);
        next.remove(5);
        let delta = Export::delta(2, 20, &full, &next);
        let bytes = delta.bundle(&site.key);
        let bundle = site.folder.path().join("bundle.tar");
        std::fs::write(&bundle, &bytes).unwrap();
        let dir = site.dir();
        let child = Child {
            dir: &dir,
            bundle: &bundle,
            key: &key,
            kill: Kill::AtStep(step),
        };
        let ended = child.command().status().unwrap();
        assert_eq!(ended.signal(), Some(9), "step {step}");
        // Up to the fifth step nothing that readers see has happened.
        let committed = step >= 6;
        site.holds(if committed { &next } else { &evidence });
        assert_eq!(
            status(&dir).unwrap().unfinished,
            (1..=6).contains(&step),
            "step {step}"
        );
        let again = apply(bytes.as_slice(), &dir, &site.options());
        assert_eq!(again.is_err(), committed, "step {step}");
        let last = Export::delta(3, 30, &delta, &evidence);
        let keep = Options {
            keep: 1,
            ..site.options()
        };
        apply(last.bundle(&site.key).as_slice(), &dir, &keep).unwrap();
        site.holds(&evidence);
        let status = status(&dir).unwrap();
        assert!(!status.unfinished, "step {step}");
        assert_eq!(status.kept, [3]);
        assert!(site.verify().is_good());
    }
}
