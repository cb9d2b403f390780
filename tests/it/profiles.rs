//! Profiles: changed by one who knows what is there, and retired.

use export_api::{
    ApiError, NewProfile, create_profile, find_profile, list_profiles, retire_profile,
    update_profile,
};
use export_model::{ErrorCode, Profile, ProfileConfig, ProfileKind, Retention, Tenant};
use export_scenarios::{SMALL, World};

fn acme() -> Tenant {
    "acme".parse().unwrap()
}

fn days(days: u32) -> Option<ProfileConfig> {
    Some(ProfileConfig {
        retention: Retention {
            days,
            listing_days: None,
        },
        ..ProfileConfig::default()
    })
}

fn code<T: std::fmt::Debug>(outcome: Result<T, ApiError>) -> ErrorCode {
    outcome.unwrap_err().code
}

#[tokio::test]
async fn a_change_is_for_the_version_that_was_read() {
    let world = World::new(&SMALL).unwrap();
    let ports = &world.observer;
    let update = async |description: Option<&str>, config, seen: Option<(u32, u64)>| {
        let description = description.map(str::to_owned);
        update_profile(ports, &acme(), "other", description, config, seen).await
    };
    let seen = |profile: &Profile| Some((profile.revision, profile.rev));
    let first = find_profile(ports, &acme(), "other", None).await.unwrap();
    let described = update(Some("mine"), None, seen(&first)).await.unwrap();
    assert_eq!(described.revision, 1);
    assert_eq!(
        code(update(Some("no, mine"), None, seen(&first)).await),
        ErrorCode::PreconditionFailed
    );
    let second = update(None, days(7), seen(&described)).await.unwrap();
    assert_eq!((second.revision, second.rev), (2, 1));
    assert_eq!(
        second,
        find_profile(ports, &acme(), "other", None).await.unwrap()
    );
    assert_eq!(
        code(update(None, days(8), seen(&described)).await),
        ErrorCode::PreconditionFailed
    );
    let long = "x".repeat(1_001);
    assert_eq!(
        code(update(Some(&long), None, None).await),
        ErrorCode::InvalidRequest
    );
}

#[tokio::test]
async fn a_retired_profile_is_history() {
    let world = World::new(&SMALL).unwrap();
    let (ports, process) = (&world.observer, world.sound_process());
    let key = world.submit(&process, "acme", "other").await.unwrap();
    update_profile(ports, &acme(), "other", None, days(7), None)
        .await
        .unwrap();
    let retired = retire_profile(ports, &acme(), "other", None).await.unwrap();
    assert_eq!(retired.revision, 2);
    assert!(retired.retired_at.is_some());

    let listed = list_profiles(ports, &acme()).await.unwrap();
    assert!(listed.iter().all(|profile| profile.name != "other"));
    for revision in [1, 2] {
        let found = find_profile(ports, &acme(), "other", Some(revision)).await;
        assert_eq!(found.unwrap().revision, revision);
    }
    let new = NewProfile {
        name: "other".to_owned(),
        kind: ProfileKind::JsonRaw,
        description: String::new(),
        config: ProfileConfig::default(),
    };
    for refused in [
        code(find_profile(ports, &acme(), "other", None).await),
        code(create_profile(ports, &acme(), new).await),
        code(update_profile(ports, &acme(), "other", None, days(9), None).await),
        code(retire_profile(ports, &acme(), "other", None).await),
    ] {
        assert_eq!(refused, ErrorCode::ProfileRetired);
    }
    assert!(world.submit(&process, "acme", "other").await.is_err());
    assert_eq!(
        code(retire_profile(ports, &acme(), "json:raw", None).await),
        ErrorCode::BuiltinProfile
    );

    // The run that it had goes on.
    world.settle(&process).await.unwrap();
    crate::support::completed(&world, &key, None).await.unwrap();
}

/// Changed and retired at once: whatever comes first, it is retired in the end, if anybody was told
/// so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_does_not_undo_a_retirement() {
    let world = World::new(&SMALL).unwrap();
    let (one, other) = (world.stranger().unwrap(), world.stranger().unwrap());
    for round in 0..20 {
        let name = format!("p{round}");
        let new = NewProfile {
            name: name.clone(),
            kind: ProfileKind::JsonRaw,
            description: String::new(),
            config: ProfileConfig::default(),
        };
        create_profile(&world.observer, &acme(), new).await.unwrap();
        let change = {
            let (ports, name) = (one.ports.clone(), name.clone());
            tokio::spawn(async move {
                update_profile(&ports, &acme(), &name, None, days(9), None).await
            })
        };
        let retired = retire_profile(&other.ports, &acme(), &name, None).await;
        retired.unwrap();
        if let Err(error) = change.await.unwrap() {
            assert_eq!(error.code, ErrorCode::ProfileRetired);
        }
        let found = find_profile(&world.observer, &acme(), &name, None).await;
        assert_eq!(code(found), ErrorCode::ProfileRetired);
    }
}
