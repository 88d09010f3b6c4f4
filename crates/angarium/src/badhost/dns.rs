//! A name server (RFC 1035) that knows the cases' names and answers them as badly as they ask for.
//! UDP and TCP, one port.

use super::cases::answers_for;
use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::{Duration, timeout};

/// Below this name every case has its own.
pub(super) const ZONE: &str = "badhost.test";
/// Longest question.
const QUESTION_BYTES: usize = 512;
/// Longest time that one question over TCP may take.
const QUESTION_TIME: Duration = Duration::from_secs(10);

/// The code of a name that does not exist.
pub(super) const NO_SUCH_NAME: u8 = 3;
const ADDRESS_V4: u16 = 1;
const ALIAS: u16 = 5;
const ADDRESS_V6: u16 = 28;

/// What is said of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// Nothing.
    Silence,
    /// A code of failure.
    Code(u8),
    /// These, as far as they are of the kind that was asked for.
    Records(Vec<Record>),
    /// That the answer is too long for UDP; and over TCP nothing.
    Truncated,
    /// An answer to another question.
    OtherId,
    /// No answer of the protocol.
    Garbage,
}

/// A record, without the name it belongs to: that of the question. Its time to live is 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    /// Below the zone.
    Alias(String),
}

/// How a question came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    Udp,
    Tcp,
}

/// How often each name was asked for, by kind.
#[derive(Debug, Default)]
pub(super) struct NameServer(Mutex<HashMap<(String, u16), u64>>);

impl NameServer {
    pub(super) async fn serve_udp(&self, socket: UdpSocket) {
        let mut question = [0; QUESTION_BYTES];
        while let Ok((length, peer)) = socket.recv_from(&mut question).await {
            if let Some(answer) = self.answer(&question[..length], Over::Udp) {
                // Who has gone away wants no answer.
                socket.send_to(&answer, peer).await.ok();
            }
        }
    }

    /// One question at a time: this is no name server to lean on.
    pub(super) async fn serve_tcp(&self, listener: TcpListener) {
        while let Ok((mut stream, _)) = listener.accept().await {
            timeout(QUESTION_TIME, self.converse(&mut stream)).await.ok();
        }
    }

    async fn converse(&self, stream: &mut TcpStream) -> Option<()> {
        let length = usize::from(stream.read_u16().await.ok()?);
        let mut question = [0; QUESTION_BYTES];
        let question = question.get_mut(..length)?;
        stream.read_exact(question).await.ok()?;
        let answer = self.answer(question, Over::Tcp)?;
        stream.write_u16(u16::try_from(answer.len()).ok()?).await.ok()?;
        stream.write_all(&answer).await.ok()
    }

    fn answer(&self, question: &[u8], over: Over) -> Option<Vec<u8>> {
        let question = Question::read(question)?;
        let asked = self.count(&question);
        question.answer(answers_for(&question.case, asked), over)
    }

    /// How often this was asked before. A name or kind that is no case's is not remembered:
    /// outsiders choose it.
    fn count(&self, question: &Question) -> u64 {
        let is_known = matches!(question.kind, ADDRESS_V4 | ADDRESS_V6)
            && answers_for(&question.case, 0) != Reply::Code(NO_SUCH_NAME);
        if !is_known {
            return 0;
        }
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry((question.case.clone(), question.kind)).or_default();
        *count += 1;
        *count - 1
    }
}

/// What was asked.
struct Question {
    id: [u8; 2],
    /// Name, kind and class as they came.
    section: Vec<u8>,
    /// The last label before the zone.
    case: String,
    kind: u16,
}

impl Question {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_at_checked(12)?;
        let mut labels = Vec::new();
        let mut at = 0;
        loop {
            let length = usize::from(*rest.get(at)?);
            at += 1;
            match length {
                0 => break,
                1..=63 => labels.push(String::from_utf8_lossy(rest.get(at..at + length)?)),
                _ => return None,
            }
            at += length;
        }
        let kind = u16::from_be_bytes(rest.get(at..at + 2)?.try_into().ok()?);
        let in_zone = ZONE.split('.').count();
        let case = labels.len().checked_sub(in_zone + 1).map(|place| &labels[place]);
        Some(Self {
            id: [head[0], head[1]],
            section: rest.get(..at + 4)?.to_vec(),
            case: case.map(|label| label.to_ascii_lowercase()).unwrap_or_default(),
            kind,
        })
    }

    fn answer(&self, reply: Reply, over: Over) -> Option<Vec<u8>> {
        const TRUNCATED: u8 = 2;
        let [high, low] = self.id;
        match reply {
            Reply::Silence => None,
            Reply::Garbage => Some(vec![high, low, 0xff]),
            Reply::OtherId => Some(self.message([!high, low], 0, 0, &[])),
            Reply::Code(code) => Some(self.message(self.id, 0, code, &[])),
            Reply::Truncated if over == Over::Tcp => None,
            Reply::Truncated => Some(self.message(self.id, TRUNCATED, 0, &[])),
            Reply::Records(records) => {
                let records: Vec<_> = records.iter().filter_map(|r| self.record(r)).collect();
                match over == Over::Udp && records.concat().len() > QUESTION_BYTES {
                    true => Some(self.message(self.id, TRUNCATED, 0, &[])),
                    false => Some(self.message(self.id, 0, 0, &records)),
                }
            }
        }
    }

    fn message(&self, id: [u8; 2], flags: u8, code: u8, records: &[Vec<u8>]) -> Vec<u8> {
        const ANSWER: u8 = 0x84;
        let [high, low] = u16::try_from(records.len()).unwrap_or(u16::MAX).to_be_bytes();
        let mut bytes = vec![id[0], id[1], ANSWER | flags, code, 0, 1, high, low, 0, 0, 0, 0];
        bytes.extend(&self.section);
        bytes.extend(records.iter().flatten());
        bytes
    }

    /// A record of the kind that was asked for; an alias answers every kind.
    fn record(&self, record: &Record) -> Option<Vec<u8>> {
        let (kind, data) = match record {
            Record::V4(address) => (ADDRESS_V4, address.octets().to_vec()),
            Record::V6(address) => (ADDRESS_V6, address.octets().to_vec()),
            Record::Alias(name) => (ALIAS, labels(&format!("{name}.{ZONE}"))),
        };
        // The name is a reference to the question's; class IN, time to live 0.
        let mut bytes = vec![0xc0, 12, 0, u8::try_from(kind).ok()?, 0, 1, 0, 0, 0, 0];
        bytes.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
        bytes.extend(data);
        (kind == self.kind || kind == ALIAS).then_some(bytes)
    }
}

/// A name as labels with their lengths.
fn labels(name: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(name.len() + 2);
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap_or_default());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(case: &str, kind: u16) -> Vec<u8> {
        let mut question = vec![1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        question.extend(labels(&format!("{case}.{ZONE}")));
        question.extend([0, u8::try_from(kind).expect("small"), 0, 1]);
        question
    }

    #[test]
    fn a_name_is_answered_as_its_case_wants_it() {
        let server = NameServer::default();
        let answer = |case, kind| server.answer(&ask(case, kind), Over::Udp);
        let metadata = answer("dns-metadata", ADDRESS_V4).expect("an answer");
        assert_eq!((metadata[3], metadata[7]), (0, 1));
        assert!(metadata.ends_with(&[0, 4, 169, 254, 169, 254]));
        assert_eq!(answer("dns-metadata", ADDRESS_V6).map(|bytes| bytes[7]), Some(0));
        assert_eq!(answer("dns-none", ADDRESS_V4).map(|bytes| bytes[3]), Some(3));
        assert_eq!(answer("dns-silent", ADDRESS_V4), None);
        assert_eq!(answer("dns-many", ADDRESS_V4).map(|bytes| bytes[2] & 2), Some(2));
        let whole = server.answer(&ask("dns-many", ADDRESS_V4), Over::Tcp).expect("an answer");
        assert_eq!(whole[6..8], [1, 244]);
    }

    #[test]
    fn rebinding_changes_with_every_question() {
        let server = NameServer::default();
        let next = || server.answer(&ask("dns-rebinding", ADDRESS_V4), Over::Udp);
        let ends = [next(), next(), next()].map(|answer| answer.and_then(|a| a.last().copied()));
        assert_eq!(ends, [Some(1), Some(254), Some(1)]);
    }

    #[test]
    fn no_question_is_too_bad_to_be_dropped() {
        for question in [&[][..], &[0; 12], &[0xff; 40], &ask("x", 1)[..20]] {
            assert_eq!(NameServer::default().answer(question, Over::Udp), None);
        }
    }
}
