//! Fetches a visitor's address (O11). Its name is looked up once, what is not public is refused, and the connection goes to the very
//! address that was checked; the same again at each redirect. Bytes, time, kinds of content and redirects are bounded.
//!
//! - `guard`: which addresses are public. `body`: from bytes to text, unpacked and decoded within bounds.

mod body;
pub(super) mod guard;
#[cfg(test)]
mod tests;

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use reqwest::{
    Response,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, LOCATION},
    redirect,
};
use url::{Host, Url};

use self::{
    body::{Body, BodyError},
    guard::Wrong,
};
use super::brief::Page;
use crate::http_client;

/// For all of it, redirects included.
const TIME_MAX: Duration = Duration::from_secs(10);
const REDIRECTS_MAX: usize = 4;
/// Who asks, for the site's log.
const USER_AGENT: &str = concat!("coinslot-page-brief/", env!("CARGO_PKG_VERSION"));

/// Why there is no page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    #[error("{0}")]
    Refused(#[from] Wrong),
    #[error("nobody knows the name {0}.")]
    UnknownName(String),
    #[error("{0} did not answer.")]
    NoAnswer(String),
    #[error("{0} did not answer within {max} seconds.", max = TIME_MAX.as_secs())]
    TooSlow(String),
    #[error("the page answered {0}.")]
    Status(String, u16),
    #[error("the page leads on more than {REDIRECTS_MAX} times.")]
    TooManyRedirects,
    #[error("the page leads on, and does not say where.")]
    NoLocation,
    #[error("this is no page but {0}. HTML and plain text are read.")]
    Kind(String),
    #[error(transparent)]
    Body(#[from] BodyError),
}

impl FetchError {
    /// The same address will fail again.
    pub fn is_final(&self) -> bool {
        match self {
            Self::NoAnswer(_) | Self::TooSlow(_) | Self::UnknownName(_) | Self::Body(BodyError::Cut) => false,
            Self::Status(_, status) => !matches!(status, 408 | 425 | 429 | 500..),
            _ => true,
        }
    }
}

/// What is between us and the web. [`Internet`], or a test's own.
pub(super) trait Net: Sync {
    /// What can be said of an address before anything is looked up.
    fn admit(&self, url: &str) -> Result<Url, Wrong>;
    fn look_up(&self, name: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;
    fn may_connect(&self, to: SocketAddr) -> bool;
}

/// The public one, and nothing else.
pub(super) struct Internet;

impl Net for Internet {
    fn admit(&self, url: &str) -> Result<Url, Wrong> {
        guard::public_url(url)
    }

    async fn look_up(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((name, port)).await?.collect())
    }

    fn may_connect(&self, to: SocketAddr) -> bool {
        guard::is_public(to.ip())
    }
}

/// The page at an address, as text.
pub(super) async fn fetch(url: &str, net: &impl Net) -> Result<Page, FetchError> {
    within(TIME_MAX, url, net).await
}

async fn within(time: Duration, url: &str, net: &impl Net) -> Result<Page, FetchError> {
    let host = guard::web_url(url)?.host_str().unwrap_or_default().to_owned();
    tokio::time::timeout(time, follow(url, net)).await.unwrap_or(Err(FetchError::TooSlow(host)))
}

async fn follow(url: &str, net: &impl Net) -> Result<Page, FetchError> {
    let mut url = net.admit(url)?;
    for _ in 0..=REDIRECTS_MAX {
        let answer = ask(&url, net).await?;
        let status = answer.status();
        if matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
            let to = header(&answer, LOCATION).ok_or(FetchError::NoLocation)?;
            // Judged as an address of its own, as if the visitor had given it.
            url = net.admit(url.join(&to).map_err(|_| FetchError::NoLocation)?.as_str())?;
            continue;
        }
        if !status.is_success() {
            let words = status.canonical_reason().map_or_else(|| status.as_str().to_owned(), |reason| format!("{} ({reason})", status.as_str()));
            return Err(FetchError::Status(words, status.as_u16()));
        }
        return page(url, answer).await;
    }
    Err(FetchError::TooManyRedirects)
}

/// One request, to an address that was checked.
async fn ask(url: &Url, net: &impl Net) -> Result<Response, FetchError> {
    let host = url.host_str().unwrap_or_default().to_owned();
    let port = url.port_or_known_default().unwrap_or_default();
    let found = match url.host() {
        Some(Host::Ipv4(ip)) => vec![SocketAddr::new(ip.into(), port)],
        Some(Host::Ipv6(ip)) => vec![SocketAddr::new(ip.into(), port)],
        // Rooted, so that a resolver does not complete it with its own network's name.
        Some(Host::Domain(name)) => {
            let rooted = format!("{}.", name.trim_end_matches('.'));
            net.look_up(&rooted, port).await.map_err(|_| FetchError::UnknownName(host.clone()))?
        }
        None => return Err(Wrong::NotAnAddress.into()),
    };
    let first = found.first().copied().ok_or_else(|| FetchError::UnknownName(host.clone()))?;
    let checked: Vec<SocketAddr> = found.into_iter().filter(|to| net.may_connect(*to)).collect();
    if checked.is_empty() {
        return Err(Wrong::Private(plain(first.ip())).into());
    }
    let client = http_client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .referer(false)
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd()
        .user_agent(USER_AGENT)
        .timeout(TIME_MAX)
        .dns_resolver(Pinned(checked))
        .build()
        .map_err(|_| FetchError::NoAnswer(host.clone()))?;
    let request = client
        .get(url.clone())
        .header(ACCEPT, "text/html,application/xhtml+xml,text/plain;q=0.8")
        .header(ACCEPT_ENCODING, "gzip, identity;q=0.5");
    request.send().await.map_err(|cause| if cause.is_timeout() { FetchError::TooSlow(host) } else { FetchError::NoAnswer(host) })
}

/// Whatever name the client asks for, it gets the addresses that were checked. A literal address it does not ask for.
struct Pinned(Vec<SocketAddr>);

impl Resolve for Pinned {
    fn resolve(&self, _: Name) -> Resolving {
        let to: Addrs = Box::new(self.0.clone().into_iter());
        Box::pin(std::future::ready(Ok(to)))
    }
}

/// As the message shows it.
fn plain(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

fn header(answer: &Response, name: HeaderName) -> Option<String> {
    answer.headers().get(name).and_then(|value| std::str::from_utf8(value.as_bytes()).ok()).map(|value| value.trim().to_owned())
}

async fn page(url: Url, mut answer: Response) -> Result<Page, FetchError> {
    let kind = header(&answer, CONTENT_TYPE).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_plain = match essence.as_str() {
        "text/html" | "application/xhtml+xml" => false,
        "text/plain" => true,
        "" => return Err(FetchError::Kind("something that does not say what it is".to_owned())),
        other => return Err(FetchError::Kind(other.chars().take(80).collect())),
    };
    let mut body = Body::packed_as(header(&answer, CONTENT_ENCODING).as_deref())?;
    while let Some(chunk) = answer.chunk().await.map_err(|_| BodyError::Cut)? {
        body.take(&chunk)?;
    }
    let charset = kind.split(';').skip(1).find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches(['"', '\'']).to_owned())
    });
    let html = body::decoded(&body.whole()?, charset.as_deref(), !is_plain);
    Ok(Page { html, url: Some(url.into()), is_plain })
}
