//! How orders reach the writer: by a queue and a thread that serves it, or in the caller.

use super::Mode;
use super::readers::lock;
use super::writer::{Work, Writer};
use crate::error::{StoreError, StoreResult};
use std::sync::{Arc, Mutex};
use std::{io, thread};
use tokio::sync::{mpsc, oneshot};

/// Orders that wait for the writer; more make their callers wait before they are handed in.
const QUEUE: usize = 4_096;

/// What is handed to the writer.
pub(super) enum Order {
    /// To be written with everything else that waits.
    Together(Box<dyn Work>),
    /// To be written in a transaction of its own, after that.
    Alone(Box<dyn Work>),
    /// What was deleted for good is to leave the log too, where that takes no waiting.
    Scrub(oneshot::Sender<()>),
    /// The last one.
    Close(oneshot::Sender<()>),
}

/// The way to the writer.
pub(super) enum Orders {
    Queue(Mutex<Option<mpsc::Sender<Order>>>),
    InPlace(Arc<Mutex<Writer>>),
}

impl Orders {
    /// Opens it; starts the writer's thread if there is to be one.
    pub(super) fn open(writer: Arc<Mutex<Writer>>, mode: Mode) -> io::Result<Self> {
        if mode == Mode::InPlace {
            return Ok(Self::InPlace(writer));
        }
        let (queue, mut waiting) = mpsc::channel(QUEUE);
        let serve = move || {
            while let Some(first) = waiting.blocking_recv() {
                let mut orders = vec![first];
                while let Ok(order) = waiting.try_recv() {
                    orders.push(order);
                }
                carry_out(&mut lock(&writer), orders);
            }
        };
        thread::Builder::new().name("store-writer".into()).spawn(serve)?;
        Ok(Self::Queue(Mutex::new(Some(queue))))
    }

    /// Hands an order in; its own answer says what became of it.
    pub(super) async fn hand_in(&self, order: Order) -> StoreResult<()> {
        let closed = || StoreError::NotCommitted("the store is closed".into());
        match self {
            Self::Queue(queue) => {
                let queue = lock(queue).clone().ok_or_else(closed)?;
                queue.send(order).await.map_err(|_| closed())
            }
            Self::InPlace(writer) => {
                carry_out(&mut lock(writer), vec![order]);
                Ok(())
            }
        }
    }

    /// Lets what was deleted for good leave the log too, unless somebody reads it.
    pub(super) async fn scrub(&self) -> StoreResult<()> {
        let (end, ended) = oneshot::channel();
        self.hand_in(Order::Scrub(end)).await?;
        // The sender is dropped when it is over: the error is the news.
        drop(ended.await);
        Ok(())
    }

    /// Lets the writer end; what comes later is refused.
    pub(super) async fn close(&self) {
        let (end, ended) = oneshot::channel();
        if self.hand_in(Order::Close(end)).await.is_ok() {
            // The sender is dropped when the files are closed: the error is the news.
            drop(ended.await);
        }
        if let Self::Queue(queue) = self {
            drop(lock(queue).take());
        }
    }
}

/// One group commit, then what wants a transaction of its own.
fn carry_out(writer: &mut Writer, orders: Vec<Order>) {
    let (mut together, mut alone, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    let mut scrubs = Vec::new();
    for order in orders {
        match order {
            Order::Together(work) => together.push(work),
            Order::Alone(work) => alone.push(work),
            Order::Scrub(end) => scrubs.push(end),
            Order::Close(end) => ends.push(end),
        }
    }
    if !together.is_empty() {
        writer.run(together);
    }
    for work in alone {
        writer.run(vec![work]);
    }
    if !scrubs.is_empty() {
        writer.scrub();
    }
    if !ends.is_empty() {
        writer.close();
    }
    // The senders are dropped here: whoever waits for the end learns of it.
}
