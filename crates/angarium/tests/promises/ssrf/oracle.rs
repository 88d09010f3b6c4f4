//! Who dialled what: listeners on every address of the namespace, and its name server.

use super::table::registered;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};

/// 80 and 443 for what a parser might fall back to, and free ones.
const PORTS: [u16; 4] = [80, 443, 8443, 9999];
/// What every name leads to.
const ANSWER: Ipv4Addr = Ipv4Addr::new(10, 9, 8, 7);

/// A public address whose receiver proves itself, so that there is something to change.
pub(super) const VALIDATING: &str = "http://192.0.66.1:9443/";

/// Which addresses were dialled.
#[derive(Clone, Default)]
pub(super) struct Oracle(Arc<Mutex<Vec<IpAddr>>>);

impl Oracle {
    /// Listens on every address.
    pub(super) fn listen() -> Self {
        let oracle = Self::default();
        for port in PORTS {
            // On Linux this one takes IPv4 as well.
            let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).expect("a free port");
            let oracle = oracle.clone();
            std::thread::spawn(move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    let dialled = stream.local_addr().expect("connected").ip().to_canonical();
                    oracle.0.lock().expect("no panic").push(dialled);
                }
            });
        }
        oracle
    }

    /// The addresses that nobody should have dialled.
    pub(super) fn forbidden(&self) -> Vec<IpAddr> {
        let dialled = self.0.lock().expect("no panic");
        dialled.iter().copied().filter(|address| is_forbidden(*address)).collect()
    }

    /// How often others were dialled.
    pub(super) fn open(&self) -> usize {
        let dialled = self.0.lock().expect("no panic");
        dialled.iter().filter(|address| !is_forbidden(**address)).count()
    }

    pub(super) fn forget(&self) {
        self.0.lock().expect("no panic").clear();
    }
}

/// Answers validation, and nothing else, at [`VALIDATING`].
pub(super) fn prove_itself() {
    const KEY: &str = "x-anduin-webhook-validation-key: ";
    let listener = TcpListener::bind("192.0.66.1:9443").expect("every address is ours");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap_or_default();
            let request = String::from_utf8_lossy(&request[..read]);
            let key = request.lines().find(|line| line.starts_with(KEY));
            let (status, key) = key.map_or((500, String::new()), |key| (200, format!("{key}\r\n")));
            let answer = format!("HTTP/1.1 {status} X\r\n{key}content-length: 0\r\n\r\n");
            // Whoever is gone needs no answer.
            let _ = stream.write_all(answer.as_bytes());
        }
    });
}

/// By the registries, not by the product's table; beside them stands a cloud's host channel, and
/// what of IPv6 is not global unicast. Behind the well-known prefix of NAT64 is an IPv4 address.
pub(super) fn is_forbidden(address: IpAddr) -> bool {
    let is_unicast = match address {
        IpAddr::V4(_) => true,
        IpAddr::V6(address) => match address.segments() {
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
                let inner = u32::from(high) << 16 | u32::from(low);
                return is_forbidden(Ipv4Addr::from_bits(inner).into());
            }
            [first, ..] => first >> 13 == 1,
        },
    };
    let azure = IpAddr::from([168, 63, 129, 16]);
    !is_unicast || address == azure || registered().any(|range| range.contains(&address))
}

/// Answers every question for an IPv4 address with the same one, at the address of each name server
/// that this machine uses.
pub(super) fn serve_names() {
    let configured = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let servers = configured.lines().filter_map(|line| line.strip_prefix("nameserver "));
    for server in servers {
        #[expect(clippy::disallowed_methods, reason = "this is a name server")]
        let socket = UdpSocket::bind((server.trim(), 53)).expect("every address is ours");
        std::thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut question) {
                let _ = socket.send_to(&answer_to(&question[..length], ANSWER), from);
            }
        });
    }
}

/// The question with one A record behind it; none where something else was asked.
fn answer_to(question: &[u8], address: Ipv4Addr) -> Vec<u8> {
    let name_end = question[12..].iter().position(|byte| *byte == 0).map_or(12, |end| 12 + end);
    let end = (name_end + 5).min(question.len());
    let wants_a = question.get(name_end + 1..name_end + 3) == Some(&[0, 1]);
    let mut reply = question[..end].to_vec();
    reply[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, u8::from(wants_a), 0, 0, 0, 0]);
    if wants_a {
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        reply.extend(address.octets());
    }
    reply
}
