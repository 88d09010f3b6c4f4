//! An event goes out again.

use super::*;
use crate::replay::{Past, Replayed, UNNUMBERED, replay};

impl Bench {
    /// Replays to endpoints, each with what is known of the pair.
    fn replay(&mut self, event: EventKey, pairs: &[(EndpointNo, Past)]) -> u32 {
        let (ticket, now) = (self.ticket(), self.now);
        let made = |(no, past): &(EndpointNo, Past)| {
            replay(event, *no, past, Some(EndpointStatus::Active), now).expect("a replay")
        };
        let deliveries: Vec<Replayed> = pairs.iter().map(made).collect();
        let call = Replay { tenant: TENANT, event, deliveries, trace: Trace::default() };
        self.act(|shard, fx| shard.replay(ticket, call, now, fx));
        ticket
    }
}

fn delivered(sequence: u64) -> Past {
    let deliveries = vec![(Generation::default(), DeliveryState::Delivered)];
    Past { sequence: Some(sequence), deliveries }
}

fn generation(key: DeliveryKey) -> u32 {
    key.generation.get()
}

#[test]
fn a_replay_is_sent_to_those_that_matched_and_to_one_that_did_not() {
    let mut bench = Bench::new();
    let first = bench.add(|_| {});
    bench.publish();
    bench.drain();
    let event = bench.last_key;
    let later = bench.add(|_| {});
    let ticket = bench.replay(event, &[(first, delivered(1)), (later, Past::default())]);
    bench.commit();
    assert!(matches!(bench.reply_to(ticket), Some(Reply::Delivery(_))));
    bench.load();
    let started: Vec<_> =
        bench.attempts.iter().map(|s| (s.key.endpoint, generation(s.key), s.sequence)).collect();
    assert_eq!(started, [(first, 1, 1), (later, 1, UNNUMBERED)]);
    assert_eq!(bench.drain().len(), 2);
    assert!(bench.pending.is_empty());
}

#[test]
fn a_replay_makes_all_of_its_deliveries_or_none() {
    let mut bench = Bench::new();
    let (one, two) = (bench.add(|_| {}), bench.add(|_| {}));
    bench.publish();
    bench.drain();
    let event = bench.last_key;
    let first = bench.replay(event, &[(two, delivered(1))]);
    let both = bench.replay(event, &[(one, delivered(1)), (two, delivered(1))]);
    bench.commit();
    assert!(matches!(bench.reply_to(first), Some(Reply::Delivery(_))));
    let Some(Reply::Refused(refusal)) = bench.reply_to(both) else { panic!("refused") };
    assert_eq!(refusal.code, Code::Conflict);
    let sent: Vec<_> = bench.drain().iter().map(|key| key.endpoint).collect();
    assert_eq!(sent, [two]);
}

#[test]
fn a_replay_to_a_paused_endpoint_waits_and_to_one_that_was_switched_off_meanwhile_is_refused() {
    let rows = [(EndpointStatus::Paused, true), (EndpointStatus::Disabled, false)];
    for (status, accepted) in rows {
        let mut bench = Bench::new();
        let no = bench.add(|config| config.status = status);
        let ticket = bench.replay(EventKey::new(1), &[(no, Past::default())]);
        bench.commit();
        let is_done = matches!(bench.reply_to(ticket), Some(Reply::Delivery(_)));
        assert_eq!(is_done, accepted, "{status:?}");
        let dues: Vec<_> = bench.pending.values().map(|row| row.0).collect();
        assert_eq!(dues, if accepted { vec![None] } else { vec![] }, "{status:?}");
        bench.load();
        assert!(bench.attempts.is_empty());
    }
}
