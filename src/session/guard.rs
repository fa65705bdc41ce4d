//! The cookie, and the sign-in that earns it (EIP-4361; ux.md, A6).
//!
//! A nonce is a sealed token: asking for one writes nothing. Only a used one is stored. The session's token is random, and stored hashed.
//!
//! Every kind of wallet signs in: one with a key, a contract (ERC-1271), and one that is not deployed yet (ERC-6492). Where no key signed, the network
//! that the text names is asked, last and within bounds (`x402::signer`), and the session counts there alone.

use axum::{
    Json, Router,
    body::Body,
    extract::{State, rejection::JsonRejection},
    http::{HeaderMap, HeaderValue, Response, header, request::Parts},
    routing::post,
};
use jiff::Timestamp;
use serde::Deserialize;

use super::{
    SessionView,
    message::{Nonce, SignedIn},
};
use crate::{
    error::{CallError, Code},
    evm::Address,
    ledger::Session,
    network::Network,
    runs::nul,
    x402::{
        answer,
        call::broken,
        desk::{CLOCK_SLACK_MS, Desk, now_ms},
        offers::{hex, random_hex, same, sha256_hex},
        signer::{self, By, Claim},
    },
};

/// From the nonce to the signature.
const SIGN_IN_MS: i64 = 10 * 60 * 1000;
pub const SESSION_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// An EIP-4361 text is a few hundred characters.
const MESSAGE_MAX: usize = 2048;

pub fn routes() -> Router<Desk> {
    Router::new().route("/api/session/nonce", post(nonce)).route("/api/session", post(sign_in).get(session).delete(sign_out))
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct NonceFor {
    address: Option<Address>,
    /// The network that the wallet is on: a contract's signature is asked about there.
    chain_id: Option<u64>,
}

async fn nonce(State(desk): State<Desk>, body: axum::body::Bytes) -> Result<Json<Nonce>, Refused> {
    let wanted: NonceFor = if body.is_empty() {
        NonceFor::default()
    } else {
        serde_json::from_slice(&body).map_err(|cause| CallError::from(Code::BadJson).with_details(cause))?
    };
    let now = now_ms();
    let ours: Vec<_> = desk.chains.iter().map(|chain| chain.network().chain_id).collect();
    let chain_id = wanted.chain_id.filter(|id| ours.contains(id)).or(ours.first().copied()).unwrap_or(1);
    Ok(Json(Nonce {
        nonce: make_nonce(&desk, now),
        issued_at: rfc3339(now),
        expiration_time: rfc3339(now + SIGN_IN_MS),
        address: wanted.address.map(|address| siwe::eip55(&address.0)),
        chain_id,
    }))
}

fn rfc3339(ms: i64) -> String {
    Timestamp::from_millisecond(ms).unwrap_or_default().to_string()
}

/// `<issue time><random bits><mac>` in hex: alphanumeric, as EIP-4361 wants it.
fn make_nonce(desk: &Desk, now: i64) -> String {
    let head = format!("{now:016x}{}", random_hex::<8>());
    let mac = desk.seal.mac("sign-in nonce", head.as_bytes());
    format!("{head}{}", hex(&mac[..16]))
}

/// When it was made. `None`: not ours.
fn nonce_time(desk: &Desk, nonce: &str) -> Option<i64> {
    let (head, mac) = nonce.is_ascii().then(|| nonce.split_at_checked(32)).flatten()?;
    let ours = hex(&desk.seal.mac("sign-in nonce", head.as_bytes())[..16]);
    same(ours.as_bytes(), mac.as_bytes()).then(|| i64::from_str_radix(&head[..16], 16).ok()).flatten()
}

async fn sign_in(
    State(desk): State<Desk>,
    parts: Parts,
    body: Result<Json<SignedIn>, JsonRejection>,
) -> Result<Response<Body>, Refused> {
    let Json(signed) = body.map_err(|cause| CallError::from(Code::BadJson).with_details(cause))?;
    if nul::is_in(&signed.message) || nul::is_in(&signed.signature) {
        return Err(nul::refused("message").into());
    }
    let Claimed { claim, network, nonce } = verify(&desk, &signed, now_ms())?;
    let by = signer::of(&desk, &network, &claim, parts.extensions.get()).await?;
    let network = match by.ok_or_else(|| not_signed(&desk, &network))? {
        By::Key => None,
        By::Contract => Some(network),
    };
    let now = now_ms();
    // Last, so that a refused sign-in can be sent again. Kept for as long as the nonce could be used, by the clocks of all instances.
    if !desk.books.spend_nonce(&nonce, now, now + SIGN_IN_MS + 2 * CLOCK_SLACK_MS).await.map_err(broken)? {
        return Err(CallError::from(Code::BadNonce).into());
    }
    let (token, session) = (random_hex::<32>(), Session { wallet: claim.account, network, until_ms: now + SESSION_MS });
    desk.books.start_session(&sha256_hex(token.as_bytes()), &session, now).await.map_err(broken)?;
    let view = super::view::of(&desk, Some(session)).await?;
    Ok(with_cookie(&desk, &view, &token, SESSION_MS / 1000))
}

/// What a text says, in which everything is true here and now but that it was signed.
struct Claimed {
    claim: Claim,
    /// CAIP-2: the network that it names.
    network: String,
    nonce: String,
}

fn not_signed(desk: &Desk, network: &str) -> CallError {
    let name = desk.chain(network).map_or(network, |chain| &chain.network().name);
    CallError::from(Code::BadSignature)
        .with_details(format_args!("neither by the key of that address nor, as {name} says, by a contract there"))
}

/// # Errors
/// It is no sign-in text, or not for this place and time. No chain is asked.
fn verify(desk: &Desk, signed: &SignedIn, now: i64) -> Result<Claimed, CallError> {
    let malformed = || CallError::saying(Code::BadSignature, "This is no sign-in text (EIP-4361), or no signature of one.");
    if signed.message.len() > MESSAGE_MAX {
        return Err(malformed());
    }
    let message: siwe::Message = signed.message.parse().map_err(|_| malformed())?;
    let uri = message.uri.as_str();
    let here = uri.strip_prefix(&desk.public_url).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if message.domain.as_str() != desk.domain() || !here {
        return Err(Code::BadDomain.into());
    }
    let network = desk.chains.iter().map(|chain| chain.network()).find(|network| network.chain_id == message.chain_id);
    let network = network.ok_or_else(|| another_network(desk, message.chain_id))?.id.clone();
    let issued = nonce_time(desk, &message.nonce).ok_or_else(|| CallError::from(Code::BadNonce))?;
    // A text without an end of its own (EIP-4361 leaves it out at will) ends with its nonce.
    let is_over = now - issued > SIGN_IN_MS || message.expiration_time.as_ref().is_some_and(|at| milliseconds(at) < now);
    // Made by an instance whose clock is ahead of ours.
    let latest = now.saturating_add(CLOCK_SLACK_MS);
    let is_early = issued > latest || message.not_before.as_ref().is_some_and(|at| milliseconds(at) > latest);
    if is_over || is_early {
        return Err(Code::SignInExpired.into());
    }
    // Of the text as it was read: one that was written otherwise is another text, and nobody's signature fits.
    let hash = message.eip191_hash().map_err(|_| malformed())?;
    let claim = Claim::read(Address(message.address), hash.into(), &signed.signature).ok_or_else(malformed)?;
    Ok(Claimed { claim, network, nonce: message.nonce })
}

fn another_network(desk: &Desk, chain_id: u64) -> CallError {
    let named = |network: &Network| format!("{} (Chain ID {})", network.name, network.chain_id);
    let ours: Vec<_> = desk.chains.iter().map(|chain| named(chain.network())).collect();
    CallError::saying(
        Code::BadDomain,
        format!("This sign-in was made for another network, Chain ID {chain_id}. Sign in on {}.", ours.join(" or ")),
    )
}

/// Unix milliseconds.
fn milliseconds(at: &siwe::TimeStamp) -> i64 {
    i64::try_from(at.as_ref().unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

async fn session(State(desk): State<Desk>, headers: HeaderMap) -> Result<Response<Body>, Refused> {
    let who = signed_in(&desk, &headers).await?;
    let view = super::view::of(&desk, who).await?;
    Ok(answer::json(200, serde_json::to_vec(&view).unwrap_or_default()))
}

async fn sign_out(State(desk): State<Desk>, headers: HeaderMap) -> Result<Response<Body>, Refused> {
    if let Some(token) = token_of(&desk, &headers) {
        desk.books.end_session(&sha256_hex(token.as_bytes())).await.map_err(broken)?;
    }
    Ok(with_cookie(&desk, &SessionView::default(), "", 0))
}

fn with_cookie(desk: &Desk, view: &SessionView, token: &str, max_age_s: i64) -> Response<Body> {
    let mut response = answer::json(200, serde_json::to_vec(view).unwrap_or_default());
    let secure = if desk.is_secure() { "; Secure" } else { "" };
    let cookie = format!("{}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age_s}{secure}", cookie_name(desk));
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// The `__Host-` prefix makes a browser refuse the name from a subdomain or over plain HTTP.
pub fn cookie_name(desk: &Desk) -> &'static str {
    if desk.is_secure() { "__Host-coinslot" } else { "coinslot" }
}

/// The token of a session: its cookie's, or a program's in `Authorization: Bearer`. A run's key, which may stand there too, is shorter.
fn token_of<'h>(desk: &Desk, headers: &'h HeaderMap) -> Option<&'h str> {
    let is_token = |token: &&str| token.len() == 64;
    cookie(headers, cookie_name(desk)).filter(is_token).or_else(|| bearer(headers).filter(is_token))
}

/// A cookie's value.
pub fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// What `Authorization: Bearer …` holds (RFC 6750): a session's token, or a run's key. Headers stand in no proxy's log, as queries do.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The cookie in which a run's page hands over the key that stands behind its address's `#`: of that page's path alone, for a minute.
pub const RUN_KEY_COOKIE: &str = "coinslot-key";

/// A run's key that a request brings beside its address.
pub fn run_key(headers: &HeaderMap) -> Option<&str> {
    bearer(headers).or_else(|| cookie(headers, RUN_KEY_COOKIE))
}

/// The session of a request, by its cookie or its `Authorization`. `None`: nobody. One indexed read.
pub async fn signed_in(desk: &Desk, headers: &HeaderMap) -> Result<Option<Session>, CallError> {
    match token_of(desk, headers) {
        Some(token) => desk.books.session(&sha256_hex(token.as_bytes()), now_ms()).await.map_err(broken),
        None => Ok(None),
    }
}

/// May this session pay on this network (CAIP-2)?
///
/// # Errors
/// [`Code::NotSignedIn`]: a contract on another network signed it.
pub fn on(desk: &Desk, session: &Session, network: &str) -> Result<(), CallError> {
    if session.counts_on(network) {
        return Ok(());
    }
    let name = |network: &str| desk.chain(network).map_or_else(|| network.to_owned(), |chain| chain.network().name.clone());
    let (own, other) = (name(session.network.as_deref().unwrap_or_default()), name(network));
    Err(CallError::saying(
        Code::NotSignedIn,
        format!(
            "Your wallet is a contract and signed in on {own}. Switch it to {other}, sign out and sign in again to pay there."
        ),
    ))
}

/// A [`CallError`] as axum's handlers return it.
pub struct Refused(CallError);

impl From<CallError> for Refused {
    fn from(error: CallError) -> Self {
        Self(error)
    }
}

impl axum::response::IntoResponse for Refused {
    fn into_response(self) -> axum::response::Response {
        answer::error(&self.0)
    }
}
