//! Calls of the native API with any body, query and headers, against a real router, runner and
//! store in memory: whatever comes, it is answered and never by a server error, and data that was
//! accepted is kept byte for byte.
#![no_main]

#[allow(dead_code, unreachable_pub, reason = "the tests of the API need all of it")]
#[path = "../../crates/angarium-server/tests/api/stage.rs"]
mod stage;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;
use serde_json::json;
use stage::Stage;
use std::cell::RefCell;
use tokio::runtime::{Builder, Runtime};

/// Calls until everything begins anew, so that memory is bounded and what is full is empty again.
const CALLS: usize = 2_000;
/// What can be called; what is said of the path goes on where it ends.
const PLACES: &[(&str, &str)] = &[
    ("POST", "/v1/events"),
    ("POST", "/v1/events/batch"),
    ("GET", "/v1/events"),
    ("GET", "/v1/events/"),
    ("POST", "/v1/explain"),
    ("GET", "/v1/deliveries"),
    ("GET", "/v1/deliveries/"),
    ("POST", "/v1/environments"),
    ("PATCH", "/v1/environments/prod"),
    ("PUT", "/v1/tenants/"),
    ("PATCH", "/v1/tenants/acme"),
    ("POST", "/v1/tenants/acme/endpoints"),
    ("GET", "/v1/tenants/acme/endpoints"),
    ("PATCH", "/v1/endpoints/"),
    ("POST", "/v1/endpoints/"),
    ("POST", "/v1/tenants/acme/recover"),
    ("POST", "/v1/tenants/acme/sources"),
    ("POST", "/v1/keys"),
    ("GET", "/v1/keys"),
    ("PUT", "/v1/event-types/"),
    ("GET", "/v1/jobs"),
    ("GET", "/v1/audit"),
    ("POST", "/v1/schemes/verify"),
    ("GET", "/"),
    ("POST", "/in/"),
];

#[derive(Arbitrary, Debug)]
enum Said<'a> {
    Call {
        place: u8,
        path: &'a str,
        body: &'a [u8],
        idempotency_key: Option<&'a str>,
        authorization: Option<&'a str>,
    },
    Publish {
        data: &'a str,
        subject: Option<&'a str>,
        key: Option<&'a str>,
        time: Option<&'a str>,
    },
}

struct World {
    runtime: Runtime,
    stage: Stage,
    calls: usize,
}

impl World {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let stage = runtime.block_on(Stage::ready());
        Self { runtime, stage, calls: 0 }
    }
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new());
}

fuzz_target!(|said: Said<'_>| WORLD.with_borrow_mut(|world| {
    if world.calls == CALLS {
        *world = World::new();
    }
    world.calls += 1;
    let World { runtime, stage, .. } = world;
    match said {
        Said::Call { place, path, body, idempotency_key, authorization } => {
            let (method, start) = PLACES[usize::from(place) % PLACES.len()];
            let path = format!("{start}{path}");
            if path.parse::<http::Uri>().is_err() {
                return;
            }
            let mut call = stage.call(method, &path).text(body.to_vec());
            for (name, value) in
                [("idempotency-key", idempotency_key), ("authorization", authorization)]
            {
                if let Some(value) = value.filter(|value| is_header_value(value)) {
                    call = call.header(name, value);
                }
            }
            let answer = runtime.block_on(call.send());
            assert!(answer.status < 500, "{method} {path}: {} {}", answer.status, answer.text);
        }
        Said::Publish { data, subject, key, time } => {
            let members = json!({"subject": subject, "key": key, "time": time});
            let members = members.to_string();
            let body = format!(
                r#"{{"tenant":"acme","type":"a.b","data":{data},{}"#,
                members.trim_start_matches('{')
            );
            let answer = runtime.block_on(stage.post("/v1/events").text(body).send());
            assert!(answer.status < 500, "{}", answer.text);
            if let (202, Ok(data)) = (answer.status, serde_json::from_str::<&RawValue>(data)) {
                let path = format!("/v1/events/{}", answer.json()["id"].as_str().expect("an id"));
                let shown = runtime.block_on(stage.get(&path).send());
                assert!(shown.text.contains(data.get()), "{} in {}", data.get(), shown.text);
            }
        }
    }
}));

fn is_header_value(value: &str) -> bool {
    http::HeaderValue::from_str(value).is_ok()
}
