//! Agents that do on command what real ones do rarely: fail, break, hang. Each counts how often it worked on an input.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use coinslot::{
    card::{Card, Category, Settle},
    error::{CallError, Code, Retry},
    runs::{Agent, Tools, agent},
    x402::{X402, decorator::payment_required},
};
use leptos::{prelude::*, server_fn::codec::Json};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

const fn card(slug: &'static str, price: &'static [&'static str], settle: Settle) -> Card {
    Card {
        slug,
        name: "Parrot",
        category: Category::Reading,
        summary: "Says it again.",
        price,
        time_limit: Duration::from_secs(2),
        version: "7",
        input_max: 4096,
        settle,
        needs: &[],
    }
}

pub const PARROT: Card = card("parrot", &["0.0001 MON"], Settle::AfterWork);
pub const COCKATOO: Card = card("cockatoo", &["0.0001 MON"], Settle::AfterWork);
/// Sold for dollars too.
pub const MACAW: Card = card("macaw", &["0.0001 MON", "0.001 USDC"], Settle::AfterWork);
/// Takes the dollars first.
pub const KEA: Card = card("kea", &["0.0001 MON", "0.001 USDC"], Settle::First);

/// Takes the dollars first from those whom it does not know.
pub const GALAH: Card = card("galah", &["0.0001 MON", "0.001 USDC"], Settle::FirstFromStrangers);

/// Stands and waits, and tells how far it is.
pub const HERON: Card = Card { time_limit: Duration::from_secs(60), ..card("heron", &["0.0001 MON"], Settle::AfterWork) };

#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema, garde::Validate)]
#[serde(deny_unknown_fields)]
pub struct Input {
    #[garde(length(min = 1, max = 100))]
    pub say: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Report {
    pub said: String,
}

#[server(prefix = "/api/x402", endpoint = "parrot", input = Json, output = Json, client = X402)]
#[middleware(payment_required::<Input>(&PARROT))]
pub async fn parrot(#[server(flatten)] input: Input) -> Result<Report, CallError> {
    speak(input, Tools::of_paid_run(&PARROT)?).await
}

#[server(prefix = "/api/x402", endpoint = "cockatoo", input = Json, output = Json, client = X402)]
#[middleware(payment_required::<Input>(&COCKATOO))]
pub async fn cockatoo(#[server(flatten)] input: Input) -> Result<Report, CallError> {
    speak(input, Tools::of_paid_run(&COCKATOO)?).await
}

#[server(prefix = "/api/x402", endpoint = "macaw", input = Json, output = Json, client = X402)]
#[middleware(payment_required::<Input>(&MACAW))]
pub async fn macaw(#[server(flatten)] input: Input) -> Result<Report, CallError> {
    speak(input, Tools::of_paid_run(&MACAW)?).await
}

#[server(prefix = "/api/x402", endpoint = "kea", input = Json, output = Json, client = X402)]
#[middleware(payment_required::<Input>(&KEA))]
pub async fn kea(#[server(flatten)] input: Input) -> Result<Report, CallError> {
    speak(input, Tools::of_paid_run(&KEA)?).await
}

#[server(prefix = "/api/x402", endpoint = "galah", input = Json, output = Json, client = X402)]
#[middleware(payment_required::<Input>(&GALAH))]
pub async fn galah(#[server(flatten)] input: Input) -> Result<Report, CallError> {
    speak(input, Tools::of_paid_run(&GALAH)?).await
}

#[server(prefix = "/api/x402", endpoint = "heron", input = Json, output = Json, client = X402)]
#[middleware(payment_required::<Input>(&HERON))]
pub async fn heron(#[server(flatten)] input: Input) -> Result<Report, CallError> {
    wade(input, Tools::of_paid_run(&HERON)?).await
}

pub fn all() -> Vec<Agent> {
    vec![
        agent(&PARROT, parrot, example, sample),
        agent(&COCKATOO, cockatoo, example, sample),
        agent(&MACAW, macaw, example, sample),
        agent(&KEA, kea, example, sample),
        agent(&GALAH, galah, example, sample),
        agent(&HERON, heron, example, sample),
    ]
}

pub fn example() -> Input {
    Input { say: "Pieces of eight".into() }
}

pub fn sample() -> Report {
    Report { said: "Pieces of eight".into() }
}

static WORKED: LazyLock<Mutex<HashMap<String, usize>>> = LazyLock::new(Mutex::default);

/// How often any of them began to work on this input, in this process. Inputs are unique to a test.
pub fn worked_on(say: &str) -> usize {
    WORKED.lock().unwrap().get(say).copied().unwrap_or_default()
}

static GATES: LazyLock<Mutex<HashMap<String, Arc<Semaphore>>>> = LazyLock::new(Mutex::default);

fn gate(say: &str) -> Arc<Semaphore> {
    GATES.lock().unwrap().entry(say.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(0))).clone()
}

/// The heron takes this many steps on this input, as soon as it is there; the others go on with `gate`.
pub fn goes_on(say: &str, steps: usize) {
    gate(say).add_permits(steps);
}

/// What a loop of reports cost the work.
pub static CHATTED: Mutex<Option<Duration>> = Mutex::new(None);

/// Three steps, each when the test says so. `break-once`: it breaks after the second. `chatty`: it cannot stop talking.
async fn wade(input: Input, tools: Tools) -> Result<Report, CallError> {
    let times = begun(&input.say);
    let command = input.say.split(':').next().unwrap_or_default();
    if command == "chatty" {
        let began = std::time::Instant::now();
        for n in 1..=100_000 {
            tools.progress(n, 100_000, &format!("{n} {}", "so much to say ".repeat(30)));
        }
        *CHATTED.lock().unwrap() = Some(began.elapsed());
        gate(&input.say).acquire().await.unwrap().forget();
        return Ok(Report { said: input.say });
    }
    for step in 1..=3 {
        tools.progress(step, 3, &format!("{} wades {step}", input.say));
        gate(&input.say).acquire().await.unwrap().forget();
        assert!(command != "break-once" || step < 2 || times > 1, "as the test asked");
    }
    match command {
        "fail" => Err(CallError::agent_failed("no fish.")),
        _ => Ok(Report { said: input.say }),
    }
}

fn begun(say: &str) -> usize {
    let mut worked = WORKED.lock().unwrap();
    let times = worked.entry(say.to_owned()).or_default();
    *times += 1;
    *times
}

async fn speak(input: Input, tools: Tools) -> Result<Report, CallError> {
    let times = begun(&input.say);
    assert!(!tools.run().is_empty());
    let command = input.say.split(':').next().unwrap_or_default();
    match command {
        "fail" => Err(CallError::agent_failed("it has a cold.")),
        "fail-once" if times == 1 => Err(CallError::agent_failed("it has a cold.")),
        "never" => Err(CallError { retry: Retry::No, ..CallError::agent_failed("it does not say such words.") }),
        "away" => Err(Code::AgentUnavailable.into()),
        "break" => panic!("as the test asked"),
        "break-once" if times == 1 => panic!("as the test asked"),
        "hang" => std::future::pending().await,
        "gate" => {
            gate(&input.say).acquire().await.unwrap().forget();
            Ok(Report { said: input.say })
        }
        _ => Ok(Report { said: input.say }),
    }
}
