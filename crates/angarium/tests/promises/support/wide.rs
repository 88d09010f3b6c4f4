//! A receiver for thousands of connections: one thread serves them all, and it can vanish and come
//! back at the same address.

use rustix::process::{Resource, Rlimit, getrlimit, setpriority_process, setrlimit};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;

/// Ports below those from which systems take the near ends of connections, so that a receiver that
/// comes back finds its own free.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
const WAITING_CALLERS: u32 = 4_096;

/// What a receiver does with a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// Answers with this status.
    Status(u16),
    /// Answers with this status after a while.
    After(Duration, u16),
    /// Never answers, and keeps the connection.
    Never,
}

/// A request, whole.
pub(crate) struct Asked<'a> {
    /// Request line and headers.
    head: &'a str,
    /// The bytes after the head.
    pub(crate) body: &'a [u8],
}

impl Asked<'_> {
    /// The path with its query.
    pub(crate) fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }
}

type Script = dyn Fn(&Asked<'_>) -> Answer + Send + Sync;

/// See the module. It vanishes when it is dropped.
pub(crate) struct WideReceiver {
    address: SocketAddr,
    script: Arc<Script>,
    running: Option<Running>,
}

struct Running {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl WideReceiver {
    /// One that listens.
    pub(crate) fn open(script: impl Fn(&Asked<'_>) -> Answer + Send + Sync + 'static) -> Self {
        let mut receiver = Self::absent(script);
        receiver.appear();
        receiver
    }

    /// One that is not there yet: who connects is refused.
    pub(crate) fn absent(script: impl Fn(&Asked<'_>) -> Answer + Send + Sync + 'static) -> Self {
        let is_free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
        let port = std::iter::repeat_with(next_port).find(is_free).expect("some port is free");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Self { address, script: Arc::new(script), running: None }
    }

    /// Listens.
    pub(crate) fn appear(&mut self) {
        raise_file_limit();
        let (stop, stopped) = oneshot::channel();
        let (listens, is_listening) = mpsc::channel();
        let (address, script) = (self.address, Arc::clone(&self.script));
        let serve = move || {
            stand_back();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            // Dropped at the end with all its connections.
            let runtime = runtime.expect("a runtime");
            let listener = {
                let _inside = runtime.enter();
                listen(address).expect("its port is free")
            };
            listens.send(()).expect("somebody waits for it");
            runtime.block_on(async move {
                tokio::select! {
                    () = accept_for_ever(listener, script) => {}
                    _ = stopped => {}
                }
            });
        };
        let thread = std::thread::spawn(serve);
        is_listening.recv().expect("it listens");
        self.running = Some(Running { stop, thread });
    }

    /// Closes the listener and every connection.
    pub(crate) fn vanish(&mut self) {
        if let Some(Running { stop, thread }) = self.running.take() {
            let _ = stop.send(());
            let _ = thread.join();
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for WideReceiver {
    fn drop(&mut self) {
        self.vanish();
    }
}

/// Another port at each call, and others in each process.
fn next_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let size = PORTS.end - PORTS.start;
    let first = u16::try_from(std::process::id() % u32::from(size)).unwrap_or_default();
    PORTS.start + first.wrapping_add(NEXT.fetch_add(1, Ordering::SeqCst)) % size
}

/// It stands for thousands of machines elsewhere: what it does with this one's cores must not be
/// taken for what they cost the gateway, so this thread runs only where nobody else wants to.
fn stand_back() {
    const LEAST: i32 = 19;
    setpriority_process(None, LEAST).expect("anybody may stand back");
}

/// Both ends of thousands of connections need descriptors; the server raises its own limit.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING_CALLERS)
}

async fn accept_for_ever(listener: TcpListener, script: Arc<Script>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let script = Arc::clone(&script);
                tokio::spawn(async move { converse(stream, &*script).await });
            }
            // Out of descriptors, or the caller has gone again.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// One connection, request by request, until either side ends it.
async fn converse(mut stream: TcpStream, script: &Script) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut read = Vec::with_capacity(4_096);
    loop {
        let Some((head, whole)) = measure(&read) else {
            match stream.read_buf(&mut read).await? {
                0 => return Ok(()),
                _ => continue,
            }
        };
        let text = std::str::from_utf8(&read[..head]).map_err(io::Error::other)?;
        let status = match script(&Asked { head: text, body: &read[head..whole] }) {
            Answer::Status(status) => status,
            Answer::After(wait, status) => {
                tokio::time::sleep(wait).await;
                status
            }
            Answer::Never => {
                return tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.map(drop);
            }
        };
        let answer = format!("HTTP/1.1 {status} Scripted\r\ncontent-length: 2\r\n\r\nok");
        stream.write_all(answer.as_bytes()).await?;
        read.drain(..whole);
    }
}

/// The length of the head and of the whole request, once all of it is there.
fn measure(read: &[u8]) -> Option<(usize, usize)> {
    let head = read.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&read[..head]).ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let whole = head + length.unwrap_or_default();
    (read.len() >= whole).then_some((head, whole))
}
