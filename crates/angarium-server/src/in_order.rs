//! Runs futures side by side that are started one after the other: the events of a batch share a
//! group commit and still stand in their order.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// Waits for all futures. Each is polled first in its turn, so what it sends at once it sends
/// before the next one does.
pub(crate) async fn in_order<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<Running<F>> = futures.map(|f| Running::Waits(Box::pin(f))).collect();
    poll_fn(|context| {
        let mut open = false;
        for slot in &mut running {
            if let Running::Waits(future) = slot {
                match future.as_mut().poll(context) {
                    Poll::Ready(output) => *slot = Running::Done(output),
                    Poll::Pending => open = true,
                }
            }
        }
        if open { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    let outputs = running.into_iter().filter_map(|slot| match slot {
        Running::Done(output) => Some(output),
        Running::Waits(_) => None,
    });
    outputs.collect()
}

enum Running<F: Future> {
    Waits(Pin<Box<F>>),
    Done(F::Output),
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[tokio::test]
    async fn futures_start_in_order_and_answer_in_order_however_they_end() {
        let started = Mutex::new(Vec::new());
        let tasks = (0..5u8).map(|i| {
            let started = &started;
            async move {
                started.lock().expect("not poisoned").push(i);
                for _ in i..5 {
                    tokio::task::yield_now().await;
                }
                i
            }
        });
        assert_eq!(in_order(tasks).await, [0, 1, 2, 3, 4]);
        assert_eq!(*started.lock().expect("not poisoned"), [0, 1, 2, 3, 4]);
    }
}
