//! What a seed promises to whoever reads its report.

use angarium_sim::{run, run_twice};

#[test]
fn a_seed_breaks_no_promise_and_runs_the_same_way_each_time() {
    for seed in 1..=3 {
        let report = run_twice(seed, 20).expect("a run");
        assert!(report.violations.is_empty(), "{report:#?}");
        assert!(report.requests > 0, "{report:#?}");
    }
}

#[test]
fn two_seeds_are_two_runs() {
    let trace = |seed| run(seed, 0).expect("a run").trace;
    assert_ne!(trace(1), trace(2));
}
