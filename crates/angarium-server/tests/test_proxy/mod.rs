//! Proxies of a few lines, by CONNECT and by SOCKS5, that remember what they were asked for and
//! lead every name to 127.0.0.1.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// How a proxy is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Connect,
    Socks5,
}

/// The name that goes with a password.
pub(crate) const USERNAME: &str = "angarium";

/// A listening proxy, which serves for as long as the process lives.
pub(crate) struct Proxy {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// One that wants this password, or none.
    pub(crate) fn start(kind: Kind, password: Option<&'static str>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let record = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let record = Arc::clone(&record);
                std::thread::spawn(move || {
                    // Whoever breaks off gets no tunnel, which is all there is to say.
                    let _ = serve(stream, kind, password, &record);
                });
            }
        });
        let scheme = if kind == Kind::Connect { "http" } else { "socks5" };
        Self { url: format!("{scheme}://{address}"), asked }
    }

    /// What it was asked for, `host:port`, in order; they are forgotten.
    pub(crate) fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().expect("no panic"))
    }
}

fn serve(
    mut stream: TcpStream,
    kind: Kind,
    password: Option<&str>,
    asked: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let wanted = match kind {
        Kind::Connect => of_connect(&mut stream, password)?,
        Kind::Socks5 => of_socks5(&mut stream, password)?,
    };
    let Some((host, port)) = wanted else { return Ok(()) };
    asked.lock().expect("no panic").push(format!("{host}:{port}"));
    let host = host.trim_matches(['[', ']']);
    let address = host.parse().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let receiver = connect(SocketAddr::new(address, port));
    let opened = receiver.is_ok();
    let answer: &[u8] = match (kind, opened) {
        (Kind::Connect, true) => b"HTTP/1.1 200 Connection established\r\nvia: test\r\n\r\n",
        (Kind::Connect, false) => b"HTTP/1.1 502 No\r\ncontent-length: 5\r\n\r\nno!!!",
        (Kind::Socks5, true) => &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0],
        (Kind::Socks5, false) => &[5, 5, 0, 1, 0, 0, 0, 0, 0, 0],
    };
    stream.write_all(answer)?;
    join(stream, receiver?)
}

fn of_connect(stream: &mut TcpStream, password: Option<&str>) -> io::Result<Option<(String, u16)>> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut first, mut is_known) = (String::new(), password.is_none());
    reader.read_line(&mut first)?;
    let wanted = password.map(|password| base64(&format!("{USERNAME}:{password}")));
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        let given = line.strip_prefix("Proxy-Authorization: Basic ").map(str::trim_end);
        is_known |= given.is_some() && given == wanted.as_deref();
    }
    if !is_known {
        stream.write_all(b"HTTP/1.1 407 Who?\r\ncontent-length: 6\r\n\r\nsecret")?;
        return Ok(None);
    }
    let target = first.split(' ').nth(1).unwrap_or_default();
    Ok(target.rsplit_once(':').and_then(|(host, port)| Some((host.into(), port.parse().ok()?))))
}

fn of_socks5(stream: &mut TcpStream, password: Option<&str>) -> io::Result<Option<(String, u16)>> {
    let methods = read_short(stream, 1)?;
    let method = if password.is_some() { 2 } else { 0 };
    if !methods.contains(&method) {
        stream.write_all(&[5, 0xff])?;
        return Ok(None);
    }
    stream.write_all(&[5, method])?;
    if let Some(password) = password {
        let is_known = read_short(stream, 1)? == USERNAME.as_bytes()
            && read_short(stream, 0)? == password.as_bytes();
        stream.write_all(&[1, u8::from(!is_known)])?;
        if !is_known {
            return Ok(None);
        }
    }
    let [_, _, _, kind] = read_bytes(stream)?;
    let host = match kind {
        1 => Ipv4Addr::from(read_bytes::<4>(stream)?).to_string(),
        4 => format!("[{}]", Ipv6Addr::from(read_bytes::<16>(stream)?)),
        _ => String::from_utf8_lossy(&read_short(stream, 0)?).into_owned(),
    };
    Ok(Some((host, u16::from_be_bytes(read_bytes(stream)?))))
}

fn read_bytes<const N: usize>(stream: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).map(|()| bytes)
}

/// Skips so many bytes, then reads a text behind its length.
fn read_short(stream: &mut TcpStream, skipped: usize) -> io::Result<Vec<u8>> {
    stream.read_exact(&mut vec![0; skipped])?;
    let [length] = read_bytes(stream)?;
    let mut text = vec![0; length.into()];
    stream.read_exact(&mut text).map(|()| text)
}

#[expect(clippy::disallowed_methods, reason = "this is a proxy, not the product")]
fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    TcpStream::connect(address)
}

fn join(mut one: TcpStream, mut other: TcpStream) -> io::Result<()> {
    let (mut from_other, mut to_one) = (other.try_clone()?, one.try_clone()?);
    let back = std::thread::spawn(move || {
        let copied = io::copy(&mut from_other, &mut to_one).map(drop);
        to_one.shutdown(Shutdown::Both).and(copied)
    });
    let copied = io::copy(&mut one, &mut other).map(drop);
    // Its peer may be gone already.
    let _ = other.shutdown(Shutdown::Both);
    back.join().expect("no panic").and(copied)
}

/// Standard base64, of which these tests' proxies need no more than this.
fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for three in text.as_bytes().chunks(3) {
        let byte = |place: usize| u32::from(three.get(place).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let digit = usize::try_from(bits >> (18 - 6 * place) & 63).expect("six bits");
            let is_there = place <= three.len();
            encoded.push(if is_there { char::from(DIGITS[digit]) } else { '=' });
        }
    }
    encoded
}
