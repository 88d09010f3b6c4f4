//! Sources, and the requests that they rejected.

use super::Harness;
use super::world::{World, at, guarded, signing_key};
use crate::AccountChange::{CreateSource, DeleteSource, DeleteTenant, ReplaceSource};
use crate::AccountChanged::{Created, Done, InUse, NotFound, Taken, TooMany};
use crate::read::{Page, RejectionNo};
use crate::{AccountChange, AccountChanged, Answered};
use angarium_core::batch::{Guard, GuardAnswer, Trace};
use angarium_core::id::{EndpointId, SigningKeyId, SourceId, TenantNo};
use angarium_core::secret::{SecretText, SigningKey};
use angarium_core::source::{Rejection, SourceConfig, SourceStatus};
use serde_json::json;

/// More than any case makes.
const MANY: usize = 1_000;
/// Milliseconds.
const WEEK: i64 = 7 * 24 * 3_600_000;

/// A source with something in every place, and a retired key.
pub(super) fn source(tenant: TenantNo, random: u8) -> SourceConfig {
    let config: SourceConfig = serde_json::from_value(json!({
        "name": "Ötztal payments",
        "scheme": {"name": "own", "signature": {"header": "X-Signature"}},
        "types": ["payment.*", "refund"],
        "contract": "alumia",
        "forward": {
            "endpoint": EndpointId::from_parts(at(3), [random; 10]),
            "url": "https://forward.example.com/in",
        },
        "dedupe_seconds": 60,
        "reply": {"status": 202, "body": "{\"received\":true}"},
        "description": "What Ötztal says",
        "status": "active",
        "created_at": at(3),
        "updated_at": at(4),
    }))
    .expect("a source");
    let retired = SigningKey {
        id: SigningKeyId::from_bytes([4; 16]),
        secret: SecretText::new("an older one"),
        created_at: at(1),
        retired_at: Some(at(2)),
        signs_until: Some(at(900)),
    };
    SourceConfig {
        id: SourceId::from_parts(at(3), [random; 10]),
        tenant,
        keys: vec![signing_key(), retired],
        ..config
    }
}

/// A request that came at a moment.
pub(super) fn rejection(source: &SourceConfig, millis: i64) -> Rejection {
    Rejection {
        source: source.id,
        at: at(millis),
        cause: "no_match".into(),
        reason: "no signature is right".into(),
        method: "POST".into(),
        target: format!("/in/{}?n={millis}", source.id),
        headers: vec![("x-signature".into(), "…".into()), ("x-signature".into(), "\"ö\"".into())],
        body: vec![0, 0xff, b'{'].into(),
        body_bytes: 1 << 33,
    }
}

impl World {
    async fn change(&self, change: AccountChange) -> AccountChanged {
        self.store.change_account(change, Trace::default(), at(10)).await.expect("an answer")
    }

    pub(super) async fn sources(&self) -> Vec<SourceConfig> {
        self.store.accounts().await.expect("read").sources
    }

    pub(super) async fn make_sources<const COUNT: usize>(&self, sources: [SourceConfig; COUNT]) {
        for source in sources {
            assert_eq!(self.change(CreateSource(source, MANY)).await, Created(0));
        }
    }

    pub(super) async fn keep(&self, rejections: Vec<Rejection>, most: usize) {
        self.store.keep_rejections(rejections, most).await.expect("kept");
    }

    pub(super) async fn rejected(
        &self,
        source: &SourceConfig,
        before: Option<RejectionNo>,
        limit: usize,
    ) -> Page<(RejectionNo, Rejection), RejectionNo> {
        self.store.rejections(source.id, before, limit).await.expect("a page")
    }

    /// When the requests came that a source rejected, newest first.
    pub(super) async fn times(&self, source: &SourceConfig) -> Vec<i64> {
        let page = self.rejected(source, None, MANY).await;
        page.items.iter().map(|(_, it)| it.at.as_millis() - at(0).as_millis()).collect()
    }
}

/// Each with its secrets; what is changed or deleted is no other one.
pub async fn a_source_reads_back_as_it_was_written(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let [acme, globex] = world.tenants;
    let [first, second, third] = [source(acme, 1), source(globex, 2), source(acme, 3)];
    world.make_sources([first.clone(), third.clone(), second.clone()]).await;
    assert_eq!(world.sources().await, [first.clone(), second.clone(), third]);
    let changed = SourceConfig {
        name: "Another".into(),
        status: SourceStatus::Disabled,
        keys: vec![signing_key()],
        ..second
    };
    assert_eq!(world.change(ReplaceSource(changed.clone())).await, Done);
    assert_eq!(world.change(DeleteSource(source(acme, 3).id)).await, Done);
    assert_eq!(world.sources().await, [first, changed]);
}

/// Each refusal has its name.
pub async fn what_is_taken_missing_or_too_many_is_said_and_nothing_is_made(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let [acme, globex] = world.tenants;
    let rows = [
        (CreateSource(source(TenantNo::new(99), 1), MANY), NotFound),
        (CreateSource(source(acme, 1), 0), TooMany),
        (CreateSource(source(acme, 1), 2), Created(0)),
        (CreateSource(source(acme, 1), 2), Taken),
        (CreateSource(source(globex, 1), 2), Taken),
        (CreateSource(source(acme, 2), 2), Created(0)),
        (CreateSource(source(acme, 3), 2), TooMany),
        (CreateSource(source(globex, 4), 2), Created(0)),
        (ReplaceSource(source(acme, 3)), NotFound),
        (ReplaceSource(source(globex, 1)), NotFound),
        (DeleteSource(source(acme, 3).id), NotFound),
    ];
    for (change, expected) in rows {
        let name = format!("{change:?}");
        assert_eq!(world.change(change).await, expected, "{name}");
    }
    assert_eq!(world.sources().await, [source(acme, 1), source(acme, 2), source(globex, 4)]);
}

/// A tenant goes after its sources.
pub async fn a_tenant_with_sources_is_not_deleted(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let [acme, globex] = world.tenants;
    world.make_sources([source(acme, 1)]).await;
    for (change, expected) in [
        (DeleteTenant(acme), InUse),
        (DeleteTenant(globex), Done),
        (DeleteSource(source(acme, 1).id), Done),
        (DeleteTenant(acme), Done),
    ] {
        let name = format!("{change:?}");
        assert_eq!(world.change(change).await, expected, "{name}");
    }
}

/// A call that is repeated is answered as it was; one that changed nothing may be repeated.
pub async fn the_answer_to_a_change_of_a_source_is_kept_and_to_a_refused_one_is_not(
    harness: &dyn Harness,
) {
    let world = World::new(harness).await;
    let acme = world.tenants[0];
    let rows = [
        (CreateSource(source(acme, 1), 1), Created(0)),
        (CreateSource(source(acme, 2), 1), TooMany),
        (CreateSource(source(acme, 1), 2), Taken),
        (ReplaceSource(source(acme, 1)), Done),
        (ReplaceSource(source(acme, 2)), NotFound),
        (DeleteSource(source(acme, 1).id), Done),
        (DeleteSource(source(acme, 1).id), NotFound),
    ];
    for ((change, expected), scope) in rows.into_iter().zip(1_u8..) {
        let name = format!("{change:?}");
        let body = name.clone().into_bytes();
        let guard = Guard {
            scope: [scope; 32],
            fingerprint: [scope; 32],
            expires_at: at(900),
            answer: GuardAnswer::Given { status: 200, body: body.clone() },
        };
        let changed = world.store.change_account(change, guarded(guard), at(10)).await;
        assert_eq!(changed.expect("an answer"), expected, "{name}");
        let kept = world.store.guarded_answer(&[scope; 32], at(20)).await.expect("read");
        let is_made = matches!(expected, Created(_) | Done);
        let answer = is_made.then_some(Answered::Given { status: 200, body });
        assert_eq!(kept.map(|kept| kept.answer), answer, "{name}");
    }
}

/// Whole, each on one page only, and never another source's.
pub async fn rejections_of_one_source_are_read_page_by_page_newest_first(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let [ours, theirs] = [source(world.tenants[0], 1), source(world.tenants[1], 2)];
    world.make_sources([ours.clone(), theirs.clone()]).await;
    assert_eq!(world.rejected(&ours, None, 2).await, Page { items: vec![], next: None });
    let mixed = (1..=5).flat_map(|n| [rejection(&ours, n), rejection(&theirs, 10 * n)]);
    world.keep(mixed.collect(), MANY).await;
    let (mut pages, mut before) = (Vec::new(), None);
    loop {
        let page = world.rejected(&ours, before, 2).await;
        pages.push(page.items.into_iter().map(|(_, rejection)| rejection).collect::<Vec<_>>());
        // What comes meanwhile moves nothing.
        world.keep(vec![rejection(&ours, 6)], MANY).await;
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    let came = |times: &[i64]| times.iter().map(|n| rejection(&ours, *n)).collect::<Vec<_>>();
    assert_eq!(pages, [came(&[5, 4]), came(&[3, 2]), came(&[1])]);
    assert_eq!(world.times(&theirs).await, [50, 40, 30, 20, 10]);
}

/// Also when more come at once than may stay, and more than are written at once.
pub async fn of_each_source_the_newest_rejections_stay(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let [ours, theirs] = [source(world.tenants[0], 1), source(world.tenants[0], 2)];
    world.make_sources([ours.clone(), theirs.clone()]).await;
    for (come, most, stay) in [(1..=1, 3, 1..=1), (2..=3, 3, 1..=3), (4..=4, 3, 2..=4)] {
        world.keep(come.map(|n| rejection(&ours, n)).collect(), most).await;
        assert_eq!(world.times(&ours).await, stay.rev().collect::<Vec<_>>());
        world.keep(vec![rejection(&theirs, 1), rejection(&theirs, 2)], 2).await;
    }
    for most in [250, 20] {
        world.keep((1..=290).map(|n| rejection(&ours, n)).collect(), most).await;
        let newest = (1..=290).rev().take(most).collect::<Vec<_>>();
        assert_eq!(world.times(&ours).await, newest);
    }
    assert_eq!(world.times(&theirs).await, [2, 1]);
}

/// At once, and those that come late are dropped without harm to others.
pub async fn rejections_go_with_their_source(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let [gone, stays] = [source(world.tenants[0], 1), source(world.tenants[0], 2)];
    world.make_sources([gone.clone(), stays.clone()]).await;
    let each = |n| vec![rejection(&gone, n), rejection(&stays, n)];
    world.keep(each(1), MANY).await;
    assert_eq!(world.change(DeleteSource(gone.id)).await, Done);
    assert_eq!(world.times(&gone).await, [0_i64; 0]);
    world.keep(each(2), MANY).await;
    assert_eq!(world.times(&gone).await, [0_i64; 0]);
    assert_eq!(world.times(&stays).await, [2, 1]);
}

/// Those that are older, whatever order they came in; the others stay.
pub async fn rejections_are_forgotten_after_a_week_in_bounded_steps(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let source = source(world.tenants[0], 1);
    world.make_sources([source.clone()]).await;
    let times = (1..=150).rev().chain([3_000, 2_000]);
    world.keep(times.map(|n| rejection(&source, n)).collect(), MANY).await;
    let step = async |millis| world.store.upkeep(at(millis)).await.expect("upkeep").more;
    assert!(!step(WEEK).await, "nothing is a week old");
    assert_eq!(world.times(&source).await.len(), 152);
    assert!(step(WEEK + 2_000).await, "there is more");
    let left = world.times(&source).await;
    assert!(left.len() > 1, "a step is bounded");
    assert!(!left.contains(&1), "the oldest go first");
    while step(WEEK + 2_000).await {}
    assert_eq!(world.times(&source).await, [3_000]);
}
