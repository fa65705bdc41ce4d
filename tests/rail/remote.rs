//! A remote facilitator, played by a scripted server: whatever it says that it should not is unknown, never unpaid.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use coinslot::{
    money::Amount,
    x402::{
        authorization::{Authorization, Method},
        facilitator::{Facilitator, Remote, SettleError, VerifyError},
    },
};
use serde_json::{Value, json};

use super::{
    anvil::CHAIN_ID,
    bed::{Bed, Ledger, METHODS, PAYER, PRICE, SOMEBODY, settle, unknown},
};

/// Stands in its URL; must show nowhere.
const KEY: &str = "aSecretKey0123456789";

/// Not a facilitator: a mock that answers everything with what it was told.
struct Mock {
    facilitator: Facilitator,
    script: Arc<Script>,
}

#[derive(Default)]
struct Script {
    status: Mutex<u16>,
    body: Mutex<String>,
    asked: AtomicUsize,
    last: Mutex<(String, Value)>,
}

impl Mock {
    async fn before(bed: &Bed) -> Self {
        let script = Arc::new(Script::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/{KEY}/", listener.local_addr().unwrap()).parse().unwrap();
        let app = Router::new().fallback(answer).with_state(script.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { facilitator: Facilitator::Remote(Remote::new(url, bed.chain.clone())), script }
    }

    fn says(&self, status: u16, body: impl ToString) {
        *self.script.status.lock().unwrap() = status;
        *self.script.body.lock().unwrap() = body.to_string();
        self.script.asked.store(0, Ordering::Relaxed);
    }

    fn asked(&self) -> usize {
        self.script.asked.load(Ordering::Relaxed)
    }
}

async fn answer(State(script): State<Arc<Script>>, uri: Uri, body: Bytes) -> Response {
    script.asked.fetch_add(1, Ordering::Relaxed);
    *script.last.lock().unwrap() = (uri.path().to_owned(), serde_json::from_slice(&body).unwrap_or_default());
    let status = StatusCode::from_u16(*script.status.lock().unwrap()).unwrap();
    let body = script.body.lock().unwrap().clone();
    (status, [("location", "http://127.0.0.1:1/")], body).into_response()
}

#[tokio::test]
async fn it_is_sent_the_payment_and_believed_when_the_chain_agrees() {
    let bed = Bed::new().await;
    let mock = Mock::before(&bed).await;
    for method in METHODS {
        let (authorization, ledger) = (bed.authorization(method, 1), Ledger::default());
        mock.says(200, json!({"isValid": true, "payer": authorization.from}));
        mock.facilitator.verify(&authorization).await.unwrap();
        let (path, request) = mock.script.last.lock().unwrap().clone();
        assert_eq!(path, format!("/{KEY}/verify"));
        assert_eq!(request["x402Version"], 2);
        assert_eq!(request["paymentRequirements"]["amount"], PRICE.to_string());
        assert_eq!(request["paymentPayload"]["accepted"], request["paymentRequirements"]);

        let success = |hash: &str| json!({"success": true, "transaction": hash, "network": authorization.network, "payer": authorization.from});
        mock.says(200, success(&format!("0x{}", "ab".repeat(32))));
        let unknown = unknown(mock.facilitator.settle(&authorization, &*ledger.record()).await);
        assert!(unknown.transaction.is_some(), "nothing has moved, whatever it says");

        let hash = bed.front_run(&authorization).await; // the facilitator's own transaction
        mock.says(200, success(&hash.to_string()));
        assert_eq!(mock.facilitator.settle(&authorization, &*ledger.record()).await.unwrap(), hash);
        assert!(ledger.rows().is_empty());
    }
}

#[tokio::test]
async fn what_it_should_not_answer_to_verify_is_unknown() {
    let bed = Bed::new().await;
    let mock = Mock::before(&bed).await;
    let authorization = bed.authorization(Method::Eip3009, 1);
    let valid = json!({"isValid": true});
    for (status, body, times) in [
        (500, valid.to_string(), 3),
        (429, valid.to_string(), 3),
        (302, valid.to_string(), 3),
        (402, json!({"isValid": false, "invalidReason": "invalid_exact_evm_signature"}).to_string(), 3),
        (200, "<html>".to_owned(), 3),
        (200, String::new(), 3),
        (200, "{}".to_owned(), 3),
        (200, json!({"isValid": "true"}).to_string(), 3),
        (200, " ".repeat(70_000), 3),
        (200, json!({"isValid": true, "payer": bed.account(SOMEBODY)}).to_string(), 1),
        (200, json!({"isValid": true, "invalidReason": "invalid_exact_evm_signature"}).to_string(), 1),
        (200, json!({"isValid": false}).to_string(), 1),
        (200, json!({"isValid": false, "invalidReason": "unexpected_verify_error"}).to_string(), 1),
        (400, json!({"isValid": false, "invalidReason": "invalid_format"}).to_string(), 1),
        (400, json!({"isValid": false, "invalidReason": "unsupported_scheme"}).to_string(), 1),
        (200, json!({"isValid": false, "invalidReason": "Please pay <b>again</b>"}).to_string(), 1),
    ] {
        mock.says(status, &body);
        match mock.facilitator.verify(&authorization).await {
            Err(VerifyError::Unknown(unknown)) => assert!(!unknown.cause.contains(KEY) && !unknown.cause.contains('<')),
            other => panic!("{status} {body:.80}: {other:?}"),
        }
        assert_eq!(mock.asked(), times, "{status} {body:.80}");
    }
}

/// What it says no to it may send yet: only the chain can show that it cannot.
#[tokio::test]
async fn a_refusal_counts_only_where_the_chain_shows_why() {
    let bed = Bed::new().await;
    let mock = Mock::before(&bed).await;
    let too_much = Amount::from_atomic(u128::MAX);
    for method in METHODS {
        let good = bed.authorization(method, 1);
        let unfunded = bed.signed(Authorization { value: too_much, ..bed.authorization(method, 2) }, PAYER);
        let balance = match method {
            Method::Eip3009 => "invalid_exact_evm_insufficient_balance",
            Method::Permit2 => "permit2_insufficient_balance",
        };
        for (status, said) in [(200, "insufficient_funds"), (400, "invalid_signature"), (412, "permit2_allowance_required")] {
            for (authorization, ours) in [(&good, None), (&unfunded, Some(balance))] {
                mock.says(status, json!({"isValid": false, "invalidReason": said, "payer": authorization.from}));
                match (mock.facilitator.verify(authorization).await, ours) {
                    (Err(VerifyError::Refused(refused)), Some(ours)) => assert_eq!(refused.reason, ours),
                    (Err(VerifyError::Unknown(_)), None) => {}
                    (other, _) => panic!("{said}: {other:?}"),
                }
                for spelling in ["errorReason", "error_reason"] {
                    let mut answer = json!({"success": false, "transaction": "", "network": authorization.network});
                    answer[spelling] = said.into();
                    mock.says(status, answer);
                    match (settle(&mock.facilitator, authorization).await, ours) {
                        (Err(SettleError::Refused(refused)), Some(ours)) => assert_eq!(refused.reason, ours),
                        (Err(SettleError::Unknown(_)), None) => {}
                        (other, _) => panic!("{said}: {other:?}"),
                    }
                }
            }
        }
    }
}

/// As those that are built on x402-rs answer: what they do not know is an empty text, and what failed on the chain has HTTP status 500.
#[tokio::test]
async fn m7_empty_texts_are_read_as_nothing_and_the_reason_reaches_the_payer() {
    let bed = Bed::new().await;
    let mock = Mock::before(&bed).await;
    for method in METHODS {
        let good = bed.authorization(method, 1);
        let too_much = Amount::from_atomic(u128::MAX);
        let unfunded = bed.signed(Authorization { value: too_much, ..bed.authorization(method, 2) }, PAYER);
        let balance = match method {
            Method::Eip3009 => "invalid_exact_evm_insufficient_balance",
            Method::Permit2 => "permit2_insufficient_balance",
        };
        for (status, reason) in [
            (400, "insufficient_funds"),
            (400, "invalid_format"),
            (400, "transaction_simulation"),
            (412, "permit2_allowance_required"),
            (500, "unexpected_error"),
            (200, "unexpected_error"),
            (400, ""),
        ] {
            let verified = json!({"isValid": false, "invalidReason": reason, "invalidReasonDetails": "…", "payer": ""});
            let settled = json!({
                "success": false, "network": "", "transaction": "", "errorReason": reason, "errorMessage": "…", "payer": "",
            });
            for (authorization, ours) in [(&unfunded, Some(balance)), (&good, None)] {
                mock.says(status, &verified);
                match (mock.facilitator.verify(authorization).await, ours) {
                    (Err(VerifyError::Refused(refused)), Some(ours)) => assert_eq!(refused.reason, ours),
                    // The chain shows no reason: never a demand for another payment.
                    (Err(VerifyError::Unknown(_)), None) => {}
                    (other, _) => panic!("{status} {reason}: {other:?}"),
                }
                mock.says(status, &settled);
                match (settle(&mock.facilitator, authorization).await, ours) {
                    (Err(SettleError::Refused(refused)), Some(ours)) => assert_eq!(refused.reason, ours),
                    (Err(SettleError::Unknown(_)), None) => {}
                    (other, _) => panic!("{status} {reason}: {other:?}"),
                }
                assert_eq!(mock.asked(), 1, "nobody settles twice by itself");
            }
        }
        // What goes well may be written so too.
        mock.says(200, json!({"isValid": true, "invalidReason": "", "payer": ""}));
        mock.facilitator.verify(&good).await.unwrap();
        let hash = bed.front_run(&good).await;
        mock.says(200, json!({"success": true, "errorReason": "", "transaction": hash, "network": "", "payer": ""}));
        assert_eq!(settle(&mock.facilitator, &good).await.unwrap(), hash);
        // A text that is no payer is not nobody.
        mock.says(200, json!({"success": true, "transaction": hash, "network": good.network, "payer": "0x12"}));
        assert!(matches!(settle(&mock.facilitator, &good).await, Err(SettleError::Unknown(_))));
    }
}

#[tokio::test]
async fn what_it_should_not_answer_to_settle_is_unknown_and_not_asked_again() {
    let bed = Bed::new().await;
    let mock = Mock::before(&bed).await;
    let authorization = bed.authorization(Method::Eip3009, 1);
    // It did settle: whatever it says, nobody may be told that it did not.
    let hash = bed.front_run(&authorization).await;
    let network = &authorization.network;
    let good = json!({"success": true, "transaction": hash, "network": network, "payer": authorization.from});
    let with = |field: &str, value: Value| {
        let mut answer = good.clone();
        answer[field] = value;
        answer.to_string()
    };
    let no = |reason: &str| json!({"success": false, "errorReason": reason, "transaction": "", "network": network}).to_string();
    for (status, body) in [
        (500, good.to_string()),
        (502, "<html>".to_owned()),
        (302, good.to_string()),
        (402, no("invalid_exact_evm_signature")),
        (200, String::new()),
        (200, "null".to_owned()),
        (200, "[1]".to_owned()),
        (200, " ".repeat(70_000)),
        (200, with("payer", json!(bed.account(SOMEBODY)))),
        (200, with("network", json!("eip155:1"))),
        (200, with("transaction", json!(""))),
        (200, with("transaction", json!("0x12"))),
        (200, with("transaction", json!(format!("0x{}", "ab".repeat(32))))),
        (200, with("success", json!("true"))),
        (200, with("success", json!(false))),
        (200, with("errorReason", json!("settlement_pending"))),
        (200, json!({"success": false, "transaction": "", "network": network}).to_string()),
        (
            200,
            json!({"success": false, "errorReason": "invalid_transaction_state", "transaction": hash, "network": network})
                .to_string(),
        ),
        (200, no("unexpected_settle_error")),
        (200, no("settlement_pending")),
        // Plainly refused, and it is a lie: the chain shows that the nonce is used.
        (200, no("invalid_exact_evm_insufficient_balance")),
        (400, no("insufficient_funds")),
        (200, no("invalid_exact_evm_nonce_already_used")),
    ] {
        mock.says(status, &body);
        let answer = settle(&mock.facilitator, &authorization).await;
        assert!(matches!(answer, Err(SettleError::Unknown(_))), "{status} {body:.200}: {answer:?}");
        assert_eq!(mock.asked(), 1, "{status} {body:.80}");
    }
    mock.says(200, &good);
    assert_eq!(settle(&mock.facilitator, &authorization).await.unwrap(), hash);
}

#[tokio::test]
async fn it_supports_what_it_says_it_does() {
    let bed = Bed::new().await;
    let mock = Mock::before(&bed).await;
    let supports = || mock.facilitator.supports(&bed.token, Method::Eip3009);
    let kind = |version: u8, scheme: &str, network: &str| json!({"x402Version": version, "scheme": scheme, "network": network});
    let ours = format!("eip155:{CHAIN_ID}");
    assert!(!supports(), "it was not asked yet");
    for other in [kind(1, "exact", &ours), kind(2, "upto", &ours), kind(2, "exact", "eip155:1"), json!("exact")] {
        mock.says(200, json!({"kinds": [other]}));
        mock.facilitator.refresh().await.unwrap();
        assert!(!supports(), "{other}");
    }
    mock.says(200, json!({"kinds": [kind(1, "exact", "base"), kind(2, "exact", &ours)], "extensions": [], "signers": {}}));
    mock.facilitator.refresh().await.unwrap();
    assert_eq!(mock.script.last.lock().unwrap().0, format!("/{KEY}/supported"));
    assert!(supports());
    mock.says(503, "");
    mock.facilitator.refresh().await.unwrap_err();
    assert!(supports(), "what was known before stands");
}

#[tokio::test]
async fn a_facilitator_that_is_not_there_is_unknown() {
    let bed = Bed::new().await;
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/{KEY}", gone.local_addr().unwrap()).parse().unwrap();
    drop(gone);
    let facilitator = Facilitator::Remote(Remote::new(url, bed.chain.clone()));
    let authorization = bed.authorization(Method::Eip3009, 1);
    assert!(matches!(facilitator.verify(&authorization).await, Err(VerifyError::Unknown(_))));
    let unknown = unknown(settle(&facilitator, &authorization).await);
    assert!(!unknown.cause.contains(KEY), "{}", unknown.cause);
}

#[tokio::test]
async fn nobody_without_code_is_a_contract_wallet_whatever_it_says() {
    let bed = Bed::new().await;
    let mock = Mock::before(&bed).await;
    mock.says(200, json!({"isValid": true}));
    let forged = bed.signed(bed.authorization(Method::Eip3009, 1), SOMEBODY);
    match mock.facilitator.verify(&forged).await {
        Err(VerifyError::Refused(refused)) => assert_eq!(refused.reason, "invalid_exact_evm_signature"),
        other => panic!("{other:?}"),
    }
    assert_eq!(mock.asked(), 0);
}
