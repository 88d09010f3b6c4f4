//! What outlives the process.

use super::Restarts;
use super::audit::{done, follow};
use super::jobs::again;
use super::sequence::{all_of, numbered};
use super::sources::{rejection, source};
use super::world::{
    SECRET, World, at, begun, environment, event, failed, guarded, signing_key, tenant,
};
use crate::AccountChange::{CreateSource, PutTenantKeys};
use angarium_core::audit::{Action, Place};
use angarium_core::batch::{FanoutStart, Guard, GuardAnswer, Trace};
use angarium_core::id::{EventKey, ShardId};

/// Everything that was answered is there again, counters too.
pub async fn what_was_committed_is_there_after_a_restart(harness: &dyn Restarts) {
    let mut world = World::around(harness.store().await).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    let held = world.publish(event(tenant, 1, &[no]), at(10)).await;
    let waits = begun(event(tenant, 2, &[no]), FanoutStart::Pending { due: Some(at(600)) });
    world.publish(waits, at(11)).await;
    world.index_all().await;
    world.publish(event(tenant, 3, &[no]), at(12)).await;
    world.record(tenant, failed(held, no, at(500))).await;
    let before = world.all(world.deliveries()).await;
    let old = world.batch(tenant);
    let depth = world.store.depth(at(20)).await.expect("a depth");
    world.store = harness.restart(world.store).await;
    assert_eq!(world.all(world.deliveries()).await, before);
    let after = world.store.depth(at(20)).await.expect("a depth");
    assert_eq!((after.pending, after.events), (depth.pending, depth.events));
    let state = world.shard(tenant).await;
    assert_eq!(state.endpoints[0].next_due, Some(at(500)));
    assert_eq!(state.endpoints[0].config.secrets.keys, [signing_key()]);
    world.claim_all().await;
    assert!(world.batch(tenant).epoch > old.epoch, "epochs rise");
}

/// Of events that are indexed and of those that are not.
pub async fn usage_is_the_same_after_a_restart(harness: &dyn Restarts) {
    let mut world = World::around(harness.store().await).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    for sequence in 1..=4 {
        let due = Some(at(600));
        let waits = begun(event(tenant, sequence, &[no]), FanoutStart::Pending { due });
        world.publish(waits, at(10)).await;
        if sequence == 2 {
            world.index_all().await;
        }
    }
    let before = world.store.usage(tenant);
    assert_eq!(before.pending, 4);
    assert_eq!(before.bytes, 4 * event(tenant, 1, &[]).body.data.len() as u64);
    for _ in 0..2 {
        world.store = harness.restart(world.store).await;
        assert_eq!(world.store.usage(tenant), before);
        world.index_all().await;
    }
}

/// Numbers in the index and in the tail, with rows and without.
pub async fn numbers_read_the_same_after_a_restart(harness: &dyn Restarts) {
    let mut world = World::around(harness.store().await).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    for number in 1..=6 {
        let key = world.publish(numbered(tenant, no, number), at(10)).await;
        if number % 2 == 0 {
            world.record(tenant, failed(key, no, at(500))).await;
        }
        if number == 3 {
            world.index_all().await;
        }
    }
    let before = world.numbers(all_of(no)).await;
    assert_eq!(before.len(), 6);
    world.store = harness.restart(world.store).await;
    assert_eq!(world.numbers(all_of(no)).await, before);
}

/// With the step that it had begun.
pub async fn a_job_stands_where_it_stood_after_a_restart(harness: &dyn Restarts) {
    let mut world = World::around(harness.store().await).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    let mut job = world.job(tenant, no, 1).await;
    job.begin(vec![again(EventKey::new(7), no, 3)], Some(EventKey::new(7)), at(80));
    assert!(world.store.advance_job(&job, Trace::default(), at(80)).await.expect("written"));
    world.store = harness.restart(world.store).await;
    assert_eq!(world.store.running_jobs().await.expect("jobs"), [job]);
}

/// Sources with their keys; what they reject goes on where the list ended.
pub async fn sources_and_what_they_rejected_are_there_after_a_restart(harness: &dyn Restarts) {
    let mut world = World::around(harness.store().await).await;
    let source = source(world.tenants[0], 1);
    world.make_sources([source.clone()]).await;
    for n in 1..=2 {
        world.keep(vec![rejection(&source, n)], 1).await;
        let before = world.rejected(&source, None, 1).await;
        world.store = harness.restart(world.store).await;
        assert_eq!(world.rejected(&source, None, 1).await, before);
        assert_eq!(world.times(&source).await, [n]);
    }
    assert_eq!(world.sources().await, [source]);
}

/// Keys rise although the clock went back while nobody looked.
pub async fn keys_rise_after_a_restart_with_an_earlier_clock(harness: &dyn Restarts) {
    let mut world = World::around(harness.store().await).await;
    let tenant = world.tenants[0];
    let first = world.publish(event(tenant, 1, &[]), at(5_000)).await;
    world.store = harness.restart(world.store).await;
    world.claim_all().await;
    assert!(world.publish(event(tenant, 2, &[]), at(1_000)).await > first);
}

/// What waits keeps its wait when the clock was set back meanwhile, once and not again.
pub async fn waits_keep_their_length_when_the_clock_was_set_back(harness: &dyn Restarts) {
    let mut world = World::around(harness.store().await).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    let key = world.publish(event(tenant, 1, &[no]), at(10)).await;
    // Written at 50.
    world.record(tenant, failed(key, no, at(5_050))).await;
    world.index_all().await;
    for (clock, due) in [(-30_000, -25_000), (-29_000, -25_000), (40_000, -25_000)] {
        world.store = harness.restart(world.store).await;
        let shards: Vec<_> = ShardId::all().collect();
        world.store.claim(&shards, at(clock)).await.expect("claimed");
        assert_eq!(world.shard(tenant).await.endpoints[0].next_due, Some(at(due)), "{clock}");
    }
}

/// So it does when the shards are claimed again without a restart, and what was committed before is
/// not yet noted.
pub async fn waits_keep_their_length_when_shards_are_claimed_again(harness: &dyn Restarts) {
    let world = World::around(harness.store().await).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    let key = world.publish(event(tenant, 1, &[no]), at(10)).await;
    // Written at 50.
    world.record(tenant, failed(key, no, at(5_050))).await;
    for clock in [-30_000, -29_000] {
        let shards: Vec<_> = ShardId::all().collect();
        world.store.claim(&shards, at(clock)).await.expect("claimed");
        world.index_all().await;
        assert_eq!(world.shard(tenant).await.endpoints[0].next_due, Some(at(-25_000)), "{clock}");
    }
}

/// No secret stands in the files in the clear: of endpoints, of tenants, of sources, of stored
/// answers.
pub async fn secrets_cannot_be_read_in_the_files(harness: &dyn Restarts) {
    let world = World::around(harness.store().await).await;
    world.endpoint(world.tenants[0], 1).await;
    let keys = PutTenantKeys(world.tenants[0], "aleta".into(), vec![signing_key()]);
    world.store.change_account(keys, Trace::default(), at(5)).await.expect("put");
    let source = CreateSource(source(world.tenants[0], 1), 1);
    world.store.change_account(source, Trace::default(), at(5)).await.expect("made");
    let guard = Guard {
        scope: [1; 32],
        fingerprint: [2; 32],
        expires_at: at(900),
        answer: GuardAnswer::Given { status: 201, body: SECRET.into() },
    };
    let put = tenant(world.environment, "initech");
    world.store.change_account(put, guarded(guard), at(6)).await.expect("put");
    let bytes = harness.bytes().await;
    let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    for url in ["hooks.example.com", "forward.example.com"] {
        assert!(holds(url), "{url} is there, so this looks in the right place");
    }
    assert!(!holds(SECRET) && !holds(&SECRET[6..]));
}

/// A copy that is made while events arrive has a beginning of them, whole.
pub async fn a_backup_is_a_store_of_one_moment(harness: &dyn Restarts) {
    let world = World::around(harness.store().await).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    let start = FanoutStart::Pending { due: Some(at(600)) };
    let publish =
        async |sequence| world.publish(begun(event(tenant, sequence, &[no]), start), at(10)).await;
    publish(1).await;
    let to = harness.path();
    let write = async {
        for sequence in 2..=40 {
            publish(sequence).await;
        }
    };
    let (copied, ()) = tokio::join!(world.store.backup(&to), write);
    copied.expect("a copy");
    assert!(world.store.backup(&to).await.is_err(), "it never overwrites");
    let copy = harness.open_copy(&to).await;
    let depth = copy.depth(at(20)).await.expect("a depth");
    assert!((1..=40).contains(&depth.events));
    assert_eq!(depth.pending, depth.events, "an event and its row come together");
    let taken = copy.change_account(environment("prod"), Trace::default(), at(30)).await;
    assert_eq!(taken.expect("an answer"), crate::AccountChanged::Taken);
}

/// A restart goes on where the chain ended.
pub async fn the_chain_of_the_audit_log_goes_on_after_a_restart(harness: &dyn Restarts) {
    let mut world = World::around(harness.store().await).await;
    for object in ["one", "two"] {
        let put = tenant(world.environment, object);
        world.audited(put, done(Action::TenantCreate, Place::Instance, object)).await;
        world.store = harness.restart(world.store).await;
    }
    let (entries, head) = world.log().await;
    assert_eq!(entries.len(), 2);
    follow(&entries, head);
}
