//! Stopping in the middle: the places where a future waits are the places where a process can die,
//! be overtaken or be interrupted.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// Runs `future` until it is done, or until it waits for the `n`-th time (counting from 1, in this
/// call). None says that it waits: it can be dropped, which is how a process dies, or run on,
/// after whatever is to happen in between.
pub async fn until_nth_wait<F: Future>(mut future: Pin<&mut F>, n: usize) -> Option<F::Output> {
    let mut waits = 0;
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => {
            waits += 1;
            if waits >= n {
                Poll::Ready(None)
            } else {
                Poll::Pending
            }
        }
    })
    .await
}
