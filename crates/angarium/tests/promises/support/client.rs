//! A client of the native API: blocking, without retries, so that a test sees what it did.

use super::message::Message;
use serde_json::Value;
use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Who calls: where, with which key, for which environment.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    pub(crate) address: String,
    /// Header lines that every call carries.
    pub(crate) headers: Vec<(String, String)>,
}

/// What the server answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) message: Message,
}

impl Answer {
    /// The answer, if it has this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.message.first_line, self.body);
        self.body
    }

    /// The stable code of a refusal.
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// The field at fault.
    pub(crate) fn field(&self) -> Option<&str> {
        self.body["field"].as_str()
    }
}

impl Api {
    pub(crate) fn new(address: &str, key: &str) -> Self {
        let headers = vec![("authorization".to_owned(), format!("Bearer {key}"))];
        Self { address: address.to_owned(), headers }
    }

    /// The same caller with one more header.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut api = self.clone();
        api.headers.push((name.to_owned(), value.to_owned()));
        api
    }

    /// The same caller without a header.
    pub(crate) fn without(&self, name: &str) -> Self {
        let mut api = self.clone();
        api.headers.retain(|(known, _)| known != name);
        api
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None)
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, None)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, Some(body.to_string().as_bytes()))
    }

    /// As [`Api::post`]; an error means that it is not known whether the server did it.
    pub(crate) fn try_post(&self, path: &str, body: &Value) -> io::Result<Answer> {
        let mut connection = Connection::open(&self.address)?;
        connection.exchange(self, "POST", path, Some(body.to_string().as_bytes()))
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Answer {
        self.call("PUT", path, Some(body.to_string().as_bytes()))
    }

    pub(crate) fn patch(&self, path: &str, body: &Value) -> Answer {
        self.call("PATCH", path, Some(body.to_string().as_bytes()))
    }

    /// One call on a connection of its own.
    #[track_caller]
    pub(crate) fn call(&self, method: &str, path: &str, body: Option<&[u8]>) -> Answer {
        let answer = Connection::open(&self.address)
            .and_then(|mut connection| connection.exchange(self, method, path, body));
        answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Every item of a list, page by page.
    pub(crate) fn list(&self, path: &str) -> Vec<Value> {
        let sign = if path.contains('?') { '&' } else { '?' };
        let (mut items, mut cursor) = (Vec::new(), String::new());
        for _ in 0..100_000 {
            let page = self.get(&format!("{path}{sign}limit=250{cursor}")).expect(200);
            items.extend(page["data"].as_array().expect("a list").iter().cloned());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
        panic!("{path} never ends");
    }
}

/// A connection that is kept open between calls.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    #[expect(clippy::disallowed_methods, reason = "the test is a client, not the product")]
    pub(crate) fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// The connection itself, for what no client would send.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.0.into_inner()
    }

    /// One call; an error means that it is not known whether the server did it.
    pub(crate) fn exchange(
        &mut self,
        api: &Api,
        method: &str,
        path: &str,
        body: Option<&[u8]>,
    ) -> io::Result<Answer> {
        let mut request = format!("{method} {path} HTTP/1.1\r\n");
        if !api.headers.iter().any(|(name, _)| name == "host") {
            request.push_str(&format!("host: {}\r\n", api.address));
        }
        for (name, value) in &api.headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = body {
            if !api.headers.iter().any(|(name, _)| name == "content-type") {
                request.push_str("content-type: application/json\r\n");
            }
            request.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        let bytes = [request.as_bytes(), body.unwrap_or_default()].concat();
        // A server that refuses a long body may answer before it has read it.
        let written = self.0.get_mut().write_all(&bytes);
        let Some(message) = Message::read(&mut self.0)? else {
            written?;
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        let status = message.first_line.split(' ').nth(1).and_then(|text| text.parse().ok());
        Ok(Answer {
            status: status.ok_or(io::ErrorKind::InvalidData)?,
            body: serde_json::from_slice(&message.body).unwrap_or_default(),
            message,
        })
    }
}
