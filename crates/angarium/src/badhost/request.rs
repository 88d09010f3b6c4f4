//! Reads what a sender writes, as far as a script wants it, and keeps none of it.

use super::script::Portion;
use bytes::{Buf, BytesMut};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest head of a request, and longest line of a chunk.
const HEAD_BYTES: usize = 64 * 1024;
/// What is read at once.
const READ_BYTES: usize = 16 * 1024;
/// What a client of HTTP/2 says first (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What has come and was not used yet.
#[derive(Debug, Default)]
pub(super) struct Intake(BytesMut);

/// How the length of a body is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Known(usize),
    Chunked,
}

impl Intake {
    /// Reads a portion; the path of the request, where the portion has one.
    ///
    /// # Errors
    /// The sender ended first, or it is longer than any sender's.
    pub(super) async fn read(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        portion: Portion,
    ) -> io::Result<Option<String>> {
        match portion {
            Portion::Byte => self.skip(stream, 1).await.map(|()| None),
            Portion::Head => self.head(stream).await.map(|head| path(&head)),
            Portion::Request => self.request(stream).await.map(|head| path(&head)),
            Portion::Http2 => self.http2(stream).await.map(|()| None),
        }
    }

    async fn request(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
        let head = self.head(stream).await?;
        match length(&head) {
            Length::Known(bytes) => self.skip(stream, bytes).await?,
            Length::Chunked => self.chunks(stream).await?,
        }
        Ok(head)
    }

    async fn head(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
        let head = self.until(stream, b"\r\n\r\n").await?;
        Ok(String::from_utf8_lossy(&head).into_owned())
    }

    async fn chunks(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
        loop {
            let line = self.until(stream, b"\r\n").await?;
            let line = String::from_utf8_lossy(&line);
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
            if size == 0 {
                while self.until(stream, b"\r\n").await?.len() > 2 {}
                return Ok(());
            }
            self.skip(stream, size).await?;
            self.skip(stream, 2).await?;
        }
    }

    /// Preface and frames, up to the one that ends a stream.
    async fn http2(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
        self.skip(stream, PREFACE.len()).await?;
        loop {
            self.at_least(stream, 9).await?;
            let head = self.0.split_to(9);
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let is_last = matches!(head[3], 0 | 1) && head[4] & 1 == 1;
            self.skip(stream, length as usize).await?;
            if is_last {
                return Ok(());
            }
        }
    }

    async fn until(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        mark: &[u8],
    ) -> io::Result<BytesMut> {
        loop {
            if let Some(at) = self.0.windows(mark.len()).position(|window| window == mark) {
                return Ok(self.0.split_to(at + mark.len()));
            }
            if self.0.len() > HEAD_BYTES {
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.more(stream).await?;
        }
    }

    async fn skip(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        mut bytes: usize,
    ) -> io::Result<()> {
        loop {
            let here = bytes.min(self.0.len());
            self.0.advance(here);
            bytes -= here;
            if bytes == 0 {
                return Ok(());
            }
            self.more(stream).await?;
        }
    }

    async fn at_least(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        bytes: usize,
    ) -> io::Result<()> {
        while self.0.len() < bytes {
            self.more(stream).await?;
        }
        Ok(())
    }

    async fn more(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
        self.0.reserve(READ_BYTES);
        match stream.read_buf(&mut self.0).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

fn path(head: &str) -> Option<String> {
    let target = head.split(' ').nth(1)?;
    Some(target.split('?').next().unwrap_or_default().to_owned())
}

fn length(head: &str) -> Length {
    let value = |name: &str| {
        head.lines().filter_map(|line| line.split_once(':')).find_map(|(known, value)| {
            known.eq_ignore_ascii_case(name).then(|| value.trim().to_ascii_lowercase())
        })
    };
    if value("transfer-encoding").is_some_and(|coding| coding.ends_with("chunked")) {
        return Length::Chunked;
    }
    Length::Known(value("content-length").and_then(|text| text.parse().ok()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_are_read_to_their_end_and_no_further() {
        let rows: [(&str, &str); 4] = [
            ("GET /a HTTP/1.1\r\nhost: b\r\n\r\nNEXT", "/a"),
            ("POST /a?q=1 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcNEXT", "/a"),
            (
                "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\n\r\nNEXT",
                "/",
            ),
            ("PUT / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nt: x\r\n\r\nNEXT", "/"),
        ];
        for (text, path) in rows {
            let mut intake = Intake::default();
            let read = intake.read(&mut text.as_bytes(), Portion::Request).await;
            assert_eq!(read.expect("a request").as_deref(), Some(path), "{text}");
            assert_eq!(&intake.0[..], b"NEXT", "{text}");
        }
    }

    #[tokio::test]
    async fn a_head_without_end_is_not_read_for_ever() {
        let endless = vec![b'x'; 1024 * 1024];
        let mut intake = Intake::default();
        let read = intake.read(&mut &endless[..], Portion::Request).await;
        assert_eq!(read.map_err(|error| error.kind()), Err(io::ErrorKind::InvalidData));
    }
}
