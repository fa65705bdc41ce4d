//! How long a connection has said nothing, and when that is too long.
//!
//! A server's usual single time for a request's head also runs between two requests: short, it cuts what browsers and proxies keep open for
//! their next request; long, it keeps places for those who never say anything. Here they are two.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, sleep_until},
};

/// How long a connection may say nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For a request's head, from its first byte; for the first head, from the connection's beginning.
    pub head: Duration,
    /// From the last bytes of an answer that were taken to the next request's first byte.
    pub idle: Duration,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// A head is awaited or begun, since then.
    Head(Instant),
    /// A request is worked on.
    Work { has_body: bool },
    /// An answer is being sent, or was; its last bytes were taken then.
    Answered(Instant),
}

/// What one connection is doing. Its own task changes it; whoever needs a place looks at it.
#[derive(Debug)]
pub struct Pulse(Mutex<State>);

#[derive(Debug)]
struct State {
    phase: Phase,
    /// The last four bytes that were heard.
    heard: [u8; 4],
}

/// A head's end.
const END: [u8; 4] = *b"\r\n\r\n";

impl Pulse {
    /// Of a connection that was opened just now.
    pub fn new() -> Self {
        Self(Mutex::new(State { phase: Phase::Head(Instant::now()), heard: [0; 4] }))
    }

    /// A request's head is whole.
    pub fn works(&self, has_body: bool) {
        self.state().phase = Phase::Work { has_body };
    }

    /// The answer's head is known; its body follows.
    pub fn answers(&self) {
        let mut state = self.state();
        state.phase = match state.phase {
            // The next head came with this one, and is not whole.
            Phase::Work { has_body: false } if state.heard != END => Phase::Head(Instant::now()),
            _ => Phase::Answered(Instant::now()),
        };
    }

    fn heard(&self, bytes: &[u8]) {
        let mut state = self.state();
        for byte in &bytes[bytes.len().saturating_sub(END.len())..] {
            state.heard.rotate_left(1);
            state.heard[3] = *byte;
        }
        if matches!(state.phase, Phase::Answered(_)) {
            state.phase = Phase::Head(Instant::now());
        }
    }

    fn wrote(&self) {
        let mut state = self.state();
        if matches!(state.phase, Phase::Answered(_)) {
            state.phase = Phase::Answered(Instant::now());
        }
    }

    /// `None`: a request is worked on.
    pub fn quiet_since(&self) -> Option<Instant> {
        match self.state().phase {
            Phase::Head(since) | Phase::Answered(since) => Some(since),
            Phase::Work { .. } => None,
        }
    }

    fn ends_at(&self, patience: Patience) -> Option<Instant> {
        match self.state().phase {
            Phase::Head(since) => Some(since + patience.head),
            Phase::Answered(since) => Some(since + patience.idle),
            Phase::Work { .. } => None,
        }
    }

    /// Ends once the connection was quiet for too long. To be polled by the connection's own task, after the connection: what changes the phase
    /// wakes that task.
    pub async fn overdue(&self, patience: Patience) {
        let mut alarm = pin!(sleep_until(Instant::now() + patience.head));
        poll_fn(|cx| {
            loop {
                let Some(end) = self.ends_at(patience) else { return Poll::Pending };
                if end <= Instant::now() {
                    return Poll::Ready(());
                }
                // One that goes off too early is set anew then, which is rarer than requests are.
                if alarm.is_elapsed() || end < alarm.deadline() {
                    alarm.as_mut().reset(end);
                }
                ready!(alarm.as_mut().poll(cx));
            }
        })
        .await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Plain data, whole after each change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream that tells its pulse what passes.
pub struct Listened<S> {
    pub stream: S,
    pub pulse: Arc<Pulse>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Listened<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            this.pulse.heard(&buf.filled()[before..]);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> Listened<S> {
    fn tell(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.pulse.wrote();
        }
        written
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Listened<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.tell(written)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.tell(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
