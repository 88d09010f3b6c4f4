//! Runs futures side by side that are started one after the other: the events of a batch share
//! group commits and still stand in their order.
//!
//! Only those that were woken are polled again, and only some at a time: a batch of a thousand
//! holds its thread no longer than a few single events would.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Futures that are polled before others get the thread.
const AT_ONCE: usize = 16;

/// Waits for all futures. Each is polled first in its turn, so what it sends at once it sends
/// before the next one does.
pub(crate) async fn in_order<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let task = Task::default();
    let mut running: Vec<_> = futures.map(|future| Running::new(future, &task)).collect();
    poll_fn(|context| {
        *lock(&task) = Some(context.waker().clone());
        let mut polled = 0;
        for slot in &mut running {
            if polled == AT_ONCE {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            polled += usize::from(slot.poll());
        }
        let open = running.iter().any(|slot| slot.output.is_none());
        if open { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    running.into_iter().filter_map(|slot| slot.output).collect()
}

/// Who waits for all of them.
type Task = Arc<Mutex<Option<Waker>>>;

fn lock(task: &Task) -> MutexGuard<'_, Option<Waker>> {
    task.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Running<F: Future> {
    future: Pin<Box<F>>,
    output: Option<F::Output>,
    bell: Arc<Bell>,
}

/// Says which future woke the task.
struct Bell {
    rung: AtomicBool,
    task: Task,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        let task = lock(&self.task).clone();
        task.into_iter().for_each(Waker::wake);
    }
}

impl<F: Future> Running<F> {
    fn new(future: F, task: &Task) -> Self {
        let bell = Bell { rung: AtomicBool::new(true), task: Arc::clone(task) };
        Self { future: Box::pin(future), output: None, bell: Arc::new(bell) }
    }

    /// Polls it if it was woken; says whether.
    fn poll(&mut self) -> bool {
        if self.output.is_some() || !self.bell.rung.swap(false, Ordering::Acquire) {
            return false;
        }
        let waker = Waker::from(Arc::clone(&self.bell));
        if let Poll::Ready(output) = self.future.as_mut().poll(&mut Context::from_waker(&waker)) {
            self.output = Some(output);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use tokio::sync::Notify;

    #[tokio::test]
    async fn futures_start_in_order_and_answer_in_order_however_they_end() {
        let started = Mutex::new(Vec::new());
        let tasks = (0..50u8).map(|i| {
            let started = &started;
            async move {
                started.lock().expect("not poisoned").push(i);
                for _ in i..50 {
                    tokio::task::yield_now().await;
                }
                i
            }
        });
        let all: Vec<u8> = (0..50).collect();
        assert_eq!(in_order(tasks).await, all);
        assert_eq!(*started.lock().expect("not poisoned"), all);
    }

    #[tokio::test]
    async fn a_wake_polls_whom_it_is_for_and_no_other() {
        let (polls, bells) = (Cell::new(0), [const { Notify::const_new() }; 8]);
        let ring = async {
            for bell in &bells {
                bell.notify_one();
                tokio::task::yield_now().await;
            }
        };
        let wait = bells.iter().map(|bell| {
            let mut rung = Box::pin(bell.notified());
            let polls = &polls;
            poll_fn(move |context| {
                polls.set(polls.get() + 1);
                rung.as_mut().poll(context)
            })
        });
        tokio::join!(in_order(wait), ring);
        assert_eq!(polls.get(), 2 * bells.len(), "each at the begin and when it was woken");
    }

    #[test]
    fn many_futures_give_the_thread_away_in_between() {
        let mut all = Box::pin(in_order((0..AT_ONCE + 1).map(async |n| n)));
        let mut context = Context::from_waker(Waker::noop());
        assert!(all.as_mut().poll(&mut context).is_pending());
        assert!(all.as_mut().poll(&mut context).is_ready());
    }
}
