//! A platform with tenants whose receivers know the secret of each endpoint: it is imported, and
//! follows from the endpoint's number, which its path has.

use crate::support::client::{Api, Connection};
use crate::support::eventually;
use crate::support::message::Message;
use crate::support::receiver::{Receiver, Reply};
use crate::support::server::Server;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

pub(super) const TENANTS: u64 = 8;
/// Threads that call at the same time.
const CALLERS: u64 = 3;
const ARRIVAL: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Judge {
    forged: AtomicU64,
    /// Ids of events with the endpoints that they reached, each with a right signature.
    genuine: Mutex<HashSet<(String, u64)>>,
}

/// See the module.
pub(super) struct Platform {
    receiver: Receiver,
    judge: Arc<Judge>,
    /// The number of the next endpoint.
    next: AtomicU64,
}

impl Platform {
    pub(super) fn make(server: &Server) -> Arc<Self> {
        let api = api(server);
        let shop = json!({"slug": "shop", "title": "Shop", "contracts": ["standard"]});
        api.post("/v1/environments", &shop).expect(201);
        for tenant in 0..TENANTS {
            api.put(&format!("/v1/tenants/t{tenant}"), &json!({})).expect(201);
        }
        let judge = Arc::new(Judge::default());
        let judging = Arc::clone(&judge);
        let receiver = Receiver::unrecorded(move |request| {
            judging.judge(request);
            Reply::Status(204)
        });
        let platform = Arc::new(Self { receiver, judge, next: AtomicU64::new(0) });
        platform.make_endpoints(server, TENANTS);
        platform
    }

    pub(super) fn make_endpoints(&self, server: &Server, count: u64) {
        let mut connection = Connection::open(&server.address).expect("a connection");
        for _ in 0..count {
            let (path, body, _) = self.new_endpoint();
            let made = post(&mut connection, &api(server), &path, &body);
            made.expect("an endpoint is made");
        }
    }

    /// The call that makes another endpoint, and its number.
    fn new_endpoint(&self) -> (String, Value, u64) {
        let n = self.next.fetch_add(1, Ordering::SeqCst);
        let body = json!({
            "url": self.receiver.url(&format!("/{n}")),
            "types": [format!("to.{n}")],
            "secret": secret(n),
        });
        (format!("/v1/tenants/t{}/endpoints", n % TENANTS), body, n)
    }

    /// Publishes an event for each endpoint, and waits for all to arrive.
    pub(super) fn deliver_to_all(&self, server: &Server) {
        let mut connection = Connection::open(&server.address).expect("a connection");
        let endpoints = self.next.load(Ordering::SeqCst);
        let publish = |n| publish(&mut connection, &api(server), n).expect("accepted");
        let wanted: Vec<_> = (0..endpoints).map(publish).collect();
        self.wait_for(&wanted);
    }

    fn wait_for(&self, wanted: &[(String, u64)]) {
        eventually("every event has arrived", ARRIVAL, || {
            let genuine = self.judge.genuine.lock().expect("not poisoned");
            wanted.iter().all(|pair| genuine.contains(pair))
        });
    }

    pub(super) fn forged(&self) -> u64 {
        self.judge.forged.load(Ordering::SeqCst)
    }

    pub(super) fn genuine(&self) -> usize {
        self.judge.genuine.lock().expect("not poisoned").len()
    }
}

impl Judge {
    fn judge(&self, request: &Message) {
        let path = request.first_line.split(' ').nth(1).unwrap_or_default();
        let n: u64 = path.trim_start_matches('/').parse().expect("an endpoint's number");
        let header = |name| request.header(name).unwrap_or_default();
        let (id, time) = (header("webhook-id"), header("webhook-timestamp"));
        let signed = [format!("{id}.{time}.").as_bytes(), &request.body].concat();
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret_bytes(n)), &signed);
        let right = format!("v1,{}", STANDARD.encode(tag));
        match header("webhook-signature") == right {
            true => {
                self.genuine.lock().expect("not poisoned").insert((id.to_owned(), n));
            }
            false => {
                self.forged.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
}

fn secret_bytes(n: u64) -> Vec<u8> {
    let seed = format!("the secret of endpoint {n}, made for a test");
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, seed.as_bytes()).as_ref().to_vec()
}

fn secret(n: u64) -> String {
    format!("whsec_{}", STANDARD.encode(secret_bytes(n)))
}

fn api(server: &Server) -> Api {
    server.admin().with("angarium-environment", "shop")
}

fn post(connection: &mut Connection, api: &Api, path: &str, body: &Value) -> Result<Value, String> {
    let answer = connection.exchange(api, "POST", path, Some(body.to_string().as_bytes()));
    match answer {
        Ok(answer) if matches!(answer.status, 200..300) => Ok(answer.body),
        Ok(answer) => Err(format!("POST {path}: {} {}", answer.status, answer.body)),
        Err(error) => Err(format!("POST {path}: {error}")),
    }
}

fn publish(connection: &mut Connection, api: &Api, n: u64) -> Result<(String, u64), String> {
    let tenant = format!("t{}", n % TENANTS);
    let event = json!({"tenant": tenant, "type": format!("to.{n}"), "data": {"n": n}});
    let accepted = post(connection, api, "/v1/events", &event)?;
    Ok((accepted["id"].as_str().unwrap_or_default().to_owned(), n))
}

/// Callers that make endpoints and publish to them and to earlier ones.
pub(super) struct Load {
    platform: Arc<Platform>,
    is_over: Arc<AtomicBool>,
    callers: Vec<JoinHandle<Done>>,
}

/// What the callers did.
#[derive(Default)]
pub(super) struct Done {
    pub(super) calls: u64,
    pub(super) endpoints: u64,
    pub(super) failures: Vec<String>,
    published: Vec<(String, u64)>,
}

impl Load {
    pub(super) fn begin(platform: &Arc<Platform>, server: &Server) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let caller = |_| {
            let (platform, is_over) = (Arc::clone(platform), Arc::clone(&is_over));
            let api = api(server);
            std::thread::spawn(move || call_until(&platform, &api, &is_over))
        };
        let callers = (0..CALLERS).map(caller).collect();
        Self { platform: Arc::clone(platform), is_over, callers }
    }

    /// Ends it, and waits until all that was accepted has arrived.
    pub(super) fn end(self) -> Done {
        self.is_over.store(true, Ordering::SeqCst);
        let mut all = Done::default();
        for caller in self.callers {
            let done = caller.join().expect("it ends");
            all.calls += done.calls;
            all.endpoints += done.endpoints;
            all.failures.extend(done.failures);
            all.published.extend(done.published);
        }
        self.platform.wait_for(&all.published);
        all
    }
}

fn call_until(platform: &Platform, api: &Api, is_over: &AtomicBool) -> Done {
    let mut connection = Connection::open(&api.address).expect("a connection");
    let mut done = Done::default();
    while !is_over.load(Ordering::SeqCst) {
        let (path, body, n) = platform.new_endpoint();
        let keyed = api.with("idempotency-key", &format!("made-{n}"));
        // The second answer is the first one, out of the store.
        let [made, again] = [(); 2].map(|()| post(&mut connection, &keyed, &path, &body));
        done.calls += 2;
        match (made, again) {
            (Ok(made), Ok(again)) if made == again => done.endpoints += 1,
            (Ok(_), Ok(_)) => done.failures.push(format!("{path}: another answer")),
            (made, again) => done.failures.extend(made.err().into_iter().chain(again.err())),
        }
        for to in [n, n / 2, n / 3] {
            done.calls += 1;
            match publish(&mut connection, api, to) {
                Ok(published) => done.published.push(published),
                Err(failure) => done.failures.push(failure),
            }
        }
    }
    done
}
