//! One tenant's flood is its own: it neither fills the shard nor a commit.

use super::*;

impl Bench {
    /// How a publish was answered.
    fn answer_to(&self, ticket: u32) -> Option<Result<u64, Code>> {
        self.reply_to(ticket).map(|reply| match reply {
            Reply::Accepted { sequence, .. } => Ok(*sequence),
            Reply::Refused(refusal) => Err(refusal.code),
            other => panic!("{other:?}"),
        })
    }

    fn answers_to(&self, tickets: &[u32]) -> Vec<Option<Result<u64, Code>>> {
        tickets.iter().map(|ticket| self.answer_to(*ticket)).collect()
    }
}

fn of(batch: &ShardBatch, tenant: TenantNo) -> usize {
    batch.events.iter().filter(|write| write.tenant == tenant).count()
}

#[test]
fn a_tenant_has_its_share_of_a_commit_and_the_rest_follows_in_its_order() {
    let limits = Limits { tenant_commit_events: 3, ..Limits::default() };
    let mut bench = Bench::with_limits(limits);
    let flood = bench.flood(TENANT, 8);
    let others = bench.flood(OTHER, 2);
    let mut sizes = Vec::new();
    while let Some(batch) = bench.shard.take_batch() {
        sizes.push((of(&batch, TENANT), of(&batch, OTHER)));
        bench.finish(&batch);
    }
    assert_eq!(sizes, [(3, 2), (3, 0), (2, 0)]);
    assert_eq!(bench.answers_to(&flood), (1..=8).map(|n| Some(Ok(n))).collect::<Vec<_>>());
    assert_eq!(bench.answers_to(&others), [Some(Ok(1)), Some(Ok(2))]);
}

#[test]
fn who_comes_while_others_of_its_tenant_are_in_line_goes_behind_them() {
    let limits = Limits { tenant_commit_events: 2, ..Limits::default() };
    let mut bench = Bench::with_limits(limits);
    let mut tickets = bench.flood(TENANT, 3);
    let first = bench.shard.take_batch().expect("a batch");
    // The next batch is empty, and yet the third is before the fourth.
    tickets.extend(bench.flood(TENANT, 1));
    bench.finish(&first);
    bench.commit();
    assert_eq!(bench.answers_to(&tickets), [1, 2, 3, 4].map(|n| Some(Ok(n))));
}

#[test]
fn a_commit_holds_so_many_bytes_of_one_tenant_but_one_event_always() {
    let weight = Bench::event(None, None).weight();
    for (bytes, expected) in [(weight * 2, 2), (weight * 3 - 1, 2), (1, 1)] {
        let limits = Limits { tenant_commit_bytes: bytes, ..Limits::default() };
        let mut bench = Bench::with_limits(limits);
        let flood = bench.flood(TENANT, 5);
        let batch = bench.shard.take_batch().expect("a batch");
        assert_eq!(batch.events.len(), expected, "{bytes}");
        bench.finish(&batch);
        bench.commit();
        assert!(bench.answer_to(flood[4]).is_some_and(|answer| answer.is_ok()));
    }
}

#[test]
fn a_tenant_at_its_bound_is_told_so_while_another_of_its_shard_is_accepted() {
    let weight = Bench::event(None, None).weight();
    let by_events = Limits { tenant_uncommitted: 4, tenant_commit_events: 2, ..Limits::default() };
    let by_bytes = Limits { tenant_uncommitted_bytes: 4 * weight, ..Limits::default() };
    for limits in [by_events, by_bytes] {
        let mut bench = Bench::with_limits(limits);
        let flood = bench.flood(TENANT, 5);
        let other = bench.flood(OTHER, 1);
        assert_eq!(bench.answer_to(flood[4]), Some(Err(Code::Overloaded)));
        bench.commit();
        let accepted = bench.answers_to(&flood[..4]);
        assert_eq!(accepted, [1, 2, 3, 4].map(|n| Some(Ok(n))));
        assert_eq!(bench.answer_to(other[0]), Some(Ok(1)));
        assert!(bench.flood(TENANT, 4).iter().all(|ticket| bench.answer_to(*ticket).is_none()));
    }
}

#[test]
fn a_node_that_is_full_says_so_but_to_a_tenant_that_has_too_much_itself() {
    let mut bench = Bench::with_limits(Limits { tenant_uncommitted: 3, ..Limits::default() });
    let flood = bench.flood(TENANT, 3);
    bench.room = Room::Full;
    let [more, other] = [TENANT, OTHER].map(|tenant| bench.flood(tenant, 1)[0]);
    assert_eq!(bench.answer_to(more), Some(Err(Code::Overloaded)));
    assert_eq!(bench.answer_to(other), Some(Err(Code::NodeOverloaded)));
    bench.room = Room::Free;
    let again = bench.flood(OTHER, 1);
    bench.commit();
    assert_eq!(bench.answers_to(&flood), [1, 2, 3].map(|n| Some(Ok(n))));
    assert_eq!(bench.answer_to(again[0]), Some(Ok(1)), "what was refused took no number");
}

#[test]
fn the_bound_of_a_tenant_holds_while_a_commit_is_under_way() {
    let limits = Limits { tenant_uncommitted: 4, tenant_commit_events: 2, ..Limits::default() };
    let mut bench = Bench::with_limits(limits);
    bench.flood(TENANT, 4);
    let first = bench.shard.take_batch().expect("a batch");
    let more = bench.flood(TENANT, 3);
    let expected = [None, None, Some(Err(Code::Overloaded))];
    assert_eq!(bench.answers_to(&more), expected, "two are being written, four may wait");
    bench.finish(&first);
}

#[test]
fn equal_ids_in_line_are_one_event() {
    let limits = Limits { tenant_commit_events: 1, ..Limits::default() };
    let mut bench = Bench::with_limits(limits);
    let first = bench.publish();
    let twins = [bench.publish_as(Some("order-1")), bench.publish_as(Some("order-1"))];
    bench.commit();
    assert_eq!(bench.answer_to(first), Some(Ok(1)));
    assert_eq!(bench.answer_to(twins[0]), Some(Ok(2)));
    assert!(matches!(bench.reply_to(twins[1]), Some(Reply::Known(_))));
}

#[test]
fn a_shard_that_is_given_up_answers_those_in_line_too() {
    let limits = Limits { tenant_commit_events: 1, ..Limits::default() };
    let mut bench = Bench::with_limits(limits);
    bench.flood(TENANT, 3);
    let refused = bench.shard.abandon();
    let codes = refused.iter().map(|(_, reply)| match reply {
        Reply::Refused(refusal) => refusal.code,
        other => panic!("{other:?}"),
    });
    assert_eq!(codes.collect::<Vec<_>>(), [Code::Unavailable; 3]);
}

/// Twenty a second, four at once.
fn slow() -> Limits {
    Limits { tenant_commit_rate: 20, tenant_commit_events: 4, ..Limits::default() }
}

/// How many of the tenant's events a commit takes now.
fn taken(bench: &mut Bench, tenant: TenantNo) -> usize {
    let Some(batch) = bench.shard.take_batch() else {
        return 0;
    };
    bench.finish(&batch);
    of(&batch, tenant)
}

#[test]
fn beside_others_a_tenant_goes_at_its_rate_and_the_shard_wakes_for_it() {
    let mut bench = Bench::with_limits(slow());
    bench.publishers.note(OTHER, bench.now);
    let flood = bench.flood(TENANT, 9);
    let mut sizes = vec![taken(&mut bench, TENANT), taken(&mut bench, TENANT)];
    for waited in [100, 100, 100] {
        bench.publishers.note(OTHER, bench.now);
        assert_eq!(bench.shard.wake_at(), Some(bench.now + Duration::from_millis(waited)));
        bench.now = bench.now + Duration::from_millis(waited);
        bench.publishers.note(OTHER, bench.now);
        let now = bench.now;
        bench.act(|shard, fx| shard.tick(now, fx));
        sizes.push(taken(&mut bench, TENANT));
        if sizes.iter().sum::<usize>() == 8 {
            break;
        }
    }
    assert_eq!(sizes, [4, 0, 2, 2]);
    assert_eq!(bench.answers_to(&flood)[..8], (1..=8).map(|n| Some(Ok(n))).collect::<Vec<_>>());
    assert_eq!(taken(&mut bench, OTHER), 0);
    let other = bench.flood(OTHER, 1);
    assert_eq!(taken(&mut bench, OTHER), 1, "another's turn is at once");
    assert_eq!(bench.answers_to(&other), [Some(Ok(1))]);
}

#[test]
fn a_tenant_alone_has_every_commit_and_so_it_has_again_when_the_others_have_gone() {
    let mut bench = Bench::with_limits(slow());
    bench.flood(TENANT, 8);
    assert_eq!([4, 4, 0].map(|_| taken(&mut bench, TENANT)), [4, 4, 0]);
    bench.publishers.note(OTHER, bench.now);
    bench.flood(TENANT, 8);
    assert_eq!(taken(&mut bench, TENANT), 0, "what it had alone is counted");
    bench.now = bench.now + Duration::from_secs(1);
    let now = bench.now;
    bench.act(|shard, fx| shard.tick(now, fx));
    assert_eq!([4, 4, 0].map(|_| taken(&mut bench, TENANT)), [4, 4, 0]);
}

#[test]
fn a_rate_of_0_is_any_rate() {
    let mut bench = Bench::with_limits(Limits { tenant_commit_rate: 0, ..slow() });
    bench.publishers.note(OTHER, bench.now);
    bench.flood(TENANT, 8);
    assert_eq!([4, 4].map(|_| taken(&mut bench, TENANT)), [4, 4]);
}
