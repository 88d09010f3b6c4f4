//! An endpoint's URL: what is accepted is canonical, names no address of this machine or a private
//! network, and reads back as itself.
#![no_main]

use angarium_core::address::{AddressPolicy, is_localhost};
use angarium_core::destination::{Destination, Host, is_open_port};
use angarium_core::limits::Limits;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static LIMITS: LazyLock<Limits> = LazyLock::new(Limits::default);
static CLOSED: LazyLock<AddressPolicy> = LazyLock::new(AddressPolicy::default);

fuzz_target!(|text: &str| {
    let Ok(destination) = Destination::parse(text, &LIMITS) else { return };
    let shown = destination.to_string();
    let again = Destination::parse(&shown, &LIMITS).expect("what is shown reads back");
    assert_eq!(again.to_string(), shown);
    assert!(shown.starts_with(destination.origin()));
    assert!(shown.bytes().all(|byte| byte.is_ascii_graphic()), "{shown:?}");
    assert!(is_open_port(destination.port));
    assert!(!shown[destination.origin().len()..].contains(['#', '\\']), "{shown:?}");
    if CLOSED.judge_host(&destination.host).is_ok() {
        match &destination.host {
            Host::Name(name) => assert!(!is_localhost(name), "{name}"),
            Host::Address(address) => {
                CLOSED.judge(*address).expect("a literal address is judged as one looked up");
            }
        }
    }
});
