//! Requests per visitor's address: the first thing that is looked at, before any work.
//!
//! The address is the peer's, or, where the peer is a trusted proxy, the last one in `X-Forwarded-For` that no trusted proxy
//! wrote. IPv6 counts by /64, which is what one customer is given. Memory is bounded: who has been quiet is forgotten, and while
//! there are [`ADDRESSES_MAX`] busy addresses, everybody shares one bucket.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, Method},
    middleware::Next,
    response::Response,
};
use governor::{
    DefaultKeyedRateLimiter, RateLimiter,
    clock::{Clock, DefaultClock},
};

use super::mcp;
use crate::{
    error::{CallError, Code},
    x402::{
        answer,
        signer::{Allowance, Asks, Wait},
    },
};

/// Addresses that have a bucket of their own, per kind of request.
pub const ADDRESSES_MAX: usize = 100_000;

/// How often, in requests, the quiet ones are forgotten; and how often while all buckets are taken.
const FORGET_EVERY: u64 = 4096;
const FORGET_EVERY_WHEN_FULL: u64 = 256;

/// So many at once, and one more each time `every` has passed. `None`: no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota(Option<(Duration, NonZeroU32)>);

impl Quota {
    pub const NONE: Self = Self(None);

    pub fn per_second(count: u32, burst: u32) -> Self {
        Self::per(Duration::from_secs(1), count, burst)
    }

    pub fn per_minute(count: u32, burst: u32) -> Self {
        Self::per(Duration::from_secs(60), count, burst)
    }

    /// A count of 0 is no limit.
    fn per(time: Duration, count: u32, burst: u32) -> Self {
        Self(time.checked_div(count).zip(NonZeroU32::new(burst)))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Pages and their files.
    pub pages: Quota,
    /// Everything under `/api` and `/demo`, and MCP.
    pub api: Quota,
    /// `POST /api/session…`, on top of `api`; and, counted apart, signatures and unknown wallets' transactions that a chain is asked about.
    pub sign_in: Quota,
}

/// How often nodes are asked about payments that nobody has shown before, and about what pages want to know before anybody pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// For one visitor's address: payments that are shown, and looks.
    pub each: Quota,
    /// For all together: payments in whose way nothing stands at first sight, and looks. Those of somebody who has bought here, of strangers, and
    /// looks are counted apart.
    pub all: Quota,
}

impl Asked {
    /// Where nothing else is set. A visitor whose requests have no limit has none here.
    fn beside(limits: Limits) -> Self {
        let each = if limits.api == Quota::NONE { Quota::NONE } else { Quota::per_second(5, 60) };
        Self { each, all: Quota::per_second(10, 100) }
    }
}

/// The buckets, and whose word is taken for a visitor's address.
#[derive(Clone)]
pub struct Doorkeeper(Arc<Buckets>);

struct Buckets {
    trusted_proxies: Vec<AddressRange>,
    pages: Bucket,
    api: Bucket,
    sign_in: Bucket,
    signatures: Bucket,
    strangers: Pair,
    customers: Pair,
    looks: Pair,
}

impl Buckets {
    /// Strangers take nothing from those who have bought here.
    fn of_payments(&self, has_bought: bool) -> &Pair {
        if has_bought { &self.customers } else { &self.strangers }
    }
}

impl Doorkeeper {
    pub fn new(limits: Limits, trusted_proxies: Vec<AddressRange>) -> Self {
        Self::that_asks(limits, Asked::beside(limits), trusted_proxies)
    }

    /// The same, with limits of its own for what nodes are asked.
    pub fn that_asks(limits: Limits, asked: Asked, trusted_proxies: Vec<AddressRange>) -> Self {
        let (pages, api) = (Bucket::new(limits.pages), Bucket::new(limits.api));
        let (sign_in, signatures) = (Bucket::new(limits.sign_in), Bucket::new(limits.sign_in));
        let (strangers, customers, looks) = (Pair::new(asked), Pair::new(asked), Pair::new(asked));
        Self(Arc::new(Buckets { trusted_proxies, pages, api, sign_in, signatures, strangers, customers, looks }))
    }

    /// What this visitor may have asked of the chains: taken from where it turns out that a node has to be asked.
    fn allowance(&self, visitor: Visitor) -> Allowance {
        let buckets = self.0.clone();
        Allowance::new(move |asks| match asks {
            Asks::Signature | Asks::Unseen => buckets.signatures.take(visitor).map_err(Wait::Own),
            Asks::Payment { has_bought } => buckets.of_payments(has_bought).each.take(visitor).map_err(Wait::Own),
            Asks::Verification { has_bought } => buckets.of_payments(has_bought).all.take(Visitor::CROWD).map_err(Wait::All),
            Asks::Look => buckets.looks.take(visitor),
        })
    }

    /// # Errors
    /// How long to wait.
    pub fn admit(&self, method: &Method, path: &str, visitor: Visitor) -> Result<(), Duration> {
        let buckets = &self.0;
        let is_api = path.starts_with("/api/") || path.starts_with("/demo/") || path == mcp::PATH;
        if !is_api {
            return buckets.pages.take(visitor);
        }
        buckets.api.take(visitor)?;
        if method == Method::POST && path.starts_with("/api/session") {
            buckets.sign_in.take(visitor)?;
        }
        Ok(())
    }

    /// The visitor of a request.
    pub fn visitor(&self, request: &Request) -> Visitor {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
        let peer = peer.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED)); // a test's request, with no connection
        Visitor::of(client(peer, request.headers(), &self.0.trusted_proxies))
    }
}

/// The layer: 429 with `Retry-After`, or on it goes.
pub async fn limit(State(doorkeeper): State<Doorkeeper>, mut request: Request, next: Next) -> Response {
    let visitor = doorkeeper.visitor(&request);
    match doorkeeper.admit(request.method(), request.uri().path(), visitor) {
        Ok(()) => {
            request.extensions_mut().insert(doorkeeper.allowance(visitor));
            request.extensions_mut().insert(visitor);
            next.run(request).await
        }
        Err(wait) => too_many(wait),
    }
}

/// Come again after this time.
pub fn too_many(wait: Duration) -> Response {
    let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
    answer::error(&CallError::from(Code::RateLimited).after_ms(wait_ms))
}

/// One visitor's share, and what there is for all.
struct Pair {
    each: Bucket,
    all: Bucket,
}

impl Pair {
    fn new(asked: Asked) -> Self {
        Self { each: Bucket::new(asked.each), all: Bucket::new(asked.all) }
    }

    /// Their own first: whoever has used that up takes nothing from others.
    fn take(&self, visitor: Visitor) -> Result<(), Wait> {
        self.each.take(visitor).map_err(Wait::Own)?;
        self.all.take(Visitor::CROWD).map_err(Wait::All)
    }
}

struct Bucket {
    /// `None`: no limit.
    limiter: Option<DefaultKeyedRateLimiter<Visitor>>,
    requests: AtomicU64,
}

impl Bucket {
    fn new(quota: Quota) -> Self {
        let quota = quota.0.and_then(|(every, burst)| Some(governor::Quota::with_period(every)?.allow_burst(burst)));
        Self { limiter: quota.map(RateLimiter::keyed), requests: AtomicU64::new(0) }
    }

    fn take(&self, visitor: Visitor) -> Result<(), Duration> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        let is_full = limiter.len() >= ADDRESSES_MAX;
        let forget_every = if is_full { FORGET_EVERY_WHEN_FULL } else { FORGET_EVERY };
        if self.requests.fetch_add(1, Ordering::Relaxed).is_multiple_of(forget_every) {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
        let bucket = if is_full { Visitor::CROWD } else { visitor };
        limiter.check_key(&bucket).map_err(|until| until.wait_time_from(DefaultClock::default().now()))
    }
}

/// An IPv4 address, or an IPv6 /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Visitor([u8; 9]);

impl Visitor {
    /// Everybody who comes while all buckets are taken.
    const CROWD: Self = Self([0; 9]);

    /// What tells it from others, for what counts by address and knows no requests.
    pub fn key(self) -> [u8; 9] {
        self.0
    }

    pub fn of(address: IpAddr) -> Self {
        let mut key = [0; 9];
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                key[0] = 4;
                key[1..5].copy_from_slice(&v4.octets());
            }
            IpAddr::V6(v6) => {
                key[0] = 6;
                key[1..].copy_from_slice(&v6.octets()[..8]);
            }
        }
        Self(key)
    }
}

/// Walks `X-Forwarded-For` from its end, which the nearest proxy wrote, as long as trusted proxies vouch for it.
fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[AddressRange]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|range| range.contains(address));
    let mut client = peer;
    let lines: Vec<&str> = headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok()).collect();
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        if !is_trusted(client) {
            break;
        }
        let Some(address) = hop_address(hop.trim()) else { break };
        client = address;
    }
    client
}

/// `203.0.113.7`, `203.0.113.7:1234`, `2001:db8::1`, `[2001:db8::1]:1234`.
fn hop_address(hop: &str) -> Option<IpAddr> {
    hop.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// An address, or a CIDR range of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    first: IpAddr,
    /// Leading bits that have to be the same.
    bits: u32,
}

impl AddressRange {
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                same_bits(first.to_bits().into(), address.to_bits().into(), 32, self.bits)
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => same_bits(first.to_bits(), address.to_bits(), 128, self.bits),
            _ => false,
        }
    }
}

fn same_bits(a: u128, b: u128, width: u32, bits: u32) -> bool {
    (a ^ b).checked_shr(width - bits).unwrap_or(0) == 0
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an address or a range, such as 10.0.0.0/8")]
pub struct BadRange;

impl FromStr for AddressRange {
    type Err = BadRange;

    fn from_str(text: &str) -> Result<Self, BadRange> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let first: IpAddr = address.parse().map_err(|_| BadRange)?;
        let width = if first.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(width), |bits| bits.parse().map_err(|_| BadRange))?;
        if bits > width {
            return Err(BadRange);
        }
        Ok(Self { first, bits })
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn seen_as(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        let trusted: Vec<AddressRange> = trusted.iter().map(|range| range.parse().unwrap()).collect();
        client(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn nobody_but_a_trusted_proxy_says_who_the_visitor_is() {
        assert_eq!(seen_as("203.0.113.7", &["198.51.100.1"], &[]), "203.0.113.7");
        assert_eq!(seen_as("10.0.0.1", &["198.51.100.1"], &["10.0.0.0/8"]), "198.51.100.1");
        // What stands before the last untrusted hop, the visitor wrote.
        assert_eq!(seen_as("10.0.0.1", &["1.2.3.4, 198.51.100.1, 10.9.9.9"], &["10.0.0.0/8"]), "198.51.100.1");
        assert_eq!(seen_as("10.0.0.1", &["1.2.3.4", "198.51.100.1:55, 10.9.9.9"], &["10.0.0.0/8"]), "198.51.100.1");
        assert_eq!(seen_as("10.0.0.1", &["1.2.3.4, unknown"], &["10.0.0.0/8"]), "10.0.0.1");
        assert_eq!(seen_as("::ffff:10.0.0.1", &["2001:db8::1"], &["10.0.0.1"]), "2001:db8::1");
    }

    #[test]
    fn a_customer_of_ipv6_is_a_64() {
        let visitor = |text: &str| Visitor::of(text.parse().unwrap());
        assert_eq!(visitor("2001:db8:0:1::1"), visitor("2001:db8:0:1:ffff::2"));
        assert_ne!(visitor("2001:db8:0:1::1"), visitor("2001:db8:0:2::1"));
        assert_eq!(visitor("::ffff:192.0.2.1"), visitor("192.0.2.1"));
        assert_ne!(visitor("192.0.2.1"), visitor("192.0.2.2"));
    }

    #[test]
    fn ranges_are_exact() {
        let range = |text: &str| text.parse::<AddressRange>();
        assert!(range("10.0.0.0/8").unwrap().contains("10.255.0.1".parse().unwrap()));
        assert!(!range("10.0.0.0/8").unwrap().contains("11.0.0.1".parse().unwrap()));
        assert!(range("0.0.0.0/0").unwrap().contains("8.8.8.8".parse().unwrap()));
        assert!(range("::/0").unwrap().contains("2001:db8::1".parse().unwrap()));
        assert!(!range("::1").unwrap().contains("::2".parse().unwrap()));
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "localhost", "::/129"] {
            assert_eq!(range(bad), Err(BadRange), "{bad}");
        }
    }

    #[test]
    fn s2_what_nodes_are_asked_is_bounded_for_each_and_for_all_and_strangers_take_nothing_from_customers() {
        let off = Quota::NONE;
        let asked = Asked { each: Quota::per_minute(1, 2), all: Quota::per_minute(1, 3) };
        let doorkeeper = Doorkeeper::that_asks(Limits { pages: off, api: off, sign_in: off }, asked, Vec::new());
        let of = |last| doorkeeper.allowance(Visitor::of(IpAddr::from([192, 0, 2, last])));
        let code = |taken: Result<(), CallError>| taken.err().map(|why| why.code);
        let (shown, asked) = (Asks::Payment { has_bought: false }, Asks::Verification { has_bought: false });
        let eve = of(1);
        assert_eq!([1, 2].map(|_| code(eve.take(shown))), [None; 2]);
        assert_eq!(code(eve.take(shown)), Some(Code::RateLimited));
        assert_eq!(code(of(2).take(shown)), None, "another one is not held up by her");
        assert_eq!([1, 2, 3].map(|n| code(of(n).take(asked))), [None; 3]);
        let why = of(4).take(asked).unwrap_err();
        assert_eq!((why.code, why.code.retry()), (Code::VerifierUnavailable, crate::error::Retry::SamePayment));
        assert!(why.retry_after_ms.is_some());
        for asks in [Asks::Payment { has_bought: true }, Asks::Verification { has_bought: true }, Asks::Look] {
            assert_eq!(code(eve.take(asks)), None, "{asks:?} is counted apart");
        }
    }

    #[test]
    fn s2_where_requests_have_no_limit_a_visitor_has_none_for_nodes_either() {
        let limits = |api| Limits { pages: Quota::NONE, api, sign_in: Quota::NONE };
        assert_eq!(Asked::beside(limits(Quota::NONE)).each, Quota::NONE);
        assert_ne!(Asked::beside(limits(Quota::per_second(20, 60))).each, Quota::NONE);
        assert_ne!(Asked::beside(limits(Quota::NONE)).all, Quota::NONE, "nodes have limits of their own");
    }

    #[test]
    fn everybody_shares_a_bucket_while_all_are_taken() {
        let bucket = Bucket::new(Quota::per_minute(1, 1));
        for n in 0..u32::try_from(ADDRESSES_MAX).unwrap() {
            assert!(bucket.take(Visitor::of(IpAddr::from(n.to_be_bytes()))).is_ok());
        }
        let newcomer = |last| Visitor::of(IpAddr::from([250, 0, 0, last]));
        assert!(bucket.take(newcomer(1)).is_ok());
        assert!(bucket.take(newcomer(2)).is_err(), "memory is bounded");
    }
}
