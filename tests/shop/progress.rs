//! How far a run is, as its payer hears it: events, their end, what a cut stream missed, and who may not listen (D5).

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, BodyDataStream},
    http::{HeaderMap, Request},
};
use coinslot::{
    run::STEPS_MAX,
    runs::{Pace, streams::STREAMS_OF_PAYER_MAX},
};
use futures::StreamExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{
    agents::{CHATTED, goes_on},
    harness::{Answer, Node, PRICE, QUICK, Shop, Staff, Visitor, eventually_some, get, proof},
};

/// An open stream.
struct Ear {
    headers: HeaderMap,
    body: BodyDataStream,
    heard: String,
}

#[derive(Debug, PartialEq)]
struct Event {
    name: String,
    id: String,
    data: Value,
}

impl Ear {
    async fn open(shop: &Shop, path: &str, cookie: Option<&str>, seen: Option<&str>) -> Result<Self, Answer> {
        let mut request = get(path).header("sec-fetch-site", "same-origin").header("accept", "text/event-stream");
        for (name, value) in [("cookie", cookie), ("last-event-id", seen)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let response = shop.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        if response.status() != 200 {
            return Err(Answer::of(response).await);
        }
        let (parts, body) = response.into_parts();
        Ok(Self { headers: parts.headers, body: body.into_data_stream(), heard: String::new() })
    }

    async fn of(shop: &Shop, visitor: &Visitor, run: &str) -> Self {
        let opened = Self::open(shop, &format!("/api/runs/{run}/events"), visitor.cookie.as_deref(), None).await;
        opened.unwrap_or_else(|answer| panic!("{}", String::from_utf8_lossy(&answer.bytes)))
    }

    /// `false`: the stream has ended.
    async fn listen(&mut self) -> bool {
        let next = tokio::time::timeout(Duration::from_secs(30), self.body.next()).await.expect("it says something");
        match next {
            Some(part) => {
                self.heard.push_str(std::str::from_utf8(&part.unwrap()).unwrap());
                true
            }
            None => false,
        }
    }

    /// Listens until it has heard this, and gives all events so far.
    async fn until(&mut self, said: &str) -> Vec<Event> {
        while !self.heard.contains(said) {
            assert!(self.listen().await, "it ended before it said {said}: {}", self.heard);
        }
        self.events()
    }

    async fn all(&mut self) -> Vec<Event> {
        while self.listen().await {}
        self.events()
    }

    fn events(&self) -> Vec<Event> {
        let whole = self.heard.rsplit_once("\n\n").map_or("", |(whole, _)| whole);
        let of = |block: &str| {
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim).map(str::to_owned);
            let data = field("data:")?;
            Some(Event { name: field("event:")?, id: field("id:")?, data: serde_json::from_str(&data).unwrap() })
        };
        whole.split("\n\n").filter_map(of).collect()
    }
}

/// Ada buys the heron's work on these words; the run's id and its path with its key.
async fn bought(shop: &Shop, ada: &Visitor, say: &str) -> (String, String) {
    let payment = proof(&shop.offer("heron").await, ada.paid(shop, PRICE).await);
    let answer = ada.glance(shop, "heron", say, &payment).await;
    assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.bytes));
    let path = answer.header("location").unwrap().to_owned();
    let id = path.trim_start_matches("/api/runs/").split('#').next().unwrap().to_owned();
    (id, path)
}

fn words(events: &[Event]) -> Vec<&str> {
    let told = events.iter().filter(|event| event.name == "progress");
    told.map(|event| event.data["words"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn d5_each_step_is_told_as_it_happens_and_so_is_the_end() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let (run, path) = bought(&shop, &ada, "told").await;
    let mut ear = Ear::of(&shop, &ada, &run).await;
    assert_eq!(ear.headers["content-type"], "text/event-stream");
    assert_eq!(ear.headers["cache-control"], "private, no-store, no-transform");
    assert_eq!(ear.headers["x-accel-buffering"], "no");
    assert!(ear.headers.get("content-encoding").is_none(), "nothing keeps events back until there are enough of them");

    ear.until("told wades 1").await;
    assert!(ear.heard.starts_with("retry:"), "a client knows when to come again: {}", ear.heard);
    // The second is told while the work waits for the third: nobody has to wait for the end.
    goes_on("told", 1);
    let events = ear.until("told wades 2").await;
    let second = json!({ "step": 2, "of": 3, "words": "told wades 2", "atMs": events[1].data["atMs"] });
    assert_eq!((&events[1].name, &events[1].id, &events[1].data), (&"progress".to_owned(), &"2".to_owned(), &second));
    // Programs see the same where the run is, with its key and no session.
    let seen = shop.get(&path).await.json();
    assert_eq!((&seen["state"], &seen["progress"]["steps"][1]), (&json!("running"), &second));
    assert!(seen["progress"].get("again").is_none(), "it was begun once");
    assert_eq!(ada.session(&shop).await["underWay"][0]["progress"]["steps"][1], second);
    assert_eq!(ada.get(&shop, "/api/page/history").await.json()["runs"][0]["progress"]["steps"][1], second);

    goes_on("told", 2);
    let events = ear.all().await;
    assert_eq!(words(&events), ["told wades 1", "told wades 2", "told wades 3"], "none is missing, none is told twice");
    let last = events.last().unwrap();
    assert_eq!((last.name.as_str(), &last.data), ("end", &json!({ "state": "done" })));
    // Whoever comes too late hears it all, and that it is over.
    assert_eq!(Ear::of(&shop, &ada, &run).await.all().await, events);
    shop.assert_balanced().await;
}

#[tokio::test]
async fn d5_a_quiet_stream_gives_signs_of_life() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let (run, _) = bought(&shop, &ada, "quiet").await;
    let mut ear = Ear::of(&shop, &ada, &run).await;
    ear.until("quiet wades 1").await;
    let beats = |heard: &str| heard.lines().filter(|line| line.starts_with(':')).count();
    let before = beats(&ear.heard);
    while beats(&ear.heard) < before + 3 {
        assert!(ear.listen().await, "it ended: {}", ear.heard);
    }
    goes_on("quiet", 3);
    ear.all().await;
}

#[tokio::test]
async fn d5_a_stream_that_was_cut_goes_on_where_it_was() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let (run, _) = bought(&shop, &ada, "cut").await;
    goes_on("cut", 1);
    let mut ear = Ear::of(&shop, &ada, &run).await;
    let seen = ear.until("cut wades 2").await.pop().unwrap().id;
    drop(ear);
    goes_on("cut", 1);
    let path = format!("/api/runs/{run}/events");
    let mut ear = Ear::open(&shop, &path, ada.cookie.as_deref(), Some(&seen)).await.ok().unwrap();
    assert_eq!(words(&ear.until("cut wades 3").await), ["cut wades 3"]);
    goes_on("cut", 1);
    ear.all().await;
    // Nonsense is no reason to tell nothing.
    let mut ear = Ear::open(&shop, &path, ada.cookie.as_deref(), Some("no number")).await.ok().unwrap();
    assert_eq!(words(&ear.all().await).len(), 3);
}

#[tokio::test]
async fn nobody_but_the_payer_and_the_keys_holder_may_listen() {
    let shop = Shop::open().await;
    let (ada, eve) = (shop.signed_in(1).await, shop.signed_in(2).await);
    let (run, path) = bought(&shop, &ada, "private").await;
    let events = format!("/api/runs/{run}/events");
    let refused = async |path: &str, cookie: Option<&str>| {
        let answer = Ear::open(&shop, path, cookie, None).await.err().expect("it is refused");
        answer.is(404, "no_such_run");
    };
    refused(&events, None).await;
    refused(&events, eve.cookie.as_deref()).await;
    refused(&format!("{events}?key={}", "0".repeat(32)), eve.cookie.as_deref()).await;
    refused("/api/runs/nonsense/events", ada.cookie.as_deref()).await;
    let with_key = path.replace('#', "/events#");
    let mut ear = Ear::open(&shop, &with_key, None, None).await.ok().expect("its key opens it");
    ear.until("private wades 1").await;
    goes_on("private", 3);
    assert_eq!(words(&ear.all().await).len(), 3);
}

#[tokio::test]
async fn a_second_instance_tells_what_the_first_one_works_on() {
    let shop = Shop::open().await;
    let second = Shop::with(shop.node.clone(), shop.data.clone(), Staff::CounterOnly).await;
    let ada = shop.signed_in(1).await;
    let (run, _) = bought(&shop, &ada, "elsewhere").await;
    let mut ear = Ear::of(&second, &ada, &run).await;
    ear.until("elsewhere wades 1").await;
    goes_on("elsewhere", 1);
    ear.until("elsewhere wades 2").await;
    goes_on("elsewhere", 2);
    assert_eq!(ear.all().await.last().unwrap().data, json!({ "state": "done" }));
}

#[tokio::test]
async fn d5_work_that_broke_and_is_begun_again_is_seen_to_begin_again() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let (run, path) = bought(&shop, &ada, "break-once:heron").await;
    let mut ear = Ear::of(&shop, &ada, &run).await;
    goes_on("break-once:heron", 1);
    ear.until("wades 2").await;
    goes_on("break-once:heron", 1);
    ear.until("event: again").await;
    let seen = eventually_some(async || {
        let run = shop.get(&path).await.json();
        (run["progress"]["again"] == true && run["progress"]["steps"][0]["step"] == 1).then_some(run)
    })
    .await;
    assert_eq!(seen["progress"]["steps"].as_array().unwrap().len(), 1, "the steps of the first attempt are gone: {seen}");
    goes_on("break-once:heron", 3);
    let events = ear.all().await;
    let names: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["progress", "progress", "again", "progress", "progress", "progress", "end"]);
    let ids: Vec<i64> = events.iter().take(6).map(|event| event.id.parse().unwrap()).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    shop.assert_balanced().await;
}

/// Everything of a process ends in a moment, as by SIGKILL; the chain and the files live on.
#[tokio::test]
async fn d3_what_was_told_survives_a_kill_and_the_next_instance_begins_again() {
    let node = Arc::new(Node::start());
    let data = Arc::new(tempfile::tempdir().unwrap());
    let process = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (told, telling) = tokio::sync::oneshot::channel();
    let (first_node, first_data) = (node.clone(), data.clone());
    process.spawn(async move {
        let shop = Shop::with(first_node, first_data, Staff::All).await;
        let ada = shop.signed_in(1).await;
        let (run, _) = bought(&shop, &ada, "killed").await;
        goes_on("killed", 1);
        Ear::of(&shop, &ada, &run).await.until("killed wades 2").await;
        let _ = told.send((run, ada.cookie));
        std::future::pending::<()>().await;
    });
    let (run, cookie) = telling.await.unwrap();
    process.shutdown_background();

    let shop = Shop::with(node, data, Staff::All).await;
    let ada = Visitor { cookie, ..shop.visitor(1) };
    let mut ear = Ear::of(&shop, &ada, &run).await;
    assert_eq!(words(&ear.until("killed wades 2").await), ["killed wades 1", "killed wades 2"], "a reload shows what was shown");
    // The lease of the one that was killed has to end first.
    ear.until("event: again").await;
    goes_on("killed", 3);
    let events = ear.all().await;
    assert_eq!(words(&events)[2..], ["killed wades 1", "killed wades 2", "killed wades 3"]);
    assert_eq!(events.last().unwrap().data, json!({ "state": "done" }));
    shop.assert_balanced().await;
}

#[tokio::test]
async fn a_loop_that_tells_without_end_fills_nothing_and_is_not_slowed_down() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let began = std::time::Instant::now();
    let (run, path) = bought(&shop, &ada, "chatty:heron").await;
    let mut ear = Ear::of(&shop, &ada, &run).await;
    ear.until("100000 so much to say").await;
    let slowed = CHATTED.lock().unwrap().expect("the loop has ended");
    assert!(slowed < Duration::from_secs(3), "100 000 reports took the work {slowed:?}");
    let steps = shop.get(&path).await.json()["progress"]["steps"].as_array().unwrap().clone();
    assert_eq!((steps.len(), &steps[STEPS_MAX - 1]["step"]), (STEPS_MAX, &json!(100_000)), "the last one wins");
    assert!(steps.iter().all(|step| step["words"].as_str().unwrap().chars().count() <= 200));
    goes_on("chatty:heron", 1);
    let last: u128 = ear.all().await.last().unwrap().id.parse().unwrap();
    // The first write has all the steps; each later one only the last.
    let writes = began.elapsed().as_millis() / 500 + 2;
    assert!(last <= STEPS_MAX as u128 + writes, "{last} rows were written in {writes} half seconds");
    shop.assert_balanced().await;
}

#[tokio::test]
async fn one_payer_cannot_take_all_streams_and_a_closed_one_leaves_its_place() {
    let shop = Shop::open().await;
    let (ada, eve) = (shop.signed_in(1).await, shop.signed_in(2).await);
    let (run, _) = bought(&shop, &ada, "crowd").await;
    let path = format!("/api/runs/{run}/events");
    let mut ears = Vec::new();
    for _ in 0..STREAMS_OF_PAYER_MAX {
        ears.push(Ear::of(&shop, &ada, &run).await);
    }
    let full = Ear::open(&shop, &path, ada.cookie.as_deref(), None).await.err().expect("there are too many");
    full.is(429, "rate_limited");
    assert_eq!(full.header("retry-after"), Some("5"));
    let (other, _) = bought(&shop, &eve, "crowd of eve").await;
    drop(Ear::of(&shop, &eve, &other).await);
    ears.pop();
    drop(Ear::of(&shop, &ada, &run).await);
    goes_on("crowd", 3);
    goes_on("crowd of eve", 3);
}

#[tokio::test]
async fn a_stream_ends_with_the_shop_and_the_client_will_come_again() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let (run, _) = bought(&shop, &ada, "closing").await;
    let mut ear = Ear::of(&shop, &ada, &run).await;
    ear.until("closing wades 1").await;
    shop.closes();
    let events = ear.all().await;
    assert!(events.iter().all(|event| event.name != "end"), "the run has not ended: {events:?}");
    goes_on("closing", 3);
}

#[tokio::test]
async fn a_stream_has_an_end_so_that_who_signed_out_does_not_listen_for_ever() {
    let shop = Shop::at_pace(Pace { life: Duration::from_millis(300), ..QUICK }).await;
    let ada = shop.signed_in(1).await;
    let (run, _) = bought(&shop, &ada, "signed out").await;
    let mut ear = Ear::of(&shop, &ada, &run).await;
    assert_eq!(ada.get(&shop, "/api/session").await.status, 200);
    let out = Request::delete("/api/session").header("cookie", ada.cookie.clone().unwrap()).body(Body::empty()).unwrap();
    assert_eq!(shop.ask(out).await.status, 200);
    assert!(ear.all().await.iter().all(|event| event.name != "end"));
    let again = Ear::open(&shop, &format!("/api/runs/{run}/events"), ada.cookie.as_deref(), None).await;
    again.err().expect("the session has ended").is(404, "no_such_run");
    goes_on("signed out", 3);
}

#[tokio::test]
async fn d2_a_run_that_failed_shows_where_and_another_attempt_begins_again() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let payment = proof(&shop.offer("heron").await, ada.paid(&shop, PRICE).await);
    goes_on("fail:heron", 3);
    let failed = ada.call(&shop, "heron", "fail:heron", &payment).await;
    failed.is(500, "agent_failed");
    let run = ada.get(&shop, "/api/page/history").await.json()["runs"][0]["id"].as_str().unwrap().to_owned();
    let mut ear = Ear::of(&shop, &ada, &run).await;
    let events = ear.all().await;
    assert_eq!((words(&events).len(), &events[3].data), (3, &json!({ "state": "failed" })));

    ada.glance(&shop, "heron", "fail:heron", &payment).await.is(202, "running");
    let mut ear = Ear::of(&shop, &ada, &run).await;
    ear.until("event: again").await;
    goes_on("fail:heron", 3);
    ear.all().await;
    shop.assert_balanced().await;
}
