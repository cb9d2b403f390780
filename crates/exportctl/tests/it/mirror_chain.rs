//! A chain of thirty deltas: after each of them a site has, byte for byte, what a full export gives.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::json;

use crate::support::{Site, World, advisory_at, assert_same_tree, finding, record, snapshot};

const STEPS: u32 = 30;

/// Numbers that look random, the same each time (xorshift; Marsaglia 2003).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }
}

/// What publishers do to a ledger that never forgets.
struct Feed {
    numbers: Numbers,
    made: u32,
    /// What the mirror's selection holds, and what it held once.
    selected: BTreeSet<String>,
    left: BTreeSet<String>,
}

impl Feed {
    /// A revision of a document: about an npm package, which is selected, or not.
    fn text(&self, id: &str, step: u32, selected: bool) -> String {
        let kind = if id.ends_with('7') { "vex" } else { "advisory" };
        let modified = format!("2026-10-{:02}T{:02}:00:00Z", 1 + step / 20, step % 20);
        let mut record = record("acme", kind, id, &advisory_at(id, &modified));
        let ecosystem = if selected { "npm" } else { "pypi" };
        record["linkset"]["purls"] = json!([format!("pkg:{ecosystem}/{}", id.to_lowercase())]);
        record["identifiers"]["cve"] = json!([format!("CVE-1900-{:05}", self.made % 50)]);
        record.to_string()
    }

    fn pick(&mut self, from_left: bool) -> Option<String> {
        let from = if from_left {
            &self.left
        } else {
            &self.selected
        };
        let at = self.numbers.below(from.len());
        from.iter().nth(at).cloned()
    }

    /// What is imported at a step: new documents, revisions, and revisions that the selection no longer
    /// holds, or holds again. Nothing, at one in ten.
    fn step(&mut self, step: u32) -> String {
        let mut text = String::new();
        if step.is_multiple_of(10) {
            return text;
        }
        let mut touched = BTreeSet::new();
        for _ in 0..=self.numbers.below(12) {
            let (id, selected) = match self.numbers.below(8) {
                0..=2 => {
                    self.made += 1;
                    (Some(format!("EX-{:05}", self.made)), true)
                }
                3 | 4 => (self.pick(false), true),
                5 | 6 => (self.pick(false), false),
                _ => (self.pick(true), true),
            };
            let Some(id) = id.filter(|id| touched.insert(id.clone())) else {
                continue;
            };
            writeln!(text, "{}", self.text(&id, step, selected)).unwrap();
            let (to, from) = if selected {
                (&mut self.selected, &mut self.left)
            } else {
                (&mut self.left, &mut self.selected)
            };
            from.remove(&id);
            to.insert(id);
        }
        text
    }
}

#[test]
fn thirty_deltas_give_what_a_full_export_gives_after_each_of_them() {
    let world = World::new();
    let mut feed = Feed {
        numbers: Numbers(0x9e37_79b9_7f4a_7c15),
        made: 40,
        selected: (1..=40).map(|n| format!("EX-{n:05}")).collect(),
        left: BTreeSet::new(),
    };
    let first: String = feed
        .selected
        .iter()
        .map(|id| feed.text(id, 0, true) + "\n")
        .collect();
    world.import("first.jsonl", first);
    let config = json!({"records_per_part": 5});
    for (name, kind) in [("whole", "mirror:full"), ("changes", "mirror:delta")] {
        let profile = json!({"name": name, "kind": kind, "config": config});
        let file = world.file("profile.json", profile.to_string());
        world.json(["profile", "create", file.to_str().unwrap()]);
    }
    let selection = ["--product", "pkg:npm/*"];
    let export = |profile: &str, more: &[&str]| {
        let out = world.path(&format!("{profile}.tar"));
        let mut args = vec!["run", profile, "--out", out.to_str().unwrap()];
        args.extend(selection);
        args.extend(more);
        (world.json(args), out)
    };
    let site = Site::new(&world, "site");
    let (full, bundle) = export("whole", &[]);
    site.apply(&bundle);
    let mut base = full["run_id"].as_str().unwrap().to_owned();
    let mut policy: Option<String> = None;
    let (mut added, mut removed) = (0, 0);
    for step in 1..=STEPS {
        let when = format!("step {step}");
        let text = feed.step(step);
        if !text.is_empty() {
            world.import(&format!("step-{step}.jsonl"), text);
        }
        // Now and then a policy engine has decided anew.
        let decided = step % 7 == 3;
        if decided {
            let id = format!("policy-{step}");
            let mut text = format!("{}\n", snapshot("acme", &id));
            for number in 0..4 {
                writeln!(text, "{}", finding("acme", &id, "sbom", number)).unwrap();
            }
            world.import(&format!("{id}.jsonl"), text);
            policy = Some(id);
        }
        let given: Vec<&str> = policy
            .iter()
            .flat_map(|id| ["--policy-snapshot", id])
            .collect();
        let mut args = vec!["--base", &base];
        if decided {
            args.extend(&given);
        }
        let (delta, bundle) = export("changes", &args);
        let counts = site.apply(&bundle)["counts"].clone();
        assert_eq!(counts["changed"], 0, "an `_id` has one content for ever");
        added += counts["added"].as_u64().unwrap();
        removed += counts["removed"].as_u64().unwrap();
        assert_eq!(&delta["records"], &counts["added"], "{when}");

        let (_, bundle) = export("whole", &given);
        let fresh = Site::new(&world, &format!("fresh-{step}"));
        let whole = fresh.apply(&bundle);
        assert_same_tree(&site.tree(), &fresh.tree(), &when);
        assert_eq!(
            site.status()["head"]["tree_digest"],
            whole["tree_digest"],
            "{when}"
        );
        std::fs::remove_dir_all(&fresh.dir).unwrap();
        base = delta["run_id"].as_str().unwrap().to_owned();
    }
    assert!(
        added > 60 && removed > 40,
        "it was a quiet month: {added} added, {removed} removed"
    );
    let verified = site.verify();
    assert_eq!(verified.code, 0, "{}", verified.stdout);
    assert_eq!(site.log().len(), 1 + STEPS as usize);
    assert_eq!(site.status()["kept"], json!([STEPS, STEPS + 1]));
}
