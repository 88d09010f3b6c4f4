//! Turns a panic of a future into a value, so that one bad call cannot end a connection or a
//! process (reliability-security.md, R36).

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

/// What a future panicked with.
pub(crate) type Panic = Box<dyn Any + Send>;

/// Runs a future that is pinned where it was made, because each async function that takes one by
/// value makes it twice as large. A panic inside it is an error here; it is not polled again then.
///
/// # Errors
/// What it panicked with.
pub(crate) async fn caught<F: Future + Unpin>(mut future: F) -> Result<F::Output, Panic> {
    poll_fn(|context| {
        let polled = AssertUnwindSafe(|| Pin::new(&mut future).poll(context));
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
    use std::pin::pin;

    #[tokio::test]
    async fn a_panic_becomes_an_error_and_an_output_stays_what_it_is() {
        assert_eq!(caught(pin!(async { 7 })).await.ok(), Some(7));
        let broken = pin!(async {
            tokio::task::yield_now().await;
            panic!("on purpose");
        });
        let panic: Panic = caught(broken).await.expect_err("a panic");
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"on purpose"));
    }
}
