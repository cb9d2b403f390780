//! One tenant's run with another tenant's evidence, and the approval that it takes.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{
    Archive, Tampered, World, advisory, finding, lines, ran, record, snapshot, unpacked,
};

/// A home with evidence of acme and globex, and globex's key pair beside it, which the home knows.
struct Two {
    world: World,
}

impl Two {
    fn new() -> Self {
        let world = World::new();
        world.import("acme.jsonl", lines("acme", 3));
        let mut theirs = lines("globex", 4);
        let vex = record("globex", "vex", "VEX-1", &advisory("VEX-1"));
        theirs.push_str(&format!("{vex}\n"));
        world.import("globex.jsonl", theirs);
        let two = Self { world };
        two.generate("globex");
        two.trust("globex", "globex");
        two
    }

    fn path(&self, name: &str) -> String {
        self.world.path(name).to_str().unwrap().to_owned()
    }

    fn generate(&self, name: &str) -> Value {
        let prefix = self.path(name);
        self.world.json(["keys", "generate", "--out", &prefix])
    }

    fn trust(&self, tenant: &str, key: &str) -> Value {
        let public = self.path(&format!("{key}.pub"));
        self.world.json(["approval", "trust", tenant, &public])
    }

    /// An approval by globex for acme, with more arguments; later ones win.
    fn approve(&self, name: &str, more: &[&str]) -> String {
        self.approval(name, "globex", "acme", more)
    }

    fn approval(&self, name: &str, grantor: &str, grantee: &str, more: &[&str]) -> String {
        let (key, out) = (self.path("globex.key"), self.path(name));
        let mut args = vec![
            "approval",
            "create",
            "--grantor",
            grantor,
            "--grantee",
            grantee,
            "--profile",
            "json:raw",
            "--key",
            &key,
            "--out",
            &out,
        ];
        if !more.contains(&"--expires") {
            args.extend(["--expires", "2999-01-01T00:00:00Z"]);
        }
        args.extend(more);
        let made = self.world.json(args);
        assert_eq!(made["approval"]["grantor"], grantor);
        out
    }

    /// The arguments of a run of acme's with globex's evidence.
    fn run<'a>(more: &[&'a str]) -> Vec<&'a str> {
        let mut args = vec!["--tenant", "acme", "--include-tenant", "globex"];
        args.extend(more);
        args
    }

    /// A run that must be refused with `code` and a sentence with `says`, leaving nothing.
    #[track_caller]
    fn refused(&self, args: &[&str], code: &str, says: &str) {
        let all: Vec<_> = ["run", "json:raw"].iter().chain(args).copied().collect();
        let error = self.world.error(all, code);
        assert_eq!(error["exit_code"], 2, "{error}");
        let detail = error["detail"].as_str().unwrap();
        assert!(detail.contains(says), "{says}: {detail}");
        let runs = self.world.json(["runs", "list", "--tenant", "acme"]);
        assert_eq!(runs["runs"], json!([]));
    }
}

#[test]
fn another_tenants_evidence_leaves_with_its_approval() {
    let two = Two::new();
    let approval = two.approve("a.json", &["--nonce", "audit-7"]);
    let args = Two::run(&["--cross-tenant", "--approval", &approval]);
    let (run, archive) = two.world.export("json:raw", &args);
    assert_eq!(run["tenant"], "acme");
    assert_eq!(run["tenants"], json!(["acme", "globex"]));
    assert_eq!(run["records"], 8);
    assert_eq!(run["approvals"][0]["nonce"], "audit-7");

    let payload: Vec<_> = archive
        .names()
        .into_iter()
        .filter(|name| name.starts_with("payload/"))
        .collect();
    assert_eq!(
        payload,
        [
            "payload/acme/advisory/part-00000.jsonl.zst",
            "payload/globex/advisory/part-00000.jsonl.zst",
            "payload/globex/vex/part-00000.jsonl.zst",
            "payload/inputs.jsonl.zst",
        ]
    );
    for (folder, tenant, count) in [("acme/", "acme", 3), ("globex/", "globex", 5)] {
        let lines = archive.lines(folder);
        assert_eq!(lines.len(), count);
        let own = format!(r#""tenant":"{tenant}""#);
        assert!(lines.iter().all(|line| line.contains(&own)));
    }
    let manifest = archive.manifest();
    assert_eq!(manifest["selectors"]["tenants"], json!(["acme", "globex"]));
    assert_eq!(
        manifest["counts"]["by_tenant"],
        json!({"acme": 3, "globex": 5})
    );
    assert_eq!(manifest["counts"]["by_kind"]["advisory"], 7);

    // Who approved what stands in the provenance and in the run's events, its terms in neither.
    let bytes = std::fs::read(two.path("a.json")).unwrap();
    let digest = crate::support::sha256_hex(&bytes);
    let statement: Value = serde_json::from_slice(archive.get("provenance.json")).unwrap();
    let build = &statement["predicate"]["buildDefinition"];
    let asked = &build["externalParameters"];
    assert_eq!(asked["approvals"].as_array().unwrap().len(), 1);
    assert_eq!(asked["approvals"][0]["digest"]["sha256"], digest.as_str());
    assert_eq!(asked["approvals"][0]["grantor"], "globex");
    assert_eq!(asked["options"], json!({}));
    let uris: Vec<_> = build["resolvedDependencies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["uri"].as_str().unwrap())
        .collect();
    assert_eq!(
        uris,
        [
            "urn:export-center:ledger:acme:advisory:example/feed",
            "urn:export-center:ledger:globex:advisory:example/feed",
            "urn:export-center:ledger:globex:vex:example/feed",
        ]
    );
    let id = run["run_id"].as_str().unwrap();
    let events = two.world.json(["runs", "events", id]);
    assert_eq!(events["events"][1]["type"], "run.approval");
    assert_eq!(events["events"][1]["grantor"], "globex");
    assert_eq!(events["events"][1]["nonce"], "audit-7");
    let shown = two.world.run(["runs", "show", id]);
    assert!(
        shown.stdout.contains("globex (audit-7)"),
        "{}",
        shown.stdout
    );

    let file = two.path("export-0.tar");
    let checked = two.world.json(["verify", "--deep", &file]);
    assert_eq!(checked["verified"], true);
    assert_eq!(
        checked["report"]["summary"]["by_tenant"],
        json!({"acme": 3, "globex": 5})
    );
    // The same evidence gives the same content, whichever approval let it out.
    let other = two.approve("b.json", &["--not-before", "2020-01-01T00:00:00Z"]);
    let args = Two::run(&["--cross-tenant", "--approval", &other]);
    let (again, _) = two.world.export("json:raw", &args);
    assert_eq!(again["content_digest"], run["content_digest"]);
    // And the globex run of the same records has the same lines.
    let (_, own) = two.world.export("json:raw", &["--tenant", "globex"]);
    assert_eq!(own.lines("vex/"), archive.lines("globex/vex/"));
}

#[test]
fn the_environment_may_switch_it_on_and_selectors_may_leave_the_own_tenant_out() {
    let two = Two::new();
    let approval = two.approve("a.json", &["--kind", "vex"]);
    let selectors = json!({"tenants": ["globex"], "kinds": ["vex"]});
    let file = two.world.file("selectors.json", selectors.to_string());
    let out = two.path("out.tar");
    let mut command = two
        .world
        .command(["run", "json:raw", "--tenant", "acme", "--json"]);
    command
        .args(["--selectors", file.to_str().unwrap(), "--approval"])
        .args([&approval, "--out", &out])
        .env("EXPORT_CROSS_TENANT", "1");
    let ran = ran(&mut command);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let archive = Archive::read(&PathBuf::from(&out));
    assert_eq!(archive.lines("globex/vex/").len(), 1);
    assert_eq!(
        archive.manifest()["counts"]["by_tenant"],
        json!({"globex": 1})
    );
    assert_eq!(two.world.json(["verify", "--deep", &out])["verified"], true);
}

#[test]
fn naming_oneself_is_an_export_like_any_other() {
    let two = Two::new();
    let file = two
        .world
        .file("s.json", json!({"tenants": ["acme"]}).to_string());
    let file = file.to_str().unwrap();
    let (_, plain) = two.world.export("json:raw", &["--tenant", "acme"]);
    let args = ["--tenant", "acme", "--cross-tenant", "--selectors", file];
    let (run, named) = two.world.export("json:raw", &args);
    assert_eq!(named.names(), plain.names());
    assert_eq!(
        named.manifest()["content_digest"],
        plain.manifest()["content_digest"]
    );
    assert_eq!(run["tenants"], Value::Null);
}

#[test]
fn without_the_feature_or_an_approval_nothing_leaves() {
    let two = Two::new();
    let approval = two.approve("a.json", &[]);
    two.refused(
        &Two::run(&["--approval", &approval]),
        "ERR_CROSS_TENANT",
        "exports across tenants are switched off here",
    );
    two.refused(
        &Two::run(&["--cross-tenant"]),
        "ERR_CROSS_TENANT",
        "there is no approval of tenant globex",
    );
    let more = ["--cross-tenant", "--approval", approval.as_str()];
    two.refused(
        &Two::run(&[&more[..], &["--include-tenant", "initech"][..]].concat()),
        "ERR_CROSS_TENANT",
        "there is no approval of tenant initech",
    );
    two.refused(
        &[&["--tenant", "acme"][..], &more[..]].concat(),
        "ERR_INVALID_REQUEST",
        "options.approval is of no use",
    );
    two.refused(
        &Two::run(&[&more[..], &["--approval", approval.as_str()][..]].concat()),
        "ERR_APPROVAL_INVALID",
        "there are two approvals of tenant globex",
    );
    // Findings are one tenant's.
    let policy = snapshot("acme", "policy-1");
    let finding = finding("acme", "policy-1", "sbom", 1);
    two.world
        .import("policy.jsonl", format!("{policy}\n{finding}\n"));
    let args = Two::run(&more);
    let args: Vec<_> = ["run", "json:policy"].into_iter().chain(args).collect();
    let error = two.world.error(args, "ERR_CROSS_TENANT");
    let detail = error["detail"].as_str().unwrap();
    assert!(detail.contains("json:policy"), "{detail}");
}

#[test]
fn an_approval_for_something_else_is_refused() {
    let two = Two::new();
    let with = |name: &str, more: &[&str], run: &[&str], code: &str, says: &str| {
        let approval = two.approve(name, more);
        let run = [
            &["--cross-tenant", "--approval", approval.as_str()][..],
            run,
        ]
        .concat();
        two.refused(&Two::run(&run), code, says);
    };
    with(
        "expired.json",
        &["--expires", "2020-01-01T00:00:00Z"],
        &[],
        "ERR_APPROVAL_TIME",
        "expired at 2020-01-01T00:00:00Z",
    );
    with(
        "early.json",
        &["--not-before", "2998-01-01T00:00:00Z"],
        &[],
        "ERR_APPROVAL_TIME",
        "is not valid before 2998-01-01T00:00:00Z",
    );
    with(
        "narrow.json",
        &["--kind", "vex"],
        &[],
        "ERR_APPROVAL_SCOPE",
        "see its `kinds`",
    );
    with(
        "narrower.json",
        &["--identifier", "EX-00001", "--exclude-kind", "vex"],
        &["--identifier", "EX-00001"],
        "ERR_APPROVAL_SCOPE",
        "see its `exclude`",
    );
    let other = two.approval("other.json", "globex", "initech", &[]);
    two.refused(
        &Two::run(&["--cross-tenant", "--approval", &other]),
        "ERR_APPROVAL_SCOPE",
        "was given to initech, not to acme",
    );
    let policy = two.path("policy.json");
    let (key, expires) = (two.path("globex.key"), "2999-01-01T00:00:00Z");
    two.world.json([
        "approval",
        "create",
        "--grantor",
        "globex",
        "--grantee",
        "acme",
        "--profile",
        "json:policy",
        "--expires",
        expires,
        "--key",
        &key,
        "--out",
        &policy,
    ]);
    two.refused(
        &Two::run(&["--cross-tenant", "--approval", &policy]),
        "ERR_APPROVAL_SCOPE",
        "is not for profiles of the kind json:raw",
    );
}

#[test]
fn only_the_grantors_own_key_counts() {
    let two = Two::new();
    // globex's key speaks for globex, not for initech, who is not known here.
    let stolen = two.approval("initech.json", "initech", "acme", &[]);
    let args = ["--tenant", "acme", "--include-tenant", "initech"];
    two.refused(
        &[
            &args[..],
            &["--cross-tenant", "--approval", stolen.as_str()][..],
        ]
        .concat(),
        "ERR_APPROVAL_SIGNATURE",
        "is not known to be tenant initech's",
    );
    // Altered on its way.
    let approval = two.approve("a.json", &["--kind", "vex"]);
    let wider = two.approve("b.json", &[]);
    let read =
        |path: &str| -> Value { serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap() };
    let mut altered = read(&approval);
    altered["payload"] = read(&wider)["payload"].clone();
    let altered = two.world.file("altered.json", altered.to_string());
    two.refused(
        &Two::run(&["--cross-tenant", "--approval", altered.to_str().unwrap()]),
        "ERR_APPROVAL_SIGNATURE",
        "it was altered",
    );
    for (name, text) in [("no.json", "no"), ("object.json", "{}")] {
        let file = two.world.file(name, text);
        two.refused(
            &Two::run(&["--cross-tenant", "--approval", file.to_str().unwrap()]),
            "ERR_APPROVAL_INVALID",
            "approval",
        );
    }
    // A key that was taken away counts no longer.
    std::fs::remove_dir_all(two.world.home().join("keys/approvers/globex")).unwrap();
    two.refused(
        &Two::run(&["--cross-tenant", "--approval", &wider]),
        "ERR_APPROVAL_SIGNATURE",
        "is not known to be tenant globex's",
    );
}

#[test]
fn what_cannot_be_approved_is_said_before_it_is_signed() {
    let two = Two::new();
    let (key, out) = (two.path("globex.key"), two.path("out.json"));
    let create = |more: &[&str], code: &str, says: &str| {
        let mut args = vec!["approval", "create", "--key", &key, "--out", &out];
        for (flag, value) in [
            ("--grantor", "globex"),
            ("--grantee", "acme"),
            ("--profile", "json:raw"),
            ("--expires", "2999-01-01T00:00:00Z"),
        ] {
            if !more.contains(&flag) {
                args.extend([flag, value]);
            }
        }
        args.extend(more);
        let error = two.world.error(&args, code);
        let detail = error["detail"].as_str().unwrap();
        assert!(detail.contains(says), "{detail}");
        assert!(!two.world.path("out.json").exists());
    };
    create(
        &["--grantee", "globex"],
        "ERR_INVALID_REQUEST",
        "both globex",
    );
    create(&["--grantee", "../x"], "ERR_USAGE", "../x");
    create(
        &["--profile", "json:row"],
        "ERR_INVALID_REQUEST",
        "json:row",
    );
    create(&["--expires", "soon"], "ERR_INVALID_REQUEST", "--expires");
    create(&["--nonce", "a b"], "ERR_INVALID_REQUEST", "`nonce`");
    create(
        &["--kind", "news"],
        "ERR_INVALID_REQUEST",
        "selectors.kinds[0]",
    );
    create(
        &["--not-before", "2999-01-01T00:00:00Z"],
        "ERR_INVALID_REQUEST",
        "is not before",
    );
}

#[test]
fn parts_are_numbered_in_each_tenant_and_kind_whatever_is_left_out() {
    let two = Two::new();
    let ledger = Tampered::open(&two.world);
    let (id, body) = ledger.record("VEX-1");
    let mut changed: Value = serde_json::from_str(&body).unwrap();
    changed["severity"] = "high".into();
    ledger.replace(&id, &changed.to_string());
    ledger.forget_admission(&id);
    let config = json!({"records_per_part": 2, "on_violation": "quarantine"});
    let profile = json!({"name": "small", "kind": "json:raw", "config": config});
    let file = two.world.file("profile.json", profile.to_string());
    let file = file.to_str().unwrap();
    two.world
        .json(["profile", "create", file, "--tenant", "acme"]);

    let approval = two.approve("a.json", &[]);
    let args = Two::run(&["--cross-tenant", "--approval", &approval]);
    let (run, archive) = two.world.export("small", &args);
    assert_eq!((&run["parts"], &run["quarantined"]), (&5.into(), &1.into()));
    assert_eq!(
        archive.names()[5..],
        [
            "payload/acme/advisory/part-00000.jsonl.zst",
            "payload/acme/advisory/part-00001.jsonl.zst",
            "payload/globex/advisory/part-00000.jsonl.zst",
            "payload/globex/advisory/part-00001.jsonl.zst",
            "payload/inputs.jsonl.zst",
            "payload/quarantine.jsonl.zst",
        ]
    );
    let read = |name: &str| -> Vec<Value> {
        let text = String::from_utf8(unpacked(archive.get(name))).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let parts: Vec<_> = read("payload/inputs.jsonl.zst")
        .iter()
        .map(|part| {
            let text = |member: &str| part[member].as_str().unwrap_or_default().to_owned();
            (text("tenant"), text("kind"), text("file"))
        })
        .collect();
    let owned = |tenant: &str, kind: &str, file: &str| {
        let file = match file {
            "" => String::new(),
            file => format!("payload/{tenant}/{kind}/{file}.jsonl"),
        };
        (tenant.to_owned(), kind.to_owned(), file)
    };
    assert_eq!(
        parts,
        [
            owned("acme", "advisory", "part-00000"),
            owned("acme", "advisory", "part-00001"),
            owned("globex", "advisory", "part-00000"),
            owned("globex", "advisory", "part-00001"),
            owned("globex", "vex", ""),
        ]
    );
    let left_out = read("payload/quarantine.jsonl.zst");
    assert_eq!(left_out.len(), 1);
    assert_eq!(left_out[0]["tenant"], "globex");
    let file = two.path("export-0.tar");
    assert_eq!(
        two.world.json(["verify", "--deep", &file])["verified"],
        true
    );
}

#[test]
fn a_past_state_is_the_same_for_all_owners() {
    let two = Two::new();
    let approval = two.approve("a.json", &[]);
    let args = Two::run(&["--cross-tenant", "--approval", &approval]);
    let (first, _) = two.world.export("json:raw", &args);
    let more = record("globex", "advisory", "EX-99999", &advisory("EX-99999"));
    two.world.import("more.jsonl", format!("{more}\n"));
    let (second, _) = two.world.export("json:raw", &args);
    assert_eq!(second["records"], 9);
    let watermark = first["watermark"].to_string();
    let past = [&args[..], &["--as-of", watermark.as_str()][..]].concat();
    let (again, _) = two.world.export("json:raw", &past);
    assert_eq!(again["content_digest"], first["content_digest"]);
    two.world.error(
        [&["run", "json:raw", "--as-of", "999"][..], &args].concat(),
        "ERR_AS_OF_UNKNOWN",
    );
}

#[test]
fn an_sbom_that_is_named_is_looked_up_with_each_owner() {
    let two = Two::new();
    let mut ids = Vec::new();
    for (tenant, id) in [
        ("acme", "S-APP"),
        ("globex", "S-APP"),
        ("globex", "S-OTHER"),
    ] {
        let raw = json!({"id": id, "of": tenant});
        let sbom = record(tenant, "sbom", id, &raw);
        ids.push(sbom["_id"].as_str().unwrap().replace(':', "%3A"));
        two.world.import("sbom.jsonl", format!("{sbom}\n"));
    }
    let approval = two.approve("a.json", &["--sbom-subject", "S-APP"]);
    let more = [
        "--cross-tenant",
        "--approval",
        approval.as_str(),
        "--sbom-subject",
    ];
    let args = Two::run(&[&more[..], &["S-APP"]].concat());
    let (run, archive) = two.world.export("json:raw", &args);
    assert_eq!(run["records"], 2);
    assert_eq!(archive.lines("globex/sbom/").len(), 1);
    let statement: Value = serde_json::from_slice(archive.get("provenance.json")).unwrap();
    let all = &statement["predicate"]["buildDefinition"]["resolvedDependencies"];
    let sboms: Vec<_> = all
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["name"] == "sbom")
        .map(|one| one["uri"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        sboms,
        [
            format!("urn:export-center:sbom:acme:{}", ids[0]),
            format!("urn:export-center:sbom:globex:{}", ids[1]),
        ]
    );
    let other = two.approve("b.json", &["--sbom-subject", "S-APP"]);
    let args = [
        "run",
        "json:raw",
        "--tenant",
        "acme",
        "--include-tenant",
        "globex",
        "--cross-tenant",
        "--approval",
        &other,
        "--sbom-subject",
        "S-OTHER",
    ];
    let error = two.world.error(args, "ERR_APPROVAL_SCOPE");
    let detail = error["detail"].as_str().unwrap();
    assert!(detail.contains("see its `sbom_subjects`"), "{detail}");
}

#[test]
fn an_approval_for_one_run_is_good_for_one() {
    let two = Two::new();
    let approval = two.approve("once.json", &["--once", "--nonce", "audit-8"]);
    let args = Two::run(&["--cross-tenant", "--approval", &approval]);
    let (run, _) = two.world.export("json:raw", &args);
    assert_eq!(run["status"], "completed");
    let again: Vec<_> = ["run", "json:raw"].iter().chain(&args).copied().collect();
    let error = two.world.error(again.clone(), "ERR_APPROVAL_USED");
    let detail = error["detail"].as_str().unwrap();
    assert!(
        detail.contains("audit-8") && detail.contains("globex"),
        "{detail}"
    );
    let runs = two.world.json(["runs", "list", "--tenant", "acme"]);
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1);
    // Another one is not touched by that.
    let other = two.approve("other.json", &["--once", "--nonce", "audit-9"]);
    let args = Two::run(&["--cross-tenant", "--approval", &other]);
    two.world.export("json:raw", &args);
    two.world.error(again, "ERR_APPROVAL_USED");
}
