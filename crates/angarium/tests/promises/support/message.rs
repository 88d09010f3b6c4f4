//! HTTP/1.1 as both sides of the tests read it: a first line, headers, a body of known length or in
//! chunks.

use std::io::{self, BufRead, Read};

/// A request or an answer, whole.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// `POST /hook HTTP/1.1` or `HTTP/1.1 200 OK`.
    pub(crate) first_line: String,
    /// Names in lower case, in the order of arrival.
    pub(crate) headers: Vec<(String, String)>,
    /// The bytes after the head.
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// The value of the first header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Reads one message; none at the end of the stream.
    pub(crate) fn read(stream: &mut impl BufRead) -> io::Result<Option<Self>> {
        let Some(first_line) = line(stream)? else {
            return Ok(None);
        };
        let mut headers = Vec::new();
        while let Some(text) = line(stream)?.filter(|text| !text.is_empty()) {
            let (name, value) = text.split_once(':').ok_or_else(|| malformed(&text))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut message = Self { first_line, headers, body: Vec::new() };
        message.body = message.read_body(stream)?;
        Ok(Some(message))
    }

    fn read_body(&self, stream: &mut impl BufRead) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        if self.header("transfer-encoding") == Some("chunked") {
            loop {
                let size = line(stream)?.unwrap_or_default();
                let size = usize::from_str_radix(size.trim(), 16).map_err(|_| malformed(&size))?;
                let start = body.len();
                body.resize(start + size, 0);
                stream.read_exact(&mut body[start..])?;
                line(stream)?;
                if size == 0 {
                    return Ok(body);
                }
            }
        }
        let length = self.header("content-length").unwrap_or("0");
        let length: u64 = length.parse().map_err(|_| malformed(length))?;
        stream.take(length).read_to_end(&mut body)?;
        match body.len() as u64 == length {
            true => Ok(body),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

fn line(stream: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut text = String::new();
    let read = stream.read_line(&mut text)?;
    Ok((read > 0).then(|| text.trim_end().to_owned()))
}

fn malformed(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not HTTP: {text}"))
}
