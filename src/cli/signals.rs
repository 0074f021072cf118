//! Requests to stop: signals on Unix, events of the console on Windows.

#[cfg(unix)]
pub(super) use of_unix::Signals;
#[cfg(windows)]
pub(super) use of_windows::Signals;

#[cfg(unix)]
mod of_unix {
    use tokio::signal::unix::{Signal, SignalKind, signal};

    use crate::error::Error;

    /// SIGTERM and SIGINT. Created before the ready line is printed: a signal before the handlers exist would end the
    /// process at once, without replies to its clients.
    pub(in crate::cli) struct Signals {
        terminate: Signal,
        interrupt: Signal,
    }

    impl Signals {
        pub(in crate::cli) fn listen() -> Result<Self, Error> {
            let listen = |kind| signal(kind).map_err(|e| Error::io("cannot wait for signals", e));
            Ok(Self {
                terminate: listen(SignalKind::terminate())?,
                interrupt: listen(SignalKind::interrupt())?,
            })
        }

        /// Waits for one of the signals.
        pub(in crate::cli) async fn received(&mut self) {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
            }
        }
    }
}

#[cfg(windows)]
mod of_windows {
    use tokio::signal::windows::{CtrlBreak, CtrlC, CtrlClose, ctrl_break, ctrl_c, ctrl_close};

    use crate::error::Error;

    /// Ctrl-C, Ctrl-Break, and the end of the console. Created before the ready line is printed, as on Unix.
    pub(in crate::cli) struct Signals {
        interrupt: CtrlC,
        terminate: CtrlBreak,
        close: CtrlClose,
    }

    impl Signals {
        pub(in crate::cli) fn listen() -> Result<Self, Error> {
            let failed = |e| Error::io("cannot wait for events of the console", e);
            Ok(Self {
                interrupt: ctrl_c().map_err(failed)?,
                terminate: ctrl_break().map_err(failed)?,
                close: ctrl_close().map_err(failed)?,
            })
        }

        /// Waits for one of the events.
        pub(in crate::cli) async fn received(&mut self) {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
                _ = self.close.recv() => {}
            }
        }
    }
}
