//! A request as its recipe, so that it can be sent again exactly (B12), and an answer as plain data.

use crate::{
    error::{CallError, Stage},
    x402::wire::{self, PaymentRequired},
};

/// What is sent: the same method, path, headers and body each time; only the payment comes and goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    pub method: String,
    /// On our own origin, with its query: `/api/x402/contract-xray`.
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// Where the paid paths are.
pub const PAID: &str = "/api/x402/";

impl Recipe {
    pub fn post_json(path: &str, body: &str) -> Self {
        let json = || "application/json".to_owned();
        Self {
            method: "POST".into(),
            path: path.into(),
            headers: vec![("content-type".into(), json()), ("accept".into(), json())],
            body: body.into(),
        }
    }

    /// Does it ask for the price alone? A payment for it would buy nothing: only a POST with an input is a call.
    pub fn only_asks(&self) -> bool {
        self.method != "POST" || self.body.is_empty()
    }

    /// The card's slug, from the path.
    pub fn agent(&self) -> &str {
        let rest = self.path.strip_prefix(PAID).unwrap_or_default();
        rest.split(['/', '?']).next().unwrap_or_default()
    }

    /// The headers of an attempt. The payment goes under both of its names, the standard's and the workflow's; with it the server is asked to say
    /// soon how far it is, rather than to hold the request until the answer is there (RFC 7240).
    /// `only_wait`: nobody clicked, so a run that has failed meanwhile is not to be begun again.
    pub fn headers_with(&self, payment: Option<&str>, only_wait: bool) -> Vec<(String, String)> {
        let mut headers = self.headers.clone();
        if let Some(payment) = payment {
            headers.push((wire::PAYMENT_SIGNATURE.into(), payment.into()));
            headers.push((wire::X_PAYMENT.into(), payment.into()));
            headers.push(("prefer".into(), if only_wait { "wait=1, only-wait" } else { "wait=1" }.into()));
        }
        headers
    }
}

/// Tells bodies apart where a short name is needed (FNV-1a), and nothing is lost where two are taken for one.
pub fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// What it says if it is no result. `None`: it is one.
    pub fn failure(&self) -> Option<CallError> {
        match self.status {
            202 | 400.. => Some(CallError::of_answer(self.status, &self.body)),
            _ => None,
        }
    }

    /// The offers of a 402.
    ///
    /// # Errors
    /// Why there are none: the answer's own words, or the header cannot be read.
    pub fn offers(&self) -> Result<PaymentRequired, CallError> {
        let said = || CallError::of_answer(self.status, &self.body);
        let header = self.header(wire::PAYMENT_REQUIRED).ok_or_else(said)?;
        wire::decode(header).map_err(|cause| said().with_details(cause))
    }

    /// The run that the server named, in `Content-Location` or `Location`: `/api/runs/<id>#key=…`.
    pub fn run(&self) -> Option<String> {
        let place = self.header("content-location").or_else(|| self.header("location"))?;
        let (_, id) = place.split_once("/api/runs/")?;
        let id = id.split(['?', '/', '#']).next()?;
        (!id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')).then(|| id.to_owned())
    }
}

/// How far a 202 says the payment is: its stage, or what its code implies.
pub fn stage_of(error: &CallError) -> Option<Stage> {
    error.stage.or((error.code == crate::error::Code::Running).then_some(Stage::Running))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::error::Code;

    #[test]
    fn b12_the_retry_is_the_same_request_with_its_payment_under_both_names() {
        let recipe = Recipe::post_json("/api/x402/contract-xray/", r#"{"address":"0x1"}"#);
        let plain = recipe.headers_with(None, false);
        let paid = recipe.headers_with(Some("cGF5"), false);
        assert_eq!(paid[..plain.len()], plain);
        assert_eq!(
            paid[plain.len()..],
            [("payment-signature", "cGF5"), ("x-payment", "cGF5"), ("prefer", "wait=1")].map(|(a, b)| (a.into(), b.into()))
        );
    }

    #[test]
    fn m3_a_question_about_the_price_is_no_call() {
        let call = Recipe::post_json("/api/x402/contract-xray", r#"{"address":"0x1"}"#);
        assert!(!call.only_asks());
        for method in ["GET", "HEAD", "PUT"] {
            assert!(Recipe { method: method.into(), ..call.clone() }.only_asks(), "{method}");
        }
        assert!(Recipe { body: String::new(), ..call }.only_asks());
    }

    #[test]
    fn the_agent_is_in_the_path() {
        for path in ["/api/x402/contract-xray", "/api/x402/contract-xray/", "/api/x402/contract-xray?x=1"] {
            assert_eq!(Recipe::post_json(path, "").agent(), "contract-xray");
        }
        assert_eq!(Recipe::post_json("/api/session", "").agent(), "");
    }

    #[test]
    fn the_run_is_read_from_either_location() {
        let at = |name: &str, place: &str| Answer { headers: vec![(name.into(), place.into())], ..Answer::default() }.run();
        assert_eq!(at("location", "/api/runs/0199-ab#key=00ff").as_deref(), Some("0199-ab"));
        assert_eq!(at("location", "/api/runs/0199-ab?key=00ff").as_deref(), Some("0199-ab"), "an older shop's");
        assert_eq!(at("Content-Location", "https://shop.example/api/runs/0199-ab").as_deref(), Some("0199-ab"));
        for bad in ["/api/runs/", "/runs/1", "/api/runs/<script>"] {
            assert_eq!(at("location", bad), None, "{bad}");
        }
    }

    #[test]
    fn a_402_without_readable_offers_says_what_it_says() {
        let body = serde_json::to_string(&CallError::from(Code::PaymentReverted)).unwrap();
        let answer = Answer { status: 402, body, headers: vec![("payment-required".into(), "%%%".into())] };
        assert_eq!(answer.offers().unwrap_err().code, Code::PaymentReverted);
    }
}
