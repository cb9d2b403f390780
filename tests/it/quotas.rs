//! Quotas of a profile: for whoever submits its runs.

use std::time::Duration;

use export_api::{
    NewProfile, NewSchedule, RunRequest, SubmitContext, create_profile, create_schedule,
    find_profile, find_schedule, quota_state, submit,
};
use export_approval::ApprovalPolicy;
use export_lifecycle::tick;
use export_model::{
    ErrorCode, Limits, ProfileConfig, ProfileKind, ProfileLimits, QuotaName, Tenant,
};
use export_scenarios::{Process, SMALL, World};

const HOUR: Duration = Duration::from_secs(3_600);

fn acme() -> Tenant {
    "acme".parse().unwrap()
}

/// A profile of two runs a day.
async fn two_a_day(world: &World) {
    let new = NewProfile {
        name: "two".to_owned(),
        kind: ProfileKind::JsonRaw,
        description: String::new(),
        config: ProfileConfig {
            limits: Some(ProfileLimits {
                runs_per_day: Some(2),
                bytes_per_day: Some(1 << 30),
            }),
            ..ProfileConfig::default()
        },
    };
    create_profile(&world.observer, &acme(), new).await.unwrap();
}

async fn ask(process: &Process, profile: &str) -> Result<export_api::Submitted, ErrorCode> {
    let request = RunRequest {
        profile: profile.to_owned(),
        ..RunRequest::default()
    };
    let context = SubmitContext::default();
    let registry = process.registry();
    submit(
        &process.ports,
        registry,
        &ApprovalPolicy::default(),
        &acme(),
        "tester",
        request,
        context,
    )
    .await
    .map_err(|error| error.code)
}

#[tokio::test]
async fn a_profile_has_quotas_of_its_own() {
    let world = World::new(&SMALL).unwrap();
    let process = world.sound_process();
    two_a_day(&world).await;
    let first = ask(&process, "two").await.unwrap();
    let names: Vec<_> = first.quotas.iter().map(|quota| quota.name).collect();
    assert_eq!(names, [QuotaName::ProfileRuns, QuotaName::ProfileBytes]);
    ask(&process, "two").await.unwrap();
    assert_eq!(
        ask(&process, "two").await.unwrap_err(),
        ErrorCode::QuotaRuns
    );
    ask(&process, "other").await.unwrap();
    world.settle(&process).await.unwrap();

    // The tenant's usage counts all three, also for a limit that is set only now.
    let ports = &world.observer;
    let archive = world.run(&first.run.key).await.unwrap().archive.unwrap();
    let limits = Limits {
        runs_per_day: Some(10),
        ..Limits::default()
    };
    let two = find_profile(ports, &acme(), "two", None).await.unwrap();
    let now = ports.clock.now();
    let states = quota_state(ports, &acme(), Some(&two), &limits, now).await;
    let states = states.unwrap();
    let left: Vec<_> = states.iter().map(|state| state.remaining).collect();
    assert_eq!(left[..2], [7, 0]);
    assert_eq!(left[2], (1 << 30) - 2 * archive.size, "both archives");
}

#[tokio::test]
async fn a_schedule_is_no_way_around_them() {
    let world = World::new(&SMALL).unwrap();
    let process = world.sound_process();
    two_a_day(&world).await;
    let new = NewSchedule {
        name: "often".to_owned(),
        description: String::new(),
        profile: "two".to_owned(),
        selectors: Default::default(),
        options: Default::default(),
        when: "rate(1 hour)".to_owned(),
        enabled: true,
    };
    let registry = process.registry();
    let schedule = create_schedule(&process.ports, registry, &acme(), "tester", new)
        .await
        .unwrap();
    let mut errors = Vec::new();
    for _ in 0..3 {
        world.clock.advance(HOUR);
        tick(&process.ports).await.unwrap();
        process.pump().await.unwrap();
        let id = schedule.id.as_str();
        let told = find_schedule(&world.observer, &acme(), id).await.unwrap();
        errors.push(told.last_error);
    }
    assert_eq!(errors[..2], [None, None]);
    let told = errors[2].as_deref().unwrap();
    assert_eq!(
        told, "the quota profile-runs of 2 is used up until 2026-11-02T00:00:00Z",
        "it says which, and until when"
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_schedule_is_told_by_member() {
    let world = World::new(&SMALL).unwrap();
    let process = world.sound_process();
    for (when, says) in [
        ("cron(0 0 30 2 *)", "never comes"),
        ("rate(5 seconds)", "1 minute"),
        ("every night", "cron(minute hour day month weekday)"),
    ] {
        let new = NewSchedule {
            name: " ".to_owned(),
            description: String::new(),
            profile: "other".to_owned(),
            selectors: Default::default(),
            options: Default::default(),
            when: when.to_owned(),
            enabled: true,
        };
        let registry = process.registry();
        let error = create_schedule(&process.ports, registry, &acme(), "tester", new)
            .await
            .unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidRequest);
        let fields: Vec<_> = error.fields.iter().map(|f| f.field.as_str()).collect();
        assert_eq!(fields, ["name", "when"]);
        assert!(error.fields[1].message.contains(says), "{error}");
    }
}
