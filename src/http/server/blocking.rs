//! Runs long work on a few blocking threads, so that the runtime keeps answering SMTP, DNS and other requests.

use std::sync::Arc;

use axum::http::StatusCode;
use tokio::sync::Semaphore;

use crate::http::server::problem::Problem;

/// Runs a bounded number of tasks at a time on blocking threads; further tasks wait.
#[derive(Clone, Debug)]
pub(crate) struct Blocking {
    turns: Arc<Semaphore>,
}

impl Default for Blocking {
    /// Half of the processors; the other half is for the runtime's threads.
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self::new((processors / 2).max(1))
    }
}

impl Blocking {
    /// At most `threads` tasks at a time.
    fn new(threads: usize) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(threads)),
        }
    }

    /// Runs work and returns its result. Work that has begun runs to its end and keeps its permit, even if its request
    /// is dropped.
    ///
    /// # Errors
    /// 500 if the work panicked.
    pub(crate) async fn run<R: Send + 'static>(
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

    /// Two tasks run at a time; a task of a dropped request keeps its permit until it ends.
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
        assert!(panicked.is_err(), "a panic is reported");
        assert_eq!(
            blocking.run(|| 5).await.expect("no panic"),
            5,
            "and its permit is free again"
        );
    }
}
