//! Events for endpoints that are named, and endpoints that one maker may have made.

use super::*;
use crate::id::ApiKeyId;

#[test]
fn an_event_for_named_endpoints_goes_to_these_alone_whatever_they_ask_for() {
    let mut bench = Bench::new();
    let nothing = Subscription::try_new(&["other".into()], None, vec![], &bench.limits);
    let nothing = nothing.expect("a subscription");
    bench.add(|_| {});
    let named = bench.add(|config| config.subscription = nothing.clone());
    bench.add(|_| {});
    let ticket = bench.publish_for(None, Audience::Only(vec![named, named]));
    bench.commit();
    let accepted = bench.reply_to(ticket).expect("an answer");
    assert!(matches!(accepted, Reply::Accepted { endpoints: 1, .. }), "{accepted:?}");
    let sent: Vec<_> = bench.drain().into_iter().map(|key| key.endpoint).collect();
    assert_eq!(sent, [named]);
}

#[test]
fn an_event_for_an_endpoint_that_the_tenant_has_not_is_refused_and_nothing_is_accepted() {
    let mut bench = Bench::new();
    let mine = bench.add(|_| {});
    let deleted = bench.add(|_| {});
    let foreign = bench.add(|config| config.tenant = TenantNo::new(2));
    let (ticket, now) = (bench.ticket(), bench.now);
    bench
        .act(|shard, fx| shard.delete_endpoint(ticket, TENANT, deleted, Trace::default(), now, fx));
    for other in [deleted, foreign, EndpointNo::new(99)] {
        let ticket = bench.publish_for(Some("own"), Audience::Only(vec![mine, other]));
        let refused = bench.reply_to(ticket).expect("an answer");
        let not_found =
            |reply: &Reply| matches!(reply, Reply::Refused(no) if no.code == Code::NotFound);
        assert!(not_found(refused), "{other}: {refused:?}");
    }
    bench.commit();
    assert!(bench.events.is_empty() && bench.attempts.is_empty());
    let ticket = bench.publish_for(Some("own"), Audience::Only(vec![mine]));
    bench.commit();
    assert!(matches!(bench.reply_to(ticket), Some(Reply::Accepted { .. })), "the id is free");
}

#[test]
fn a_maker_has_at_most_so_many_endpoints_of_a_contract_however_the_commits_fall() {
    let maker = |byte| Some(ApiKeyId::from_bytes([byte; 16]));
    let mut bench = Bench::new();
    let create = |bench: &mut Bench, made_by, contract: &str| {
        let endpoint = bench.endpoint(|config| {
            config.made_by = made_by;
            config.contract = contract.into();
        });
        let ticket = bench.ticket();
        bench.act(|shard, fx| {
            shard.create_endpoint(ticket, endpoint, Some(3), Trace::default(), fx)
        });
        ticket
    };
    create(&mut bench, maker(1), "anduin-legacy");
    bench.commit();
    create(&mut bench, maker(1), "anduin-legacy");
    let committing = bench.shard.take_batch().expect("the second");
    create(&mut bench, maker(1), "anduin-legacy");
    let fourth = create(&mut bench, maker(1), "anduin-legacy");
    let refused = bench.reply_to(fourth).expect("an answer at once");
    let Reply::Refused(refusal) = refused else { panic!("{refused:?}") };
    assert_eq!(refusal.code, Code::TooManyEndpoints);
    assert!(refusal.message.contains('3'), "{refusal}");
    let others = create(&mut bench, maker(2), "anduin-legacy");
    bench.finish(&committing);
    bench.commit();
    let fifth = create(&mut bench, maker(1), "anduin-legacy");
    assert!(matches!(bench.reply_to(fifth), Some(Reply::Refused(_))));
    assert!(matches!(bench.reply_to(others), Some(Reply::EndpointMade(_))));

    let (ticket, now) = (bench.ticket(), bench.now);
    let first = EndpointNo::new(1);
    bench.act(|shard, fx| shard.delete_endpoint(ticket, TENANT, first, Trace::default(), now, fx));
    let sixth = create(&mut bench, maker(1), "anduin-legacy");
    bench.commit();
    assert!(matches!(bench.reply_to(sixth), Some(Reply::EndpointMade(_))));
}
