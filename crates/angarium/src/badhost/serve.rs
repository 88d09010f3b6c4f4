//! The listeners: two that are shared, one for each case that needs its own, and the name server.

use super::authority::Authority;
use super::case::{Case, Identity, Place, Socket};
use super::cases;
use super::dns::NameServer;
use super::play::{End, LONGEST, Next, Stage};
use super::report::{Addresses, Form, Visit};
use super::request::Intake;
use super::script::{Portion, Step, answer};
use super::wire::{Line, Meter, Wire};
use anyhow::Context;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// Most connections at once; more wait to be accepted.
const MOST_CONNECTIONS: usize = 4_096;
/// Connections that the system queues for a listener.
const BACKLOG: u32 = 1_024;
/// What the system may hold of our words before the sender reads them: with little, what was
/// written tells what was read.
const SEND_BUFFER: u32 = 64 * 1024;
/// Linux makes the smallest it can of it.
const NARROW_BUFFER: u32 = 1;
/// Connections that fill a queue of one: the system grants one or two more.
const FILLERS: usize = 4;
/// How long a filler waits to be queued.
const FILL_TIME: Duration = Duration::from_millis(200);

/// What all listeners share.
struct House {
    cases: Vec<Case>,
    permits: Arc<Semaphore>,
    form: Form,
}

/// Which cases are behind a listener.
#[derive(Clone)]
enum Door {
    /// All that have a path.
    Paths(Option<TlsAcceptor>),
    /// One.
    Own(usize, Option<TlsAcceptor>),
}

/// Everything that runs; it ends when this is dropped.
pub(super) struct Serving {
    pub(super) addresses: Addresses,
    tasks: JoinSet<()>,
    /// Sockets that are there in order not to be served.
    closed: Vec<TcpSocket>,
    full: Vec<(TcpListener, Vec<TcpStream>)>,
}

impl Serving {
    /// Opens every port.
    ///
    /// # Errors
    /// One is taken, or no certificate can be made.
    pub(super) async fn start(
        planned: Addresses,
        cases: Vec<Case>,
        authority: &Authority,
        form: Form,
    ) -> anyhow::Result<Self> {
        let permits = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let house = Arc::new(House { cases, permits, form });
        let mut serving = Self {
            addresses: planned.clone(),
            tasks: JoinSet::new(),
            closed: Vec::new(),
            full: Vec::new(),
        };
        let sound = authority.acceptor(Identity::Sound)?;
        let shared = listen(planned.http, Socket::Open)?;
        serving.addresses.http = serving.open(shared, Door::Paths(None), &house)?;
        let shared = listen(planned.https, Socket::Open)?;
        serving.addresses.https = serving.open(shared, Door::Paths(Some(sound)), &house)?;
        serving.names(planned.names).await?;
        for (place, case) in house.cases.iter().enumerate() {
            let Some(address) = planned.own[place] else { continue };
            let bound = match case.place {
                Place::Port(Socket::Refusing) => serving.refuse(address)?,
                Place::Port(Socket::Full) => serving.fill(address).await?,
                Place::Port(socket) => {
                    serving.open(listen(address, socket)?, Door::Own(place, None), &house)?
                }
                Place::TlsPort(identity) => {
                    let door = Door::Own(place, Some(authority.acceptor(identity)?));
                    serving.open(listen(address, Socket::Open)?, door, &house)?
                }
                Place::Path | Place::Statuses | Place::Name => continue,
            };
            serving.addresses.own[place] = Some(bound);
        }
        Ok(serving)
    }

    fn open(
        &mut self,
        listener: TcpListener,
        door: Door,
        house: &Arc<House>,
    ) -> anyhow::Result<SocketAddr> {
        let address = listener.local_addr()?;
        self.tasks.spawn(receive(listener, door, Arc::clone(house)));
        Ok(address)
    }

    async fn names(&mut self, address: SocketAddr) -> anyhow::Result<()> {
        let listener = listen(address, Socket::Open)?;
        let address = listener.local_addr()?;
        #[expect(clippy::disallowed_methods, reason = "this is a name server")]
        let socket = UdpSocket::bind(address).await;
        let socket = socket.with_context(|| format!("UDP port {address} cannot be opened"))?;
        let server = Arc::new(NameServer::default());
        let over_tcp = Arc::clone(&server);
        self.tasks.spawn(async move { server.serve_udp(socket).await });
        self.tasks.spawn(async move { over_tcp.serve_tcp(listener).await });
        self.addresses.names = address;
        Ok(())
    }

    /// A port that is taken, and at which nobody listens.
    fn refuse(&mut self, address: SocketAddr) -> anyhow::Result<SocketAddr> {
        let socket = bind(address, Socket::Refusing)?;
        let address = socket.local_addr()?;
        self.closed.push(socket);
        Ok(address)
    }

    /// A port whose queue is full of connections of our own.
    async fn fill(&mut self, address: SocketAddr) -> anyhow::Result<SocketAddr> {
        let listener = bind(address, Socket::Full)?.listen(1)?;
        let address = listener.local_addr()?;
        let mut fillers = Vec::new();
        for _ in 0..FILLERS {
            #[expect(clippy::disallowed_methods, reason = "to a port of our own, to fill it")]
            let filler = TcpStream::connect(address);
            match timeout(FILL_TIME, filler).await {
                Ok(Ok(filler)) => fillers.push(filler),
                Ok(Err(_)) | Err(_) => break,
            }
        }
        self.full.push((listener, fillers));
        Ok(address)
    }
}

fn bind(address: SocketAddr, socket: Socket) -> anyhow::Result<TcpSocket> {
    let opened = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    opened.set_reuseaddr(true)?;
    opened.set_send_buffer_size(SEND_BUFFER)?;
    if socket == Socket::Narrow {
        opened.set_recv_buffer_size(NARROW_BUFFER)?;
    }
    opened.bind(address).with_context(|| format!("port {address} cannot be opened"))?;
    Ok(opened)
}

fn listen(address: SocketAddr, socket: Socket) -> anyhow::Result<TcpListener> {
    let listener = bind(address, socket)?.listen(BACKLOG);
    listener.with_context(|| format!("port {address} cannot be opened"))
}

async fn receive(listener: TcpListener, door: Door, house: Arc<House>) {
    let mut callers = JoinSet::new();
    loop {
        let Ok(permit) = Arc::clone(&house.permits).acquire_owned().await else { return };
        let Ok((stream, peer)) = listener.accept().await else { continue };
        while callers.try_join_next().is_some() {}
        let (door, house) = (door.clone(), Arc::clone(&house));
        callers.spawn(async move {
            house.entertain(stream, peer, door).await;
            drop(permit);
        });
    }
}

/// What is known of a caller so far.
#[derive(Debug, Default)]
struct Known {
    place: Option<usize>,
    requests: u64,
}

impl House {
    async fn entertain(&self, stream: TcpStream, peer: SocketAddr, door: Door) {
        let begun = Instant::now();
        let meter = Arc::new(Meter::default());
        let wire = Wire::new(stream, Arc::clone(&meter));
        let mut known = Known::default();
        let visit = async {
            match door {
                Door::Paths(None) => self.by_path(wire, &meter, &mut known).await,
                Door::Paths(Some(tls)) => match tls.accept(wire).await {
                    Ok(stream) => self.by_path(stream, &meter, &mut known).await,
                    Err(_) => End::NoHandshake,
                },
                Door::Own(place, tls) => {
                    known.place = Some(place);
                    match tls {
                        None => self.at_port(wire, &meter, place).await,
                        Some(tls) => match tls.accept(wire).await {
                            Ok(stream) => self.at_port(stream, &meter, place).await,
                            Err(_) => End::NoHandshake,
                        },
                    }
                }
            }
        };
        let end = timeout(LONGEST, visit).await.unwrap_or(End::TimeUp);
        let case = known.place.map(|place| &self.cases[place]);
        let visit = Visit {
            case: case.map(|case| case.name.clone()),
            stage: case.map(|case| case.stage),
            peer,
            requests: known.requests,
            read: meter.read(),
            written: meter.written(),
            held: begun.elapsed(),
            end,
        };
        visit.print(self.form);
    }

    async fn at_port(&self, stream: impl Line, meter: &Meter, place: usize) -> End {
        let mut stage = Stage { stream, intake: Intake::default(), meter };
        match stage.play(&self.cases[place].script).await {
            Ok(Next::Close | Next::Request) => stage.close().await,
            Ok(Next::Drop) => End::Over,
            Err(end) => end,
        }
    }

    async fn by_path(&self, stream: impl Line, meter: &Meter, known: &mut Known) -> End {
        let mut stage = Stage { stream, intake: Intake::default(), meter };
        loop {
            let path = match stage.read(Portion::Request).await {
                Ok(path) => path.unwrap_or_default(),
                Err(_) if known.requests > 0 => return End::LeftBySender,
                Err(end) => return end,
            };
            known.requests += 1;
            let (place, script) = self.script(&path);
            known.place = place;
            match stage.play(&script).await {
                Ok(Next::Request) => {}
                Ok(Next::Close) => return stage.close().await,
                Ok(Next::Drop) => return End::Over,
                Err(end) => return end,
            }
        }
    }

    /// The case below a path, and what it does.
    fn script(&self, path: &str) -> (Option<usize>, Vec<Step>) {
        let path = path.trim_start_matches('/');
        let of_place = |wanted| self.cases.iter().position(|case| case.place == wanted);
        if let Some(status) = path.strip_prefix("status/").and_then(|text| text.parse().ok())
            && let 200..600 = status
        {
            return (of_place(Place::Statuses), cases::answer_with(status));
        }
        let named = |case: &Case| case.place == Place::Path && *case.name == *path;
        match self.cases.iter().position(named) {
            Some(place) => (Some(place), self.cases[place].script.clone()),
            None => (None, vec![answer(404, "")]),
        }
    }
}
