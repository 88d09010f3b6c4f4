//! What a proxy says, to CONNECT and in SOCKS5, and how an environment's egress is written down.
#![no_main]

use angarium_core::egress::connect::{self, Answer};
use angarium_core::egress::{EgressSettings, WrittenProxy, WrittenSettings, socks5};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|said: &[u8]| {
    if let Ok(Answer::Open(used)) = connect::read(said) {
        assert!(said[..used].ends_with(b"\r\n\r\n"), "a tunnel begins behind a head");
    }
    if let Some(start) = said.first_chunk() {
        let rest = socks5::rest_of_reply(*start);
        assert!(rest.is_err() || start[..3] == [5, 0, 0], "only success is followed");
    }
    if let Ok(settings) = EgressSettings::from_sealed_form(said) {
        let form = settings.to_sealed_form();
        assert_eq!(EgressSettings::from_sealed_form(&form), Ok(settings));
    }
    let url = String::from_utf8_lossy(said).into_owned();
    let proxy = WrittenProxy { url, ..WrittenProxy::default() };
    let written = WrittenSettings { proxy: Some(proxy), ..WrittenSettings::default() };
    if let Ok(settings) = EgressSettings::try_new(written) {
        let url = settings.proxy.expect("it was written down").url();
        let proxy = WrittenProxy { url, ..WrittenProxy::default() };
        let again = WrittenSettings { proxy: Some(proxy), ..WrittenSettings::default() };
        EgressSettings::try_new(again).expect("a proxy's URL reads back");
    }
});
