//! The same evidence exported twice, as it is and sealed, by whoever can open that.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Ran, World, advisory, finding, record, snapshot};

pub(crate) const POLICY: &str = "zq-policy-1";
pub(crate) const KINDS: [&str; 5] = [
    "json:raw",
    "json:policy",
    "trivy:db",
    "mirror:full",
    "mirror:delta",
];
/// Selectors that leave nothing out.
const SELECTED: [&str; 6] = [
    "--exclude-identifier",
    "ZQ-NOT-THERE",
    "--exclude-product",
    "pkg:npm/zq-left-out",
    "--exclude-source",
    "zq-absent/zq-stream",
];

/// What is exported twice of the same evidence: as it is, and sealed.
pub(crate) struct Pair {
    pub(crate) kind: &'static str,
    pub(crate) plain: PathBuf,
    pub(crate) sealed: PathBuf,
}

/// A home, whoever can open what it seals, and its exports.
pub(crate) struct Sealed {
    pub(crate) world: World,
    /// What opens the bundles.
    pub(crate) identity: PathBuf,
    /// Of the same kind, and opens none of them.
    pub(crate) other: PathBuf,
    /// What files end with.
    pub(crate) suffix: &'static str,
    pub(crate) pairs: Vec<Pair>,
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Evidence with names that are nowhere else.
fn evidence(from: u32) -> String {
    let one = |n: u32| {
        let kind = ["advisory", "advisory", "vex", "sbom"][n as usize % 4];
        let id = format!("ZQ-{n:05}");
        let mut record = record("acme", kind, &id, &advisory(&id));
        record["source"]["vendor"] = "zq-vendor".into();
        record["source"]["stream"] = "zq-feed".into();
        record["identifiers"]["cve"] = json!([format!("CVE-1901-{n:05}")]);
        format!("{record}\n")
    };
    (from..from + 24).map(one).collect()
}

/// A new identity, and its recipient.
pub(crate) fn identity(world: &World, name: &str) -> (PathBuf, String) {
    let path = world.path(name);
    let made = world.json(["seal", "identity", "--out", text(&path)]);
    (path, made["recipient"].as_str().unwrap().to_owned())
}

pub(crate) fn key(world: &World, name: &str) -> PathBuf {
    let made = world.json(["seal", "keygen", name]);
    PathBuf::from(made["file"].as_str().unwrap())
}

/// Runs a profile; gives its run and its bundle.
pub(crate) fn export(world: &World, name: &str, profile: &str, args: &[&str]) -> (String, PathBuf) {
    let out = world.path(&format!("{name}.tar").replace(':', "-"));
    let mut all = vec!["run", profile, "--out", text(&out)];
    all.extend(args);
    let run = world.json(all);
    (run["run_id"].as_str().unwrap().to_owned(), out)
}

impl Sealed {
    /// A home that exports `kinds`, a delta after its base.
    pub(crate) fn with(mode: &str, kinds: &[&'static str]) -> Self {
        let world = World::new();
        world.import("one.jsonl", evidence(0));
        world.import("policy.json", snapshot("acme", POLICY).to_string());
        let findings: String = (0..9)
            .map(|n| format!("{}\n", finding("acme", POLICY, "ZQ-00003", n)))
            .collect();
        world.import("findings.jsonl", findings);
        let mut sealing: Vec<String> = Vec::new();
        let (identity, other) = if mode == "age" {
            let (mine, recipient) = identity(&world, "mine.txt");
            let (more, second) = identity(&world, "more.txt");
            for to in [&recipient, &second] {
                world.json(["seal", "allow", "acme", "--recipient", to]);
                sealing.extend(["--encrypt-to".to_owned(), to.clone()]);
            }
            drop(more);
            (mine, identity(&world, "other.txt").0)
        } else {
            let mine = key(&world, "mine");
            world.json(["seal", "allow", "acme", "--key", "mine"]);
            for &kind in kinds {
                let encryption = json!({"mode": "aes-gcm", "key": "mine"});
                let name = kind.replace(':', "-");
                let profile =
                    json!({"name": name, "kind": kind, "config": {"encryption": encryption}});
                let file = world.file("profile.json", profile.to_string());
                world.json(["profile", "create", text(&file)]);
            }
            (mine, key(&world, "other"))
        };
        let mut bases = [String::new(), String::new()];
        let mut pairs = Vec::new();
        for &kind in kinds {
            if kind == "mirror:delta" {
                world.import("two.jsonl", evidence(24));
            }
            let sealed_profile = match mode {
                "age" => kind.to_owned(),
                _ => kind.replace(':', "-"),
            };
            let mut made = Vec::new();
            for (which, profile) in [kind, sealed_profile.as_str()].into_iter().enumerate() {
                let mut args = SELECTED.to_vec();
                if kind == "json:policy" || kind.starts_with("mirror") {
                    args.extend(["--policy-snapshot", POLICY]);
                }
                if kind == "mirror:delta" {
                    args.extend(["--base", bases[which].as_str()]);
                }
                if which == 1 {
                    args.extend(sealing.iter().map(String::as_str));
                }
                let (run, out) = export(&world, &format!("{kind}-{which}"), profile, &args);
                if kind == "mirror:full" {
                    bases[which] = run;
                }
                made.push(out);
            }
            let sealed = made.pop().unwrap();
            let plain = made.pop().unwrap();
            pairs.push(Pair {
                kind,
                plain,
                sealed,
            });
        }
        Self {
            world,
            identity,
            other,
            suffix: if mode == "age" { ".age" } else { ".enc" },
            pairs,
        }
    }

    pub(crate) fn pair(&self, kind: &str) -> &Pair {
        self.pairs.iter().find(|pair| pair.kind == kind).unwrap()
    }

    pub(crate) fn verify(&self, bundle: &Path, identities: &[&Path], deep: bool) -> Ran {
        let mut args = vec!["verify", text(bundle), "--json"];
        args.extend(deep.then_some("--deep"));
        for identity in identities {
            args.extend(["--identity", text(identity)]);
        }
        self.world.run(args)
    }

    /// Unpacks a bundle and opens its files.
    pub(crate) fn opened(&self, bundle: &Path, name: &str) -> PathBuf {
        let to = self.world.path(name);
        let args = ["unpack", text(bundle), "--to", text(&to), "--identity"];
        self.world
            .json(args.into_iter().chain([text(&self.identity)]));
        to
    }
}
