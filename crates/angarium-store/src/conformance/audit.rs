//! The audit log (reliability-security.md, P7): an entry with every change, in one chain.

use super::Harness;
use super::world::{World, at, endpoint, environment, tenant};
use crate::read::{AuditBounds, AuditQuery};
use crate::{AccountChange, AccountChanged};
use angarium_core::audit::{Action, Author, Chain, Deed, Entry, EntryNo, Link, Place};
use angarium_core::batch::{BatchResult, EndpointWrite, RowAction, RowActionKind, Trace};
use angarium_core::id::{DeliveryKey, EndpointNo, EnvironmentNo, Epoch, EventKey, TenantNo};
use serde_json::Value;
use std::sync::Arc;

pub(super) fn done(action: Action, place: Place, object: &str) -> Trace {
    Trace::of(Deed::new(Author::SERVER, action, place, &object))
}

fn query() -> AuditQuery {
    AuditQuery {
        bounds: AuditBounds::default(),
        tenant: None,
        actor: None,
        action: None,
        object: None,
        after: None,
        before: None,
        cursor: None,
        limit: 100,
        rows_read: 1_000,
    }
}

impl World {
    pub(super) async fn audited(&self, change: AccountChange, trace: Trace) -> AccountChanged {
        self.store.change_account(change, trace, at(9)).await.expect("answered")
    }

    /// The log from its first entry, and its end.
    pub(super) async fn log(&self) -> (Vec<Entry>, Link) {
        let bounds = AuditBounds::default();
        let entries = self.store.audit_after(bounds, EntryNo::new(0), 1_000).await;
        (entries.expect("read"), self.store.audit_ends().await.expect("both ends").1)
    }

    /// Objects of a list, page by page.
    async fn listed(&self, query: &AuditQuery) -> Vec<String> {
        let (mut query, mut objects) = (query.clone(), Vec::new());
        loop {
            let page = self.store.audit(&query).await.expect("a page");
            assert!(page.items.len() <= query.limit);
            objects.extend(page.items.iter().map(|entry| member(entry, "/object/id")));
            assert!(page.next.is_none() || page.next != query.cursor, "a page goes on");
            query.cursor = page.next;
            if query.cursor.is_none() {
                return objects;
            }
        }
    }
}

fn member(entry: &Entry, pointer: &str) -> String {
    let value: Value = serde_json::from_str(&entry.line()).expect("JSON");
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

pub(super) fn follow(entries: &[Entry], head: Link) {
    let mut chain = Chain::of_whole(vec![head]);
    for (entry, no) in entries.iter().zip(1..) {
        assert_eq!(chain.follow(&entry.line()), Ok(entry.link));
        assert_eq!(entry.link.no, EntryNo::new(no), "numbers have no gap");
    }
    assert_eq!(chain.end(), Ok(head));
}

/// What was changed has its entry; what was refused, or found nothing to change, has none.
pub async fn an_entry_is_there_if_and_only_if_its_change_is(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let acme = world.tenants[0];
    let of_acme = |action, object| done(action, Place::Tenant(acme), object);
    let taken = done(Action::EnvironmentCreate, Place::Instance, "taken");
    assert_eq!(world.audited(environment("prod"), taken).await, AccountChanged::Taken);
    let here = Place::Environment(world.environment);
    let put = tenant(world.environment, "initech");
    world.audited(put, done(Action::TenantCreate, here, "initech")).await;
    let mut batch = world.batch(acme);
    let (config, trace) = (Box::new(endpoint(acme, 1)), of_acme(Action::EndpointCreate, "made"));
    batch.endpoints.push(EndpointWrite::Create { config, trace });
    let (key, kind) =
        (DeliveryKey::first(EventKey::new(7), EndpointNo::new(9)), RowActionKind::Cancel);
    let trace = of_acme(Action::DeliveryCancel, "not there");
    batch.actions.push(RowAction { key, kind, at: at(9), trace });
    let in_memory = Deed::new(Author::SERVER, Action::DeliveryCancel, Place::Tenant(acme), &"sent");
    batch.cancelled.push((key, Trace::of(in_memory)));
    world.commit(batch.clone(), at(10)).await;
    batch.epoch = Epoch::new(0);
    let stale = world.store.commit(Arc::new(vec![batch]), at(11)).await.expect("answered");
    assert_eq!(stale, [BatchResult::StaleEpoch]);
    let deleted = AccountChange::DeleteTenant(world.tenants[1]);
    let gone = done(Action::TenantDelete, Place::Tenant(world.tenants[1]), "globex");
    world.audited(deleted.clone(), gone.clone()).await;
    assert_eq!(world.audited(deleted, gone).await, AccountChanged::NotFound);
    let (entries, head) = world.log().await;
    let of = |entry: &Entry| ["/object/id", "/tenant", "/environment"].map(|at| member(entry, at));
    let expected = [
        ["initech", "initech", "prod"],
        ["made", "acme", "prod"],
        ["sent", "acme", "prod"],
        ["globex", "globex", "prod"],
    ];
    assert_eq!(entries.iter().map(of).collect::<Vec<_>>(), expected);
    follow(&entries, head);
}

/// Each reader sees what lies within their bounds, newest first, page by page.
pub async fn a_list_holds_what_lies_within_bounds_and_is_asked_for(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let [acme, globex] = world.tenants;
    let here = Place::Environment(world.environment);
    let rows = [
        (Place::Instance, Action::KeyCreate, "a"),
        (here, Action::EventTypePut, "b"),
        (Place::Tenant(acme), Action::TenantUpdate, "c"),
        (Place::Tenant(globex), Action::TenantUpdate, "d"),
        (Place::Tenant(acme), Action::KeysRotate, "e"),
    ];
    for ((place, action, object), n) in rows.into_iter().zip(1..) {
        let put = tenant(world.environment, "acme");
        let trace = done(action, place, object);
        world.store.change_account(put, trace, at(n)).await.expect("changed");
    }
    let environment = Some(world.environment);
    let of_acme = AuditBounds { environment, tenant: Some(acme) };
    let of_nobody = AuditBounds { environment, tenant: Some(TenantNo::new(99)) };
    let elsewhere = AuditBounds { environment: Some(EnvironmentNo::new(99)), tenant: None };
    let inside = AuditBounds { environment, tenant: None };
    for (bounds, expected) in [
        (AuditBounds::default(), "edcba"),
        (inside, "edcb"),
        (of_acme, "ec"),
        (of_nobody, ""),
        (elsewhere, ""),
    ] {
        for (limit, rows_read) in [(100, 1_000), (1, 1_000), (2, 2)] {
            let query = AuditQuery { bounds, limit, rows_read, ..query() };
            assert_eq!(world.listed(&query).await.concat(), expected, "{query:?}");
        }
        let upwards = world.store.audit_after(bounds, EntryNo::new(2), 2).await.expect("read");
        let expected: String = expected.chars().rev().filter(|name| *name > 'b').take(2).collect();
        let objects = upwards.iter().map(|entry| member(entry, "/object/id"));
        assert_eq!(objects.collect::<String>(), expected, "{bounds:?}");
    }
    let text = |text: &str| Some(text.to_owned());
    for (query, expected) in [
        (AuditQuery { tenant: text("acme"), ..query() }, "ec"),
        (AuditQuery { action: Some(Action::TenantUpdate), ..query() }, "dc"),
        (AuditQuery { object: text("b"), ..query() }, "b"),
        (AuditQuery { actor: text("server"), ..query() }, "edcba"),
        (AuditQuery { actor: text("key_1"), ..query() }, ""),
        (AuditQuery { after: Some(at(2)), before: Some(at(4)), ..query() }, "cb"),
    ] {
        assert_eq!(world.listed(&query).await.concat(), expected, "{query:?}");
    }
}
