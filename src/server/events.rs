//! How far a run is, as it happens: `GET /api/runs/<id>/events`, server-sent events (D5).
//!
//! What is sent comes from the ledger, whichever instance works on the run; this process is told of its own runs' news at once, and looks for
//! others' once a second. Every event's `id` is its row's number, so that `Last-Event-ID` goes on where a stream was cut.
//!
//! - `progress`: a step. The same number as the last one's: the same step, in other words.
//! - `again`: the work began again; the steps of before do not count.
//! - `end`: the run has ended, and how. Nothing follows.

use std::{collections::VecDeque, convert::Infallible, time::Duration};

use axum::{
    Extension,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{Stream, stream};
use serde_json::json;
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{Instant, sleep, sleep_until},
};

use super::{
    api::{Key, readable},
    limits::Visitor,
};
use crate::{
    error::{CallError, Code},
    ledger::{BooksError, Heard},
    run::RunState,
    runs::streams::Place,
    session::guard::Refused,
    x402::desk::Desk,
};

/// A client whose stream was cut comes again after so long.
const AGAIN_AFTER: Duration = Duration::from_secs(2);
/// Who is refused for too many streams may ask again after so long.
const FULL_MS: u64 = 5_000;

/// For the run's payer, and for whoever holds its key; for everybody else there is no such run.
pub async fn listen(
    State(desk): State<Desk>,
    Path(id): Path<String>,
    Query(key): Query<Key>,
    visitor: Option<Extension<Visitor>>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let run = readable(&desk, &headers, &id, key.key.as_deref()).await?;
    // Without the limits' layer there are no addresses: then all are one.
    let from = visitor.map(|Extension(visitor)| visitor.key()).unwrap_or_default();
    let place = desk.streams.take(run.payer, from).ok_or_else(|| {
        CallError::saying(Code::RateLimited, "Too many pages are following runs already. The run goes on without this one.")
            .after_ms(FULL_MS)
    })?;
    // Nonsense is nothing: all is told.
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok()).unwrap_or(0);
    let pace = desk.streams.pace();
    let listener = Listener {
        changes: desk.changes(),
        ends_at: Instant::now() + pace.life,
        told: VecDeque::from([Event::default().retry(AGAIN_AFTER)]),
        run: run.id,
        seen,
        looked: false,
        ended: false,
        desk,
        _place: place,
    };
    let events = Sse::new(events(listener)).keep_alive(KeepAlive::new().interval(pace.heartbeat));
    let mut response = events.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store, no-transform"));
    // nginx keeps a stream back otherwise.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

struct Listener {
    desk: Desk,
    run: String,
    /// The number of the last row that was told.
    seen: i64,
    /// To be told before the ledger is asked again.
    told: VecDeque<Event>,
    changes: Receiver<String>,
    looked: bool,
    ended: bool,
    ends_at: Instant,
    _place: Place,
}

fn events(listener: Listener) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(listener, |mut listener| async move {
        loop {
            if let Some(event) = listener.told.pop_front() {
                return Some((Ok(event), listener));
            }
            if listener.ended || !listener.waits().await {
                return None;
            }
            match listener.look().await {
                Ok(Some(heard)) => listener.hear(heard),
                Ok(None) => return None,
                // The client comes again, and finds what it missed.
                Err(cause) => {
                    tracing::warn!(%cause, "the books do not say how far a run is");
                    return None;
                }
            }
        }
    })
}

impl Listener {
    /// Until there may be news. `false`: it is over, for this stream.
    async fn waits(&mut self) -> bool {
        if !std::mem::replace(&mut self.looked, true) {
            return true;
        }
        let look = sleep(self.desk.streams.pace().look);
        tokio::select! {
            () = self.desk.streams.stop().cancelled() => false,
            () = sleep_until(self.ends_at) => false,
            () = look => true,
            () = changed(&mut self.changes, &self.run) => true,
        }
    }

    async fn look(&self) -> Result<Option<Heard>, BooksError> {
        self.desk.books.hear(&self.run, self.seen).await
    }

    fn hear(&mut self, heard: Heard) {
        // What an attempt of before said is not told while the next one waits for a worker.
        if !matches!(heard.state, RunState::Waiting | RunState::Held) {
            for row in heard.written {
                self.seen = row.seq;
                let event = Event::default().id(row.seq.to_string());
                self.told.push_back(match row.step {
                    // Plain data of ours, on one line.
                    Some(step) => event.event("progress").data(serde_json::to_string(&step).unwrap_or_default()),
                    None => event.event("again").data("{}"),
                });
            }
        }
        if heard.state.ended() {
            let end = Event::default().id(self.seen.to_string()).event("end");
            self.told.push_back(end.data(json!({ "state": heard.state }).to_string()));
            self.ended = true;
        }
    }
}

/// The run changed, as far as this process knows.
async fn changed(changes: &mut Receiver<String>, run: &str) {
    loop {
        match changes.recv().await {
            Ok(other) if other != run => {}
            Ok(_) | Err(RecvError::Lagged(_)) => return,
            // Nobody will ring any more: the clock does.
            Err(RecvError::Closed) => return std::future::pending().await,
        }
    }
}
