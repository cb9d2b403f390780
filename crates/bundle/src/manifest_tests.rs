use super::*;

pub(crate) fn file(path: &str, content: &[u8], stored: &[u8]) -> FileEntry {
    FileEntry {
        path: path.to_owned(),
        size: stored.len() as u64,
        sha256: Sha256Digest::of(stored),
        content_size: content.len() as u64,
        content_sha256: Sha256Digest::of(content),
        media_type: MEDIA_TYPE_JSON_LINES.to_owned(),
        compression: [(Algorithm::Zstd, 3), (Algorithm::Gzip, 6)]
            .into_iter()
            .find(|(algorithm, _)| path.ends_with(algorithm.suffix()))
            .map(|(algorithm, level)| CompressionEntry { algorithm, level }),
        records: None,
        range: None,
        quarantined: None,
    }
}

fn manifest() -> Manifest {
    let mut part = file("payload/advisory/part-00000.jsonl.zst", b"{}\n", b"stored");
    part.records = Some(1);
    part.range = Some(RecordRange {
        first: "a".into(),
        last: "a".into(),
    });
    part.quarantined = Some(1);
    let files = vec![part, file("payload/inputs.jsonl.zst", b"[]\n", b"other")];
    Manifest {
        schema: SCHEMA.into(),
        run: RunSection {
            id: "0192f000-0000-7000-8000-000000000001".parse().unwrap(),
            tenant: "acme".parse().unwrap(),
            profile_id: "json:raw".into(),
            profile_revision: 1,
            requested_by: "alice".into(),
            submitted_at: Timestamp(1_793_000_000_123),
            as_of: AsOfSection { watermark: 42 },
        },
        profile: ProfileSection {
            name: "json:raw".into(),
            kind: ProfileKind::JsonRaw,
            variant: "raw".into(),
            config: ProfileConfig::default(),
        },
        selectors: Selectors::default(),
        counts: Counts {
            records: 1,
            by_kind: BTreeMap::from([(Kind::Advisory, 1)]),
            by_tenant: BTreeMap::new(),
            quarantined: BTreeMap::from([("ERR_AOC_DERIVED_FIELD".into(), 1)]),
        },
        tree_digest: None,
        base: None,
        result_tree_digest: None,
        sealed: None,
        content_digest: content_digest(&files),
        files,
        distributions: vec![DistributionEntry {
            kind: "http".into(),
            location: String::new(),
        }],
    }
}

fn parse(edit: impl Fn(&mut serde_json::Value)) -> Result<Manifest, ManifestError> {
    let mut value = serde_json::to_value(manifest()).unwrap();
    edit(&mut value);
    Manifest::parse(&to_jcs(&value).unwrap())
}

#[test]
fn a_manifest_has_these_bytes() {
    let bytes = manifest().to_bytes().unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert_eq!(text, include_str!("golden/export.json").trim_end());
    // Milliseconds are not written, everything else comes back.
    let read = Manifest::parse(&bytes).unwrap();
    assert_eq!(read.run.submitted_at, Timestamp(1_793_000_000_000));
    assert_eq!(read.to_bytes().unwrap(), bytes);
    assert_eq!(read.inconsistency(), None);
}

#[test]
fn content_digest_is_over_sorted_lines_of_contents() {
    // sha256("") and sha256("abc"), from FIPS 180-2; `b` sorts before `b-`, though `b.zst` does not.
    let files = [
        file("payload/b-", b"abc", b"abc"),
        file("payload/b.zst", b"", b"compressed"),
    ];
    let lines = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  0  payload/b\n\
                 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  3  payload/b-\n";
    assert_eq!(content_digest(&files), Sha256Digest::of(lines.as_bytes()));
    assert_eq!(content_digest(&[]), Sha256Digest::of(b""));
}

#[test]
fn unknown_members_are_refused_at_every_level() {
    for pointer in [
        "",
        "/run",
        "/run/as_of",
        "/profile",
        "/selectors",
        "/counts",
        "/files/0",
        "/files/0/compression",
        "/files/0/range",
        "/distributions/0",
    ] {
        let error = parse(|value| {
            let object = value.pointer_mut(pointer).unwrap().as_object_mut().unwrap();
            object.insert("extra".into(), 1.into());
        })
        .unwrap_err();
        assert!(
            matches!(&error, ManifestError::Shape(e) if e.to_string().contains("extra")),
            "{pointer}: {error}"
        );
    }
}

#[test]
fn unsafe_or_contradicting_files_are_refused() {
    let set = |pointer: &'static str, to: serde_json::Value| {
        parse(|value| *value.pointer_mut(pointer).unwrap() = to.clone()).unwrap_err()
    };
    for path in [
        "/etc/passwd",
        "payload/../x.zst",
        "export.json",
        "payload/a\\b.zst",
    ] {
        let error = set("/files/1/path", path.into());
        assert!(matches!(error, ManifestError::Path(_)), "{path}: {error}");
    }
    for path in [
        "payload/advisory/part-00000.jsonl.zst",
        "payload/aa.zst",
        "payload/advisory/part-00000.jsonl",
    ] {
        let error = set("/files/1/path", path.into());
        assert!(
            matches!(
                error,
                ManifestError::Order { .. } | ManifestError::Contradiction { .. }
            ),
            "{path}: {error}"
        );
    }
    let error = set(
        "/files/1/path",
        "payload/Advisory/PART-00000.jsonl.zst".into(),
    );
    assert!(matches!(error, ManifestError::Order { .. }), "{error}");
    let error = set("/schema", "export-center/manifest/v2".into());
    assert!(matches!(error, ManifestError::Schema { .. }), "{error}");
    let error = set("/files/0/range", serde_json::Value::Null);
    assert!(
        matches!(error, ManifestError::Contradiction { .. }),
        "{error}"
    );
}

#[test]
fn only_the_canonical_form_is_read() {
    let bytes = manifest().to_bytes().unwrap();
    let spaced = String::from_utf8(bytes.clone())
        .unwrap()
        .replacen(':', ": ", 1);
    for bad in [
        spaced.as_bytes(),
        b"",
        b"{}",
        b"[]",
        &bytes[..bytes.len() - 1],
        &[&bytes[..], b"\n"].concat(),
    ] {
        assert!(Manifest::parse(bad).is_err());
    }
}

#[test]
fn what_does_not_add_up_is_said() {
    let mut wrong = manifest();
    wrong.counts.records = 2;
    assert!(wrong.inconsistency().unwrap().contains("counts.records"));
    wrong.counts.by_kind.insert(Kind::Vex, 1);
    assert!(wrong.inconsistency().unwrap().contains("vex"));
    wrong.files[0].content_size += 1;
    assert!(wrong.inconsistency().unwrap().contains("content_digest"));
    let mut quarantine = manifest();
    quarantine.counts.quarantined.clear();
    assert!(quarantine.inconsistency().unwrap().contains("quarantined"));
}

#[test]
fn record_files_are_known_by_their_path() {
    for (path, kind) in [
        (
            "payload/advisory/part-00000.jsonl.zst",
            Some(Kind::Advisory),
        ),
        ("payload/acme/vex/part-00012.jsonl", Some(Kind::Vex)),
        ("payload/inputs.jsonl.zst", None),
        ("payload/advisory/part-x.jsonl.zst", None),
        ("payload/other/part-00000.jsonl.zst", None),
    ] {
        assert_eq!(file(path, b"", b"").record_kind(), kind, "{path}");
    }
}

/// A bundle with records of two tenants.
fn across() -> Manifest {
    let mut across = manifest();
    across.selectors.tenants = Some(vec!["acme".into(), "globex".into()]);
    across.files[0].path = "payload/globex/advisory/part-00000.jsonl.zst".into();
    across.files.swap(0, 1);
    across.files.sort_by(|a, b| a.path.cmp(&b.path));
    across.counts.by_tenant =
        BTreeMap::from([("acme".parse().unwrap(), 0), ("globex".parse().unwrap(), 1)]);
    across.content_digest = content_digest(&across.files);
    across
}

#[test]
fn records_of_several_tenants_are_counted_by_tenant() {
    let bytes = across().to_bytes().unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    let counts = r#""by_kind":{"advisory":1},"by_tenant":{"acme":0,"globex":1},"#;
    assert!(text.contains(counts), "{text}");
    let read = Manifest::parse(&bytes).unwrap();
    assert_eq!(read.inconsistency(), None);
    assert_eq!(read.owners(), Some(BTreeSet::from(["acme", "globex"])));
    // Naming oneself changes nothing.
    let mut own = manifest();
    own.selectors.tenants = Some(vec!["acme".into()]);
    assert_eq!((own.owners(), own.inconsistency()), (None, None));
}

#[test]
fn records_where_they_do_not_belong_are_said() {
    let with = |edit: &dyn Fn(&mut Manifest)| {
        let mut wrong = across();
        edit(&mut wrong);
        wrong.files.sort_by(|a, b| a.path.cmp(&b.path));
        wrong.content_digest = content_digest(&wrong.files);
        wrong.inconsistency().unwrap()
    };
    let moved = |path: &'static str| move |m: &mut Manifest| m.files[0].path = path.into();
    for (found, what) in [
        (
            with(&moved("payload/evil/advisory/part-00000.jsonl.zst")),
            "`payload/evil/advisory/part-00000.jsonl` is of a tenant that nobody selected",
        ),
        (
            with(&moved("payload/advisory/part-00000.jsonl.zst")),
            "is not where records of kind advisory belong",
        ),
        (
            with(&moved("payload/x/globex/advisory/part-00000.jsonl.zst")),
            "is not where records of kind advisory belong",
        ),
        (
            with(&moved("payload/acme/advisory/part-00000.jsonl.zst")),
            "counts.by_tenant is not what the files say",
        ),
        (with(&|m| m.counts.by_tenant.clear()), "counts.by_tenant"),
        (
            with(&|m| m.selectors.tenants = None),
            "is not where records of kind advisory belong",
        ),
    ] {
        assert!(found.contains(what), "{found}");
    }
    let mut single = manifest();
    single.counts.by_tenant.insert("acme".parse().unwrap(), 1);
    assert!(single.inconsistency().unwrap().contains("by_tenant"));
}

/// The manifest of a bundle whose records were assembled to a scanner's layer.
fn assembled() -> Manifest {
    let mut layer = file("payload/db.tar.gz", b"a tar", b"gzip of it");
    layer.media_type = "application/vnd.aquasec.trivy.db.layer.v1.tar+gzip".into();
    let files = vec![layer, file("payload/inputs.jsonl.zst", b"[]\n", b"other")];
    let mut manifest = manifest();
    manifest.profile.kind = ProfileKind::TrivyDb;
    manifest.profile.name = "trivy:db".into();
    manifest.profile.variant = "db".into();
    manifest.run.profile_id = "trivy:db".into();
    manifest.content_digest = content_digest(&files);
    manifest.files = files;
    manifest
}

#[test]
fn a_manifest_of_a_layer_has_these_bytes() {
    let bytes = assembled().to_bytes().unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert_eq!(text, include_str!("golden/export-trivy.json").trim_end());
    let read = Manifest::parse(&bytes).unwrap();
    assert_eq!(read.inconsistency(), None);
    assert!(text.contains("\"path\":\"payload/db.tar.gz\""));
}

#[test]
fn a_layer_has_the_digest_of_its_archive_whatever_gzip_made_of_it() {
    let one = assembled();
    let mut other = assembled();
    other.files[0].size += 1;
    other.files[0].sha256 = Sha256Digest::of(b"another gzip of it");
    assert_eq!(content_digest(&one.files), content_digest(&other.files));
    let lines = format!(
        "{}  5  payload/db.tar\n{}  3  payload/inputs.jsonl\n",
        Sha256Digest::of(b"a tar").hex(),
        Sha256Digest::of(b"[]\n").hex()
    );
    assert_eq!(one.content_digest, Sha256Digest::of(lines.as_bytes()));
}

#[test]
fn names_and_compressions_go_together() {
    let wrong = |edit: &dyn Fn(&mut FileEntry)| {
        let mut manifest = assembled();
        edit(&mut manifest.files[0]);
        Manifest::parse(&manifest.to_bytes().unwrap()).unwrap_err()
    };
    for edit in [
        &(|file: &mut FileEntry| file.compression = None) as &dyn Fn(&mut FileEntry),
        &|file| {
            file.compression = Some(CompressionEntry {
                algorithm: Algorithm::Zstd,
                level: 3,
            });
        },
        &|file| file.path = "payload/db.tar".into(),
        &|file| file.path = "payload/db.tar.zst".into(),
    ] {
        let error = wrong(edit);
        assert!(
            matches!(error, ManifestError::Contradiction { .. }),
            "{error}"
        );
    }
}

#[test]
fn an_assembled_payload_has_its_layer_and_no_records() {
    let what = |edit: &dyn Fn(&mut Manifest)| {
        let mut manifest = assembled();
        edit(&mut manifest);
        manifest.content_digest = content_digest(&manifest.files);
        manifest.inconsistency()
    };
    assert_eq!(what(&|_| {}), None);
    let missing = what(&|manifest| drop(manifest.files.remove(0))).unwrap();
    assert!(missing.contains("payload/db.tar.gz"), "{missing}");
    let other = what(&|manifest| manifest.files[0].media_type = "application/x-tar".into());
    assert!(other.unwrap().contains("payload/db.tar.gz"));
    let java = what(&|manifest| manifest.profile.kind = ProfileKind::TrivyJavaDb);
    assert!(java.unwrap().contains("payload/javadb.tar.gz"));
    let records = what(&|manifest| {
        let records = self::manifest().files.remove(0);
        manifest.files.insert(0, records);
    });
    assert!(records.unwrap().contains("does not belong"));
    let sum = what(&|manifest| manifest.counts.records = 2).unwrap();
    assert!(sum.contains("counts.records"), "{sum}");
    let tenants = what(&|manifest| {
        let tenant = "globex".parse().unwrap();
        manifest.counts.by_tenant.insert(tenant, 1);
    });
    assert!(tenants.unwrap().contains("counts.by_tenant"));
}
