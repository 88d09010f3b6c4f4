//! A name server of a few lines: answers as it is told, with a time to live of zero.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;
const HEADER: usize = 12;

pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    pub(crate) answers: Answers,
}

/// What each name leads to: one answer after the other, then from the beginning.
#[derive(Clone, Default)]
pub(crate) struct Answers(Arc<Mutex<HashMap<String, Turns>>>);

#[derive(Default)]
struct Turns {
    answers: Vec<Vec<IpAddr>>,
    asked: usize,
}

impl Answers {
    pub(crate) fn always(&self, name: &str, addresses: &[&str]) {
        self.in_turn(name, &[addresses]);
    }

    pub(crate) fn in_turn(&self, name: &str, answers: &[&[&str]]) {
        let parse = |addresses: &&[&str]| {
            let parse = |address: &&str| address.parse().expect("an address");
            addresses.iter().map(parse).collect()
        };
        let answers = answers.iter().map(parse).collect();
        let turns = Turns { answers, asked: 0 };
        self.0.lock().expect("no panic").insert(name.into(), turns);
    }

    /// The addresses for one question; the turn moves with the questions for IPv4 addresses.
    fn next(&self, name: &str, kind: u16) -> Option<Vec<IpAddr>> {
        let mut names = self.0.lock().expect("no panic");
        let turns = names.get_mut(name)?;
        let addresses = turns.answers[turns.asked % turns.answers.len()].clone();
        turns.asked += usize::from(kind == TYPE_A);
        let fits = |address: &IpAddr| address.is_ipv4() == (kind == TYPE_A);
        Some(addresses.into_iter().filter(fits).collect())
    }
}

pub(crate) fn start_name_server() -> NameServer {
    #[expect(clippy::disallowed_methods, reason = "this is a name server")]
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
    let address = socket.local_addr().expect("bound");
    let answers = Answers::default();
    let known = answers.clone();
    std::thread::spawn(move || {
        let mut buffer = [0; 1500];
        loop {
            let (length, peer) = socket.recv_from(&mut buffer).expect("a question");
            let reply = reply(&buffer[..length], &known);
            socket.send_to(&reply, peer).expect("an answer");
        }
    });
    NameServer { address, answers }
}

fn reply(query: &[u8], answers: &Answers) -> Vec<u8> {
    let (name, after_name) = read_name(query);
    let kind = u16::from_be_bytes([query[after_name], query[after_name + 1]]);
    let found = match kind {
        TYPE_A | TYPE_AAAA => answers.next(&name, kind),
        _ => None,
    };
    let code = if found.is_some() { 0 } else { 3 };
    let addresses = found.unwrap_or_default();
    let mut reply = query[..2].to_vec();
    reply.extend([0x81, 0x80 | code, 0, 1, 0, u8::try_from(addresses.len()).expect("few")]);
    reply.extend([0; 4]);
    reply.extend(&query[HEADER..after_name + 4]);
    for address in addresses {
        let bytes = match address {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        // The question's name, its type, class IN, a time to live of zero.
        reply.extend([0xc0, 12]);
        reply.extend(kind.to_be_bytes());
        reply.extend([0, 1, 0, 0, 0, 0, 0, u8::try_from(bytes.len()).expect("short")]);
        reply.extend(bytes);
    }
    reply
}

fn read_name(query: &[u8]) -> (String, usize) {
    let (mut labels, mut at) = (Vec::new(), HEADER);
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..end]).to_lowercase());
        at = end;
    }
    (labels.join("."), at + 1)
}
