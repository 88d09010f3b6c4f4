//! Turns a panic of a future into a value, so that one bad call cannot end a connection or a
//! process (reliability-security.md, R36).

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// What a future panicked with.
pub(crate) type Panic = Box<dyn Any + Send>;

/// Runs a future; a panic inside it is an error here. The future is not polled again after one.
///
/// # Errors
/// What it panicked with.
pub(crate) async fn caught<F: Future>(future: F) -> Result<F::Output, Panic> {
    let mut future = pin!(future);
    poll_fn(|context| {
        let polled = AssertUnwindSafe(|| future.as_mut().poll(context));
        match catch_unwind(polled) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_an_error_and_an_output_stays_what_it_is() {
        assert_eq!(caught(async { 7 }).await.ok(), Some(7));
        let broken = caught(async {
            tokio::task::yield_now().await;
            panic!("on purpose");
        });
        let panic: Panic = broken.await.expect_err("a panic");
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"on purpose"));
    }
}
