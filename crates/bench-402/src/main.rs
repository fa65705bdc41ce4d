//! How many unpaid 402s a second one core gives: ours, bare axum with the same bytes, and `@x402/express`, in one run and one after the other.
//!
//! `bench-402 COINSLOT EXPRESS`: the shop's program, and the script with the express server. Each server has one core alone, the load another one, where
//! `taskset` is there and the machine has two. The rounds alternate, so that what else the machine does meets all three.
//!
//! `bench-402 bare FILE` is the bare server: it answers with the recorded answer in FILE.

mod bare;
mod cores;
mod load;
mod server;

use std::{
    error::Error,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use tokio::{
    process::Command,
    time::{Instant, sleep},
};

use crate::{
    cores::Cores,
    load::{answer, load},
    server::Server,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What is asked of each: a call as a program makes it, without a payment.
const PATH: &str = "/api/x402/contract-xray";
const INPUT: &str = r#"{"address":"0xc0157070c0157070c0157070c0157070c0157070"}"#;

const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_secs(3);
const WARM_UP: Duration = Duration::from_millis(500);
/// Kept open, each with one request at a time.
const CONNECTIONS: usize = 64;
/// Until the shop has looked at its token.
const TOKEN_TIME_MAX: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [word, file] if word == "bare" => bare(Path::new(file)),
        [coinslot, express] => compare_all(coinslot, express),
        _ => Err("expected: bench-402 COINSLOT EXPRESS".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("bench-402: {cause}");
            ExitCode::FAILURE
        }
    }
}

/// With as many threads as it has cores, as the shop.
fn bare(file: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(bare::serve(file))
}

fn compare_all(coinslot: &str, express: &str) -> Result<()> {
    let directory = std::env::temp_dir().join(format!("bench-402-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let compared = runtime.block_on(compare(coinslot, express, &directory));
    std::fs::remove_dir_all(&directory)?;
    compared
}

async fn compare(coinslot: &str, express: &str, directory: &Path) -> Result<()> {
    let cores = Cores::find();
    cores.leave_the_servers().await;

    let mut shop = Command::new(cores.program());
    shop.args(cores.before(coinslot)).args(["demo", "--addr", "127.0.0.1:0", "--data"]).arg(directory.join("data"));
    // As `serve` logs. The limits per address are in the way, and let this one through.
    shop.env("COINSLOT_LOG_LEVEL", "info").env("COINSLOT_LIMIT_API_PER_S", "100000").env("COINSLOT_LIMIT_API_BURST", "100000");
    let shop = Server::start("ours", shop).await?;
    let recorded = record(&shop, &directory.join("answer")).await?;

    let itself = std::env::current_exe()?;
    let mut bare = Command::new(cores.program());
    bare.args(cores.before(&itself.to_string_lossy())).arg("bare").arg(&recorded.file);
    let bare = Server::start("bare axum, the same bytes", bare).await?;

    let mut node = Command::new(cores.program());
    node.args(cores.before("node")).arg(express).arg(PATH).env("NODE_ENV", "production");
    let express = Server::start("@x402/express", node).await?;

    println!("Unpaid 402s a second, {cores}, {CONNECTIONS} connections kept open.");
    println!("Ours: {} bytes, with offers {}.", recorded.bytes, recorded.offers);
    let servers = [shop, bare, express];
    let mut rounds = vec![Vec::new(); servers.len()];
    for _ in 0..ROUNDS {
        for (server, rounds) in servers.iter().zip(&mut rounds) {
            let request = request(server);
            load(server.address, &request, CONNECTIONS, WARM_UP).await?;
            rounds.push(load(server.address, &request, CONNECTIONS, ROUND).await?);
        }
    }
    for (server, mut rounds) in servers.iter().zip(rounds) {
        rounds.sort_by(f64::total_cmp);
        let middle = rounds.get(rounds.len() / 2).copied().unwrap_or_default();
        let (least, most) = (rounds.first().copied().unwrap_or_default(), rounds.last().copied().unwrap_or_default());
        println!("{:>8.0}  {} ({least:.0} to {most:.0})", middle, server.name);
    }
    for server in servers {
        server.stop().await;
    }
    Ok(())
}

fn request(server: &Server) -> Vec<u8> {
    let (address, length) = (server.address, INPUT.len());
    format!(
        "POST {PATH} HTTP/1.1\r\nhost: {address}\r\naccept: */*\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{INPUT}"
    )
    .into_bytes()
}

struct Recorded {
    file: PathBuf,
    bytes: usize,
    offers: &'static str,
}

/// The shop's answer, as soon as tokens are offered too: until then it is shorter than it will be.
async fn record(shop: &Server, file: &Path) -> Result<Recorded> {
    let until = Instant::now() + TOKEN_TIME_MAX;
    loop {
        let answer = answer(shop.address, &request(shop)).await?;
        let has_tokens = String::from_utf8_lossy(&answer).contains(r#""accepts":[{"#);
        if has_tokens || Instant::now() > until {
            std::fs::write(file, &answer)?;
            let offers = if has_tokens { "in coin and in tokens" } else { "in coin alone" };
            return Ok(Recorded { file: file.to_owned(), bytes: answer.len(), offers });
        }
        sleep(Duration::from_millis(100)).await;
    }
}
