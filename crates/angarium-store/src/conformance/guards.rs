//! Idempotency records (contracts.md, G7).

use super::Harness;
use super::world::{World, at, delivered, environment, event, guarded, tenant};
use crate::{Answered, StoredAnswer};
use angarium_core::batch::{Guard, GuardAnswer, RowAction, RowActionKind};
use angarium_core::id::DeliveryKey;
use angarium_core::time::Timestamp;

fn given(status: u16, expires_at: Timestamp) -> Guard {
    Guard {
        scope: [7; 32],
        fingerprint: [u8::try_from(status - 200).unwrap_or_default(); 32],
        expires_at,
        answer: GuardAnswer::Given { status, body: format!("answer {status}").into_bytes() },
    }
}

/// The first answer is the answer, until it expires; a change that was not made leaves none.
pub async fn the_first_answer_wins_until_it_expires(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let change = async |change, guard, now| {
        world.store.change_account(change, guarded(guard), now).await.expect("changed")
    };
    let taken = environment("prod");
    change(taken, given(209, at(500)), at(5)).await;
    assert_eq!(world.store.guarded_answer(&[7; 32], at(6)).await.expect("read"), None);
    let put = || tenant(world.environment, "initech");
    change(put(), given(201, at(500)), at(10)).await;
    change(put(), given(202, at(900)), at(20)).await;
    let status = async |now| {
        let found = world.store.guarded_answer(&[7; 32], now).await.expect("read")?;
        let Answered::Given { status, body } = found.answer else { panic!("{found:?}") };
        assert_eq!(body, format!("answer {status}").into_bytes());
        assert_eq!(u16::from(found.fingerprint[0]) + 200, status);
        Some(status)
    };
    assert_eq!(status(at(499)).await, Some(201));
    assert_eq!(status(at(500)).await, None);
    change(put(), given(203, at(900)), at(500)).await;
    assert_eq!(status(at(501)).await, Some(203));
    while world.store.upkeep(at(900)).await.expect("upkeep").more {}
    assert_eq!(status(at(501)).await, None, "forgotten");
}

/// A guarded publish answers its event again, a guarded action its delivery.
pub async fn an_answer_is_derived_from_the_event_or_delivery(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    let guard = |scope: u8, answer| Guard {
        scope: [scope; 32],
        fingerprint: [scope; 32],
        expires_at: at(900),
        answer,
    };
    let mut write = event(tenant, 1, &[no]);
    write.guard = Some(guard(1, GuardAnswer::Event));
    let key = world.publish(write, at(10)).await;
    world.record(tenant, delivered(key, no)).await;
    let mut batch = world.batch(tenant);
    for (scope, kind) in [(2, RowActionKind::Redeliver), (3, RowActionKind::Cancel)] {
        batch.actions.push(RowAction {
            key: DeliveryKey::first(key, no),
            kind,
            at: at(60),
            trace: guarded(guard(scope, GuardAnswer::Delivery)),
        });
    }
    let made = world.commit(batch, at(60)).await.actions;
    let answer = async |scope: u8| {
        let found = world.store.guarded_answer(&[scope; 32], at(61)).await.expect("read");
        found.map(|StoredAnswer { answer, .. }| answer)
    };
    assert_eq!(answer(1).await, Some(Answered::Event(key)));
    assert_eq!(answer(2).await, made[0].map(|made| Answered::Delivery(made.key)));
    assert_eq!((made[1], answer(3).await), (None, None), "nothing was cancelled");
}
