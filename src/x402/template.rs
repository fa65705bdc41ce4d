//! An unpaid 402, made once for all who ask, with holes for the little that differs: each offer's seal and end, and the sign-in's challenge, where
//! there is one.
//!
//! A price is asked for far more often than it is paid, and by anybody: so a 402 must cost next to nothing. Two 402s of an agent have the same offers,
//! schemas and words as long as the same ways to pay are open (`Counter::open_ways`); what belongs to one alone is sealed anew for each. It is made from
//! the answer that would be given without it, so it cannot say anything else; where the holes are not found for certain, that one is given.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{Arc, PoisonError, RwLock},
};

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use futures::FutureExt;
use serde_json::Value;

use super::{
    desk::{Desk, now_ms},
    offers::{Seal, fill_random, hex},
    packed,
    sign_in::{self, Moment, SIGN_IN_WITH_X},
    wire::{PAYMENT_REQUIRED, PaymentRequired},
};
use crate::card::Card;

/// One for each agent and each set of ways to pay that was open once. More than a shop of many agents and networks ever has.
const TEMPLATES_MAX: usize = 1024;
/// Of each offer.
const NONCE_BYTES: usize = 16;
/// Of each challenge: the random half of its nonce.
const CHALLENGE_BYTES: usize = 8;

/// The agent's slug, the ways to pay that are open, and whether a sign-in is offered.
type Key = (&'static str, u64, bool);

/// `None`: there is no template for these.
#[derive(Default)]
pub struct Templates(RwLock<HashMap<Key, Option<Arc<Template>>>>);

impl Templates {
    fn get(&self, key: Key) -> Option<Option<Arc<Template>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }

    fn put(&self, key: Key, template: Option<Arc<Template>>) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= TEMPLATES_MAX {
            all.clear();
        }
        all.insert(key, template);
    }
}

/// The 402 of an agent for nobody in particular. `None`: it is to be made piece by piece. `make` does so: what it offers, and the answer with that.
/// `signs_in`: it offers a sign-in.
pub(super) fn unpaid(
    desk: &Desk,
    card: &Card,
    signs_in: bool,
    make: impl FnOnce() -> Option<(PaymentRequired, Response<Body>)>,
) -> Option<Response<Body>> {
    let ways = desk.open_ways(card).filter(|ways| *ways != 0)?;
    let key = (card.slug, ways, signs_in);
    let template = match desk.templates.get(key) {
        Some(known) => known?,
        None => {
            let (required, answer) = make()?;
            // What opened or closed while it was made is not what the key says.
            let is_of_key = u32::try_from(required.accepts.len()) == Ok(ways.count_ones()) && desk.open_ways(card) == Some(ways);
            let made = is_of_key.then(|| Template::new(desk.offer_ttl_ms, &required, answer)).flatten().map(Arc::new);
            if is_of_key {
                desk.templates.put(key, made.clone());
            }
            made?
        }
    };
    template.answer(&desk.seal, now_ms())
}

struct Template {
    /// All but `PAYMENT-REQUIRED`.
    headers: HeaderMap,
    body: Bytes,
    /// What `PAYMENT-REQUIRED` holds, as JSON and as it is sent, with whatever was in the holes first.
    json: Vec<u8>,
    base64: Vec<u8>,
    seals: Vec<Sealed>,
    /// Where each offer's end is, Unix milliseconds in decimal.
    ends: Vec<Range<usize>>,
    challenge: Option<Challenge>,
    /// What a challenge is bound to.
    resource: String,
    /// An offer's life, in milliseconds.
    ttl_ms: i64,
    /// The parts of the JSON that have holes, from one multiple of three bytes to another: as many groups of base64.
    changing: Vec<Range<usize>>,
}

/// Where the sign-in's words of the moment are.
struct Challenge {
    nonce: Range<usize>,
    issued_at: Range<usize>,
    expiration_time: Range<usize>,
}

impl Challenge {
    /// `info`: what is signed.
    fn find(json: &[u8], info: &Value) -> Option<Self> {
        let hole = |name: &str| only(json, &format!("\"{name}\":\""), info.get(name)?.as_str()?);
        Some(Self { nonce: hole("nonce")?, issued_at: hole("issuedAt")?, expiration_time: hole("expirationTime")? })
    }

    fn holes(&self) -> [&Range<usize>; 3] {
        [&self.nonce, &self.issued_at, &self.expiration_time]
    }
}

/// An offer's seal.
struct Sealed {
    at: Range<usize>,
    /// Its terms, as they were sealed first.
    packed: Vec<u8>,
    issue_at: usize,
}

impl Template {
    /// `None`: not every hole is where it must be, and nowhere else.
    fn new(ttl_ms: i64, required: &PaymentRequired, answer: Response<Body>) -> Option<Self> {
        let json = serde_json::to_vec(required).ok()?;
        let (mut parts, body) = answer.into_parts();
        // It is whole already.
        let body = to_bytes(body, usize::MAX).now_or_never()?.ok()?;
        let sent = parts.headers.remove(PAYMENT_REQUIRED)?;
        let base64 = BASE64_STANDARD.encode(&json).into_bytes();
        if parts.status != StatusCode::PAYMENT_REQUIRED || sent.as_bytes() != base64 {
            return None;
        }
        let mut seals = Vec::new();
        for offer in &required.accepts {
            let token = offer.extra.offer.as_deref()?;
            let packed = Seal::packed_in(token)?;
            seals.push(Sealed { at: only(&json, "\"offer\":\"", token)?, issue_at: packed::issue_at(&packed)?, packed });
        }
        let end_ms = required.accepts.first()?.extra.expires_at_ms?;
        let ends = all(&json, "\"expiresAtMs\":", &end_ms.to_string());
        let challenge = match required.extensions.get(SIGN_IN_WITH_X) {
            Some(extension) => Some(Challenge::find(&json, extension.get("info")?)?),
            None => None,
        };
        if ends.len() != required.accepts.len() {
            return None;
        }
        let holes = seals.iter().map(|seal| &seal.at).chain(&ends).chain(challenge.iter().flat_map(Challenge::holes));
        let changing = groups(holes.cloned().collect(), json.len());
        let (headers, resource) = (parts.headers, required.resource.url.clone());
        Some(Self { headers, body, json, base64, seals, ends, challenge, resource, ttl_ms, changing })
    }

    /// `None`: what belongs into a hole has another length now (in the year 2286).
    fn answer(&self, seal: &Seal, now_ms: i64) -> Option<Response<Body>> {
        let mut random = vec![0; self.seals.len() * NONCE_BYTES + CHALLENGE_BYTES];
        fill_random(&mut random);
        let (of_challenge, nonces) = random.split_at_checked(CHALLENGE_BYTES)?;
        let mut json = self.json.clone();
        for (sealed, nonce) in self.seals.iter().zip(nonces.as_chunks::<NONCE_BYTES>().0) {
            let mut packed = sealed.packed.clone();
            packed::restamp(&mut packed, sealed.issue_at, now_ms, nonce)?;
            seal.close_over(&packed, json.get_mut(sealed.at.clone())?)?;
        }
        let end_ms = now_ms.checked_add(self.ttl_ms)?.to_string();
        for at in &self.ends {
            write(&mut json, at, &end_ms)?;
        }
        if let Some(challenge) = &self.challenge {
            let Moment { nonce, issued_at, expiration_time } = sign_in::moment(seal, &self.resource, now_ms, &hex(of_challenge));
            for (at, text) in challenge.holes().into_iter().zip([nonce, issued_at, expiration_time]) {
                write(&mut json, at, &text)?;
            }
        }

        let mut base64 = self.base64.clone();
        for at in &self.changing {
            BASE64_STANDARD.encode_slice(json.get(at.clone())?, base64.get_mut(at.start / 3 * 4..)?).ok()?;
        }
        let mut headers = self.headers.clone();
        let required = HeaderValue::from_maybe_shared(Bytes::from(base64)).ok()?;
        headers.insert(HeaderName::from_static(PAYMENT_REQUIRED), required);
        let mut response = Response::new(Body::from(self.body.clone()));
        *response.status_mut() = StatusCode::PAYMENT_REQUIRED;
        *response.headers_mut() = headers;
        Some(response)
    }
}

fn write(json: &mut [u8], at: &Range<usize>, text: &str) -> Option<()> {
    let hole = json.get_mut(at.clone())?;
    (hole.len() == text.len()).then(|| hole.copy_from_slice(text.as_bytes()))
}

/// Where `value` is behind `name`, each time. Both are as JSON has them: nothing in them is escaped.
fn all(json: &[u8], name: &str, value: &str) -> Vec<Range<usize>> {
    let text = format!("{name}{value}");
    let found = json.windows(text.len()).enumerate().filter(|(_, window)| *window == text.as_bytes());
    found.map(|(at, _)| at + name.len()..at + text.len()).collect()
}

/// The one place where it is.
fn only(json: &[u8], name: &str, value: &str) -> Option<Range<usize>> {
    match all(json, name, value).as_slice() {
        [one] => Some(one.clone()),
        _ => None,
    }
}

/// What these are part of in groups of three bytes, each group once.
fn groups(mut holes: Vec<Range<usize>>, end: usize) -> Vec<Range<usize>> {
    holes.sort_by_key(|hole| hole.start);
    let mut groups: Vec<Range<usize>> = Vec::new();
    for hole in holes {
        let (start, end) = (hole.start / 3 * 3, hole.end.next_multiple_of(3).min(end));
        match groups.last_mut() {
            Some(last) if start <= last.end => last.end = last.end.max(end),
            _ => groups.push(start..end),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s5_a_group_of_base64_is_written_once_and_whole() {
        assert_eq!(groups(vec![7..8, 1..2], 100), [0..3, 6..9]);
        assert_eq!(groups(vec![0..4, 5..6, 97..99], 99), [0..6, 96..99]);
        assert_eq!(groups(vec![0..1, 98..100], 100), [0..3, 96..100], "the last one may be short");
    }

    #[test]
    fn s5_a_hole_is_found_where_it_is_and_refused_where_it_may_be_elsewhere() {
        let json = br#"{"nonce":"ab","others":{"nonce":"abc","anonce":"ab"}}"#;
        assert_eq!(all(json, "\"nonce\":\"", "ab"), [10..12, 33..35]);
        assert_eq!((only(json, "\"nonce\":\"", "ab"), only(json, "\"nonce\":\"", "abc")), (None, Some(33..36)));
    }
}
