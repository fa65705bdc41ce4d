//! Nobody's slow runs, and nobody's open pages, are in the way of others (S6).

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Request, Response},
};
use coinslot::{
    runs::streams::{STREAMS_OF_ADDRESS_MAX, STREAMS_OF_PAYER_MAX},
    server::{
        assets::Site,
        limits::{Doorkeeper, Limits, Quota},
    },
};
use tower::ServiceExt;

use crate::{
    agents::{goes_on, worked_on},
    harness::{Answer, PRICE, Shop, Staff, Visitor, eventually_some, from_credit, proof},
};

/// So many slow runs of the heron's, each on words of its own; they take three steps each, when they are told to.
async fn buys(shop: &Shop, visitor: &Visitor, words: &[String]) {
    let count = u128::try_from(words.len()).unwrap();
    let offers = shop.offer("heron").await;
    let first = visitor.glance(shop, "heron", &words[0], &proof(&offers, visitor.paid(shop, PRICE * count).await)).await;
    assert_eq!(first.status, 202, "{}", String::from_utf8_lossy(&first.bytes));
    eventually_some(async || (visitor.credit(shop).await == (PRICE * (count - 1)).to_string()).then_some(())).await;
    for say in &words[1..] {
        let payment = from_credit(&offers, &uuid::Uuid::new_v4().to_string());
        let answer = visitor.glance(shop, "heron", say, &payment).await;
        assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.bytes));
    }
}

fn words(of: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{of} {n}")).collect()
}

fn begun(words: &[String]) -> usize {
    words.iter().map(|say| worked_on(say)).sum()
}

#[tokio::test]
async fn s6_four_slow_runs_of_one_payer_do_not_hold_up_everybody() {
    let shop = Shop::open().await;
    let (ada, bob, eve) = (shop.signed_in(1).await, shop.signed_in(2).await, shop.signed_in(3).await);
    let of_ada = words("slow of ada", 8);
    buys(&shop, &ada, &of_ada).await;
    eventually_some(async || (begun(&of_ada) >= 2).then_some(())).await;
    for (visitor, say) in [(&bob, "quick of bob"), (&eve, "quick of eve")] {
        let payment = proof(&shop.offer("parrot").await, visitor.paid(&shop, PRICE).await);
        visitor.call(&shop, "parrot", say, &payment).await.said(say);
    }
    assert!(begun(&of_ada) <= 4, "the rest of hers wait for her own");
    for say in &of_ada {
        goes_on(say, 3);
    }
    eventually_some(async || (begun(&of_ada) == 8).then_some(())).await;
    eventually_some(async || ada.session(&shop).await["underWay"].as_array().is_none_or(Vec::is_empty).then_some(())).await;
    shop.assert_balanced().await;
}

#[tokio::test]
async fn s6_on_two_instances_neither_is_one_payers() {
    let shop = Shop::open().await;
    let second = Shop::with(shop.node.clone(), shop.data.clone(), Staff::All).await;
    let (ada, bob) = (shop.signed_in(1).await, shop.signed_in(2).await);
    let of_ada = words("slow on two", 10);
    buys(&shop, &ada, &of_ada).await;
    eventually_some(async || (begun(&of_ada) == 8).then_some(())).await;
    let payment = proof(&second.offer("parrot").await, bob.paid(&second, PRICE).await);
    bob.call(&second, "parrot", "quick on two", &payment).await.said("quick on two");
    for say in &of_ada {
        goes_on(say, 3);
    }
    eventually_some(async || (begun(&of_ada) == 10).then_some(())).await;
    eventually_some(async || ada.session(&shop).await["underWay"].as_array().is_none_or(Vec::is_empty).then_some(())).await;
    shop.assert_balanced().await;
}

/// Behind a proxy that says who asks.
async fn listens(router: &Router, run: &str, visitor: &Visitor, from: &str) -> Response<Body> {
    let peer: SocketAddr = "10.0.0.1:1".parse().unwrap();
    let request = Request::get(format!("/api/runs/{run}/events"))
        .header("accept", "text/event-stream")
        .header("sec-fetch-site", "same-origin")
        .header("cookie", visitor.cookie.clone().unwrap())
        .header("x-forwarded-for", from)
        .extension(ConnectInfo(peer));
    router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn s6_one_address_cannot_take_all_streams_with_many_wallets() {
    let shop = Shop::open().await;
    let off = Quota::NONE;
    let doorkeeper = Doorkeeper::new(Limits { pages: off, api: off, sign_in: off }, vec!["10.0.0.0/8".parse().unwrap()]);
    let router = coinslot::server::router::router(shop.desk.clone(), Site::new([]), None, doorkeeper);
    let (mut open, mut runs, mut visitors) = (Vec::new(), Vec::new(), Vec::new());
    let said = words("watched", STREAMS_OF_ADDRESS_MAX / STREAMS_OF_PAYER_MAX + 1);
    for (n, say) in said.iter().enumerate() {
        let visitor = shop.signed_in(n + 1).await;
        buys(&shop, &visitor, std::slice::from_ref(say)).await;
        let run = visitor.session(&shop).await["underWay"][0]["id"].as_str().unwrap().to_owned();
        runs.push(run);
        visitors.push(visitor);
    }
    for (run, visitor) in runs.iter().zip(&visitors).take(said.len() - 1) {
        for _ in 0..STREAMS_OF_PAYER_MAX {
            let stream = listens(&router, run, visitor, "203.0.113.7").await;
            assert_eq!(stream.status(), 200);
            open.push(stream);
        }
    }
    let (run, visitor) = (&runs[said.len() - 1], &visitors[said.len() - 1]);
    let refused = Answer::of(listens(&router, run, visitor, "203.0.113.7").await).await;
    refused.is(429, "rate_limited");
    assert_eq!(refused.header("retry-after"), Some("5"), "the page asks for the run instead");
    assert_eq!(visitor.get(&shop, &format!("/api/runs/{run}")).await.status, 200);
    assert_eq!(listens(&router, run, visitor, "203.0.113.8").await.status(), 200, "others have their own");
    open.pop();
    assert_eq!(listens(&router, run, visitor, "203.0.113.7").await.status(), 200, "one that was closed left its place");
    for say in &said {
        goes_on(say, 3);
    }
    tokio::time::timeout(Duration::from_secs(10), async {
        for stream in open {
            let all = Answer::of(stream).await.bytes;
            assert!(String::from_utf8_lossy(&all).contains("event: end"));
        }
    })
    .await
    .expect("each stream ends with its run");
}
