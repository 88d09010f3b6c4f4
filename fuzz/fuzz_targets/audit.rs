//! An export of the audit log that somebody handed in: it is judged without panic, and only lines
//! that follow from the one before are believed.
#![no_main]

use angarium_core::audit::Chain;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for mut chain in [Chain::of_whole(vec![]), Chain::of_part(vec![])] {
        let mut last = None;
        for line in text.lines() {
            let Ok(link) = chain.follow(line) else { break };
            if let Some(before) = last.replace(link.no) {
                assert_eq!(link.no, before.next(), "numbers have no gap");
            }
        }
        let _ = chain.end();
    }
});
