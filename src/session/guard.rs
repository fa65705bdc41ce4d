//! The cookie, and the sign-in that earns it (EIP-4361; ux.md, A6).
//!
//! A nonce is a sealed token: asking for one writes nothing. Only a used one is stored. The session's token is random, and stored hashed.

use axum::{
    Json, Router,
    body::Body,
    extract::{State, rejection::JsonRejection},
    http::{HeaderMap, HeaderValue, Response, header},
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
    x402::{
        answer,
        call::broken,
        desk::{Desk, now_ms},
        offers::{hex, random_hex, same, sha256_hex},
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
#[serde(default)]
struct NonceFor {
    address: Option<Address>,
}

async fn nonce(State(desk): State<Desk>, body: axum::body::Bytes) -> Result<Json<Nonce>, Refused> {
    let wanted: NonceFor = if body.is_empty() {
        NonceFor::default()
    } else {
        serde_json::from_slice(&body).map_err(|cause| CallError::from(Code::BadJson).with_details(cause))?
    };
    let now = now_ms();
    let chain_id = desk.chains.first().map_or(1, |chain| chain.network().chain_id);
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

async fn sign_in(State(desk): State<Desk>, body: Result<Json<SignedIn>, JsonRejection>) -> Result<Response<Body>, Refused> {
    let Json(signed) = body.map_err(|cause| CallError::from(Code::BadJson).with_details(cause))?;
    let wallet = verify(&desk, &signed, now_ms())?;
    let now = now_ms();
    // Last, so that a refused sign-in can be sent again. Kept for as long as the nonce could be used.
    if !desk.books.spend_nonce(nonce_of(&signed.message), now, now + SIGN_IN_MS).await.map_err(broken)? {
        return Err(CallError::from(Code::BadNonce).into());
    }
    let token = random_hex::<32>();
    desk.books.start_session(&sha256_hex(token.as_bytes()), wallet, now, now + SESSION_MS).await.map_err(broken)?;
    let view = super::view::of(&desk, Some((wallet, now + SESSION_MS))).await?;
    Ok(with_cookie(&desk, &view, &token, SESSION_MS / 1000))
}

fn nonce_of(message: &str) -> &str {
    message.lines().find_map(|line| line.strip_prefix("Nonce: ")).unwrap_or_default()
}

/// The wallet that signed, if everything the text says is true here and now.
fn verify(desk: &Desk, signed: &SignedIn, now: i64) -> Result<Address, CallError> {
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
    if !desk.chains.iter().any(|chain| chain.network().chain_id == message.chain_id) {
        return Err(CallError::saying(Code::BadDomain, "This sign-in was made for another network."));
    }
    let issued = nonce_time(desk, &message.nonce).ok_or_else(|| CallError::from(Code::BadNonce))?;
    if now - issued > SIGN_IN_MS || issued > now || message.expiration_time.is_none() || !message.valid_now() {
        return Err(Code::SignInExpired.into());
    }
    let signature: [u8; 65] =
        alloy::hex::decode(&signed.signature).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(malformed)?;
    message.verify_eip191(&signature).map_err(|_| CallError::from(Code::BadSignature))?;
    Ok(Address(message.address))
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

fn token_of<'h>(desk: &Desk, headers: &'h HeaderMap) -> Option<&'h str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(cookie_name(desk))?.strip_prefix('='))
        .filter(|token| token.len() == 64)
}

/// The signed-in wallet of a request, by its cookie, and when the session ends (Unix milliseconds). `None`: nobody. One indexed read.
pub async fn signed_in(desk: &Desk, headers: &HeaderMap) -> Result<Option<(Address, i64)>, CallError> {
    match token_of(desk, headers) {
        Some(token) => desk.books.session(&sha256_hex(token.as_bytes()), now_ms()).await.map_err(broken),
        None => Ok(None),
    }
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
