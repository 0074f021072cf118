//! Work that takes long: on few threads beside the runtime's, so that SMTP, DNS and other requests are answered
//! meanwhile.

use std::sync::Arc;

use axum::http::StatusCode;
use tokio::sync::Semaphore;

use crate::http::server::problem::Problem;

/// Runs work on blocking threads, on a bounded number of them at a time; more work waits its turn.
#[derive(Clone, Debug)]
pub(crate) struct Blocking {
    turns: Arc<Semaphore>,
}

impl Default for Blocking {
    /// Half of the processors: the other half is for the runtime's workers.
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self::new((processors / 2).max(1))
    }
}

impl Blocking {
    /// At most `threads` at a time.
    fn new(threads: usize) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(threads)),
        }
    }

    /// Runs work and returns what came of it. Work that has begun ends, even where nobody waits for it any more; it
    /// holds its turn until then.
    ///
    /// # Errors
    /// 500 where the work panicked.
    pub async fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Problem> {
        let failed = |text: String| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, &text);
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let turn = turn.map_err(|error| failed(error.to_string()))?;
        let working = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(turn);
            result
        });
        working.await.map_err(|error| failed(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    /// Two at a time; those whose request was given up keep their turn until they end.
    #[tokio::test]
    async fn threads_are_bounded() {
        static RUNNING: AtomicUsize = AtomicUsize::new(0);
        static MOST: AtomicUsize = AtomicUsize::new(0);
        let blocking = Blocking::new(2);
        let (release, held) = mpsc::channel::<()>();
        let (started, mut starts) = tokio::sync::mpsc::unbounded_channel();
        let given_up = tokio::spawn({
            let blocking = blocking.clone();
            async move {
                let work = move || {
                    started.send(()).expect("the test listens");
                    held.recv()
                };
                blocking.run(work).await
            }
        });
        starts.recv().await;
        given_up.abort();
        assert_eq!(blocking.turns.available_permits(), 1);
        let jobs: Vec<_> = (0..50)
            .map(|_| {
                let blocking = blocking.clone();
                tokio::spawn(async move {
                    let work = || {
                        MOST.fetch_max(
                            RUNNING.fetch_add(1, Ordering::SeqCst) + 1,
                            Ordering::SeqCst,
                        );
                        RUNNING.fetch_sub(1, Ordering::SeqCst);
                    };
                    blocking.run(work).await
                })
            })
            .collect();
        for job in jobs {
            job.await.expect("a task").expect("no panic");
        }
        assert_eq!(MOST.load(Ordering::SeqCst), 1, "one of two threads is held");
        release.send(()).expect("the work waits");
        let panicked = blocking.run(|| panic!("on purpose")).await;
        assert!(panicked.is_err(), "a panic is told");
        assert_eq!(
            blocking.run(|| 5).await.expect("no panic"),
            5,
            "and its turn is free again"
        );
    }
}
