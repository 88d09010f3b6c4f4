//! Acts a script out on one connection, within bounds of time and bytes.

use super::request::Intake;
use super::script::{Portion, Step};
use super::wire::{Line, Meter};
use bytes::Bytes;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

/// Longest time that a connection is held.
pub(super) const LONGEST: Duration = Duration::from_secs(120);
/// Most bytes that one connection is sent; who takes more than this has no limit of its own.
pub(super) const MOST_BYTES: u64 = 256 * 1024 * 1024;
/// How long a close of ours waits for the sender's, so that it reads what was said.
const FAREWELL: Duration = Duration::from_secs(1);

/// How often it is looked whether a sender that is not read from is still there.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The script was over.
    Over,
    /// The script ended it with RST.
    Reset,
    /// The sender closed it.
    LeftBySender,
    /// The sender broke it off.
    BrokenBySender,
    /// The sender did not finish its request.
    RequestUnfinished,
    /// There was no handshake.
    NoHandshake,
    /// The sender was still there after [`LONGEST`].
    TimeUp,
    /// The sender had taken [`MOST_BYTES`].
    BytesUp,
}

impl End {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            End::Over => "closed by us",
            End::Reset => "reset by us",
            End::LeftBySender => "closed by the sender",
            End::BrokenBySender => "broken off by the sender",
            End::RequestUnfinished => "left by the sender before its request was whole",
            End::NoHandshake => "no TLS handshake",
            End::TimeUp => "held to our limit of time",
            End::BytesUp => "read to our limit of bytes",
        }
    }
}

/// What a script leads to when nobody ends the connection before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The connection is to be closed.
    Close,
    /// The connection is to be dropped as it is.
    Drop,
    /// Another request may come.
    Request,
}

/// One caller's connection, while a script is played on it.
pub(super) struct Stage<'a, S> {
    pub(super) stream: S,
    pub(super) intake: Intake,
    pub(super) meter: &'a Meter,
}

impl<S: Line> Stage<'_, S> {
    /// Plays the steps in turn.
    ///
    /// # Errors
    /// The connection ended before the script did.
    pub(super) async fn play(&mut self, script: &[Step]) -> Result<Next, End> {
        for step in script {
            match step {
                Step::Read(portion) => self.read(*portion).await.map(drop)?,
                Step::Say(bytes) => self.say(bytes).await?,
                Step::Flood(unit) => loop {
                    self.say(unit).await?;
                },
                Step::Drip(unit, every) => loop {
                    self.pause(*every).await?;
                    self.say(unit).await?;
                },
                Step::Pause(span) => self.pause(*span).await?,
                Step::Hold => self.pause(LONGEST).await?,
                Step::Ignore => self.ignore().await?,
                Step::HalfClose => self.stream.shutdown().await.map_err(broken)?,
                Step::Reset => {
                    self.meter.reset_at_end();
                    return Err(End::Reset);
                }
                Step::Drop => return Ok(Next::Drop),
                Step::Again => return Ok(Next::Request),
            }
        }
        Ok(Next::Close)
    }

    /// Reads a portion; the path, where it has one.
    ///
    /// # Errors
    /// The connection ended before the portion did.
    pub(super) async fn read(&mut self, portion: Portion) -> Result<Option<String>, End> {
        let read = self.intake.read(&mut self.stream, portion).await;
        read.map_err(|_| End::RequestUnfinished)
    }

    /// Closes the connection and waits a moment for the sender to do the same: a close over
    /// unread bytes would become a reset, and take away what was said.
    pub(super) async fn close(&mut self) -> End {
        if self.stream.shutdown().await.is_err() {
            return End::BrokenBySender;
        }
        self.pause(FAREWELL).await.err();
        End::Over
    }

    async fn say(&mut self, bytes: &Bytes) -> Result<(), End> {
        if self.meter.written() >= MOST_BYTES {
            return Err(End::BytesUp);
        }
        self.stream.write_all(bytes).await.map_err(broken)?;
        self.stream.flush().await.map_err(broken)
    }

    /// Reads nothing until the sender has left.
    async fn ignore(&self) -> Result<(), End> {
        while !self.stream.is_left() {
            sleep(LOOK_EVERY).await;
        }
        Err(End::LeftBySender)
    }

    /// Reads and drops what comes, for a while.
    async fn pause(&mut self, span: Duration) -> Result<(), End> {
        let mut dropped = [0; 16 * 1024];
        let drain = async {
            loop {
                match self.stream.read(&mut dropped).await {
                    Ok(0) => return End::LeftBySender,
                    Ok(_) => {}
                    Err(error) => return broken(error),
                }
            }
        };
        match timeout(span, drain).await {
            Ok(end) => Err(end),
            Err(_elapsed) => Ok(()),
        }
    }
}

fn broken(_: io::Error) -> End {
    End::BrokenBySender
}
