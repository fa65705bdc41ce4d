//! Sign-in with Ethereum (A6, O12): domain, URI, chain, nonce, times and signer are all looked at.

use alloy::signers::SignerSync;
use axum::body::Body;
use serde_json::json;

use crate::harness::{Shop, post};

#[tokio::test]
async fn a_signed_in_wallet_has_a_session_that_scripts_cannot_read() {
    let shop = Shop::open().await;
    let ada = shop.visitor(1);
    let nonce = ada.nonce(&shop).await;
    let answer = ada.present_sign_in(&shop, &ada.text(&nonce)).await;
    assert_eq!((answer.status, &answer.json()["address"]), (200, &json!(ada.address())));
    let cookie = answer.header("set-cookie").unwrap();
    for word in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=604800"] {
        assert!(cookie.contains(word), "{cookie}");
    }
}

#[tokio::test]
async fn signing_out_ends_the_session() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let request = axum::http::Request::delete("/api/session").header("cookie", ada.cookie.clone().unwrap());
    assert_eq!(shop.ask(request.body(Body::empty()).unwrap()).await.status, 200);
    assert_eq!(ada.session(&shop).await["address"], json!(null));
}

#[tokio::test]
async fn o12_a_nonce_is_ours_and_used_once() {
    let shop = Shop::open().await;
    let ada = shop.visitor(1);
    let text = ada.text(&ada.nonce(&shop).await);
    assert_eq!(ada.present_sign_in(&shop, &text).await.status, 200);
    ada.present_sign_in(&shop, &text).await.is(401, "bad_nonce");
    let mut made_up = text.clone();
    made_up.nonce = "0".repeat(64);
    ada.present_sign_in(&shop, &made_up).await.is(401, "bad_nonce");
    assert_eq!(shop.desk.books.audit().await.unwrap().runs, 0);
}

#[tokio::test]
async fn o12_a_sign_in_for_another_site_network_or_time_is_refused() {
    let shop = Shop::open().await;
    let ada = shop.visitor(1);
    let fine = ada.text(&ada.nonce(&shop).await);
    let with = |change: fn(&mut coinslot::session::message::SignIn)| {
        let mut text = fine.clone();
        change(&mut text);
        text
    };
    ada.present_sign_in(&shop, &with(|text| text.domain = "evil.example".into())).await.is(401, "bad_domain");
    ada.present_sign_in(&shop, &with(|text| text.uri = "http://127.0.0.1:40200".into())).await.is(401, "bad_domain");
    ada.present_sign_in(&shop, &with(|text| text.uri = "https://evil.example".into())).await.is(401, "bad_domain");
    ada.present_sign_in(&shop, &with(|text| text.chain_id = 1)).await.is(401, "bad_domain");
    ada.present_sign_in(&shop, &with(|text| text.expiration_time = "2020-01-01T00:00:00Z".into()))
        .await
        .is(401, "sign_in_expired");
    assert_eq!(ada.present_sign_in(&shop, &fine).await.status, 200, "a refused sign-in spent the nonce");
}

#[tokio::test]
async fn o12_another_signer_is_refused() {
    let shop = Shop::open().await;
    let (ada, eve) = (shop.visitor(1), shop.visitor(2));
    let message = ada.text(&ada.nonce(&shop).await).text();
    let by_eve = alloy::hex::encode_prefixed(eve.key.sign_message_sync(message.as_bytes()).unwrap().as_bytes());
    for signature in
        [by_eve.as_str(), "0x", "0x00", &format!("0x{}", "00".repeat(65)), &format!("0x{}", "ff".repeat(65)), "nonsense"]
    {
        let body = json!({ "message": message, "signature": signature }).to_string();
        shop.ask(post("/api/session", "").body(Body::from(body)).unwrap()).await.is(401, "bad_signature");
    }
    for text in ["{}", "[]", "x", r#"{"message":"x"}"#] {
        shop.ask(post("/api/session", "").body(Body::from(text)).unwrap()).await.is(400, "bad_json");
    }
}
