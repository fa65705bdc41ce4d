//! Connections, bounded in number and in how long they may take to say what they want; and their end.
//!
//! They speak HTTP/1.1. One that opens HTTP/2 is closed: that is for the proxy that ends TLS.
//!
//! - `quiet`: how long a connection has said nothing. `places`: who has a place, and who leaves where there is none left.

mod places;
mod quiet;

use std::{
    convert::Infallible,
    io::{self, Write},
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::{
    BoxError, Router,
    body::{Body, Bytes, HttpBody},
    extract::ConnectInfo,
    http::Request,
};
use futures::{Stream, StreamExt, stream};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::{ServiceExt, service_fn};

use super::{
    limits::{AddressRange, Visitor},
    settings::Settings,
};
use places::{Place, Places};
pub use quiet::Patience;

/// Open at the same time, where the process may have as many descriptors.
pub const CONNECTIONS_MAX: usize = 10_000;

/// Of one address. A browser opens six.
pub const OF_ADDRESS_MAX: usize = 64;

/// Descriptors that are kept for everything else: the database, the chains' nodes, what agents fetch. A quarter of all, where that is more.
const DESCRIPTORS_SPARED: usize = 128;

/// For a request's head, from its first byte; for the first head, from the connection's beginning.
pub const HEAD_TIME_MAX: Duration = Duration::from_secs(10);

/// Between an answer and the next request. Proxies keep their connections for 60 s, and expect that the other side keeps them for longer.
pub const IDLE_TIME_MAX: Duration = Duration::from_secs(75);

/// For the whole of a request's body.
pub const BODY_TIME_MAX: Duration = Duration::from_secs(120);

/// After `stop`, for requests that are under way.
pub const CLOSING_TIME: Duration = Duration::from_secs(10);

/// After a connection that could not be taken.
const PAUSE: Duration = Duration::from_millis(50);

/// Between two log lines that say so.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// How connections are kept.
#[derive(Clone, Debug)]
pub struct Rules {
    pub patience: Patience,
    /// For the whole of a request's body.
    pub body_time: Duration,
    /// Connections of one address (IPv6: of one /64) at once.
    pub of_address: usize,
    /// Connections at once.
    pub in_all: usize,
    /// Peers that bring many visitors, so that `of_address` is not for them: loopback, and the trusted proxies.
    pub unbounded: Vec<AddressRange>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            patience: Patience { head: HEAD_TIME_MAX, idle: IDLE_TIME_MAX },
            body_time: BODY_TIME_MAX,
            of_address: OF_ADDRESS_MAX,
            in_all: connections_of(descriptors()),
            // What comes from this machine is its proxy, or its operator.
            unbounded: ["127.0.0.0/8", "::1"].iter().filter_map(|range| range.parse().ok()).collect(),
        }
    }
}

impl Rules {
    pub fn of(settings: &Settings) -> Self {
        let mut rules = Self::default();
        rules.patience.idle = settings.keep_alive;
        rules.of_address = settings.connections_per_address.unwrap_or(usize::MAX);
        rules.unbounded.extend_from_slice(&settings.trusted_proxies);
        rules
    }

    /// The address that a peer's connections are counted by. `None`: they are counted in all only.
    fn bounded(&self, peer: IpAddr) -> Option<Visitor> {
        let is_free = self.unbounded.iter().any(|range| range.contains(peer));
        (!is_free).then(|| Visitor::of(peer))
    }
}

/// How many the process may have open. `None`: nobody says.
fn descriptors() -> Option<u64> {
    #[cfg(unix)]
    return rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    #[cfg(not(unix))]
    None
}

/// Places for connections, so that the rest of the shop has descriptors left.
fn connections_of(descriptors: Option<u64>) -> usize {
    let Some(all) = descriptors.and_then(|all| usize::try_from(all).ok()) else { return CONNECTIONS_MAX };
    let spared = DESCRIPTORS_SPARED.max(all / 4);
    all.saturating_sub(spared).max(all / 4).clamp(1, CONNECTIONS_MAX)
}

/// As [`listen_by`], by the default rules.
pub async fn listen(listener: TcpListener, router: Router, stop: CancellationToken) {
    listen_by(listener, router, Rules::default(), stop).await;
}

/// Serves until `stop`, then lets requests that are under way end, for [`CLOSING_TIME`] at most.
pub async fn listen_by(listener: TcpListener, router: Router, rules: Rules, stop: CancellationToken) {
    let places = Arc::new(Places::new(rules.clone()));
    let connections = TaskTracker::new();
    let mut told = None;
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &places, &mut told) => accepted,
        };
        let Some((stream, peer, place)) = accepted else { continue };
        let (router, rules, stop) = (router.clone(), rules.clone(), stop.clone());
        connections.spawn(async move {
            converse(stream, peer, &place, router, &rules, stop).await;
            // The descriptor is free again: so is the place.
            drop(place);
        });
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(CLOSING_TIME, connections.wait()).await.is_err() {
        tracing::warn!("closed with {} requests under way; paid runs go on at the next start", connections.len());
    }
}

/// `None`: that one was not taken; others will come.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Places>,
    told: &mut Option<Instant>,
) -> Option<(TcpStream, SocketAddr, Place)> {
    match listener.accept().await {
        Ok((stream, peer)) => match places.take(peer.ip()).await {
            Some(place) => Some((stream, peer, place)),
            None => {
                refuse(stream);
                None
            }
        },
        Err(cause) => {
            // A connection that was gone before it was taken is nobody's trouble. Everything else is (no more descriptors), for a while: those who
            // are quiet leave theirs, and the next ones are taken.
            if !matches!(cause.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
                places.make_room();
                if told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
                    *told = Some(Instant::now());
                    tracing::error!(error = %cause, "no connection can be taken: {cause}");
                }
                sleep(PAUSE).await;
            }
            None
        }
    }
}

/// All connections of this address are busy: said in one piece, if it can be, and closed.
fn refuse(stream: TcpStream) {
    const TOO_MANY: &str = "HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\nretry-after: 5\r\nconnection: close\r\n\r\n\
                            {\"error\":\"Too many connections from your address. Wait a moment.\",\"code\":\"rate_limited\",\"retry\":\"same_payment\"}";
    let _ = stream.into_std().and_then(|mut stream| stream.write(TOO_MANY.as_bytes()));
}

async fn converse(stream: TcpStream, peer: SocketAddr, place: &Place, router: Router, rules: &Rules, stop: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let stream = quiet::Listened { stream, pulse: place.pulse.clone() };
    let (pulse, body_time) = (place.pulse.clone(), rules.body_time);
    let service = service_fn(move |request: Request<_>| {
        let (router, pulse) = (router.clone(), pulse.clone());
        async move {
            let mut request = request.map(Body::new);
            let has_body = !request.body().is_end_stream();
            pulse.works(has_body);
            if has_body {
                // Between two of its pieces there may be a shorter time (`router`).
                request = request.map(|body| Body::from_stream(until(body, body_time)));
            }
            request.extensions_mut().insert(ConnectInfo(peer));
            let answer = router.oneshot(request).await.unwrap_or_else(|never| match never {});
            pulse.answers();
            Ok::<_, Infallible>(answer)
        }
    });
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    // `Pulse` has the times: hyper's one is the same for the head and for the quiet before it.
    builder.http1().header_read_timeout(None::<Duration>);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)));
    let mut stopping = pin!(stop.cancelled());
    let mut leaving = pin!(place.leaves.cancelled());
    let mut overdue = pin!(place.pulse.overdue(rules.patience));
    let mut told = false;
    loop {
        tokio::select! {
            // In this order: the connection is what changes its pulse.
            biased;
            ended = connection.as_mut() => {
                if let Err(cause) = ended {
                    tracing::debug!(error = %cause, "a connection ended early");
                }
                break;
            }
            () = stopping.as_mut(), if !told => {
                told = true;
                connection.as_mut().graceful_shutdown();
            }
            () = leaving.as_mut(), if !told => {
                if place.pulse.quiet_since().is_some() {
                    tracing::debug!("a quiet connection leaves its place to another one");
                    break;
                }
                // A request came meanwhile: it is answered first.
                told = true;
                connection.as_mut().graceful_shutdown();
            }
            () = overdue.as_mut() => {
                tracing::debug!("a connection that said nothing for too long is closed");
                break;
            }
        }
    }
}

/// A body's pieces, all of which have to come within this time.
fn until(body: Body, time: Duration) -> impl Stream<Item = Result<Bytes, BoxError>> {
    let end = Box::pin(sleep(time));
    stream::unfold(Some((body.into_data_stream(), end)), |open| async move {
        let (mut pieces, mut end) = open?;
        tokio::select! {
            // First the time, or pieces that are always there would hide it.
            biased;
            () = end.as_mut() => Some((Err("the body did not end in time".into()), None)),
            piece = pieces.next() => Some((piece?.map_err(BoxError::from), Some((pieces, end)))),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s4_connections_leave_descriptors_for_the_rest_of_the_shop() {
        let places = |all: u64| connections_of(Some(all));
        assert_eq!((places(1024), places(256), places(64), places(0)), (768, 128, 16, 1));
        assert_eq!(
            (places(1_000_000), places(u64::MAX), connections_of(None)),
            (CONNECTIONS_MAX, CONNECTIONS_MAX, CONNECTIONS_MAX)
        );
    }
}
