//! serve · demo · check · books · credit · resume · new-agent

mod site;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use coinslot::{
    agents,
    evm::{Address, TxHash},
    runs::apart,
    server::{
        books,
        check::{self, Line, State},
        credit::{self, Claim},
        demo, logging, new_agent,
        opening::{self, CannotOpen, Kind, Opening},
        resume,
        settings::{Settings, Sources, WrongSettings, explained},
    },
};

/// A self-hosted storefront of coin-operated AI agents, paid per call over x402.
#[derive(Parser)]
#[command(version, after_long_help = explained(), max_term_width = 110)]
struct Coinslot {
    #[command(subcommand)]
    command: Command,
    /// Where to listen, IP:PORT [default: 127.0.0.1:4020]
    #[arg(long, global = true, value_name = "HOST:PORT")]
    addr: Option<String>,
    /// Where the ledger and the secret are kept [default: data; a temporary one for demo]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<String>,
    /// A file with settings, as in Leptos.toml
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Open the shop. Needs COINSLOT_PAY_TO, and COINSLOT_PUBLIC_URL where it does not listen on loopback
    Serve,
    /// Open a shop with play money: a local chain, a demo wallet and a faucet. Needs anvil (make setup)
    Demo,
    /// Look at settings, database and networks; say what is well and what to do. Exit 1 if something is wrong
    Check,
    /// Prove that the ledger is in balance. Exit 1, and what is wrong, if it is not
    Books {
        /// Look every deposit up on its chain again
        #[arg(long)]
        chain: bool,
    },
    /// Credit a payment to the account that sent it, where the chain's nodes cannot tell: what arrived inside somebody else's transaction while no
    /// node traces, or tokens that a relayer bundled. Once; recorded with who did
    Credit {
        /// The transaction that brought it, 0x and 64 digits
        #[arg(long, value_name = "HASH")]
        transaction: TxHash,
        /// The account whose credit it is
        #[arg(long, value_name = "ADDRESS")]
        payer: Address,
        /// The network, by its table's name, slug or CAIP-2 id [default: the one that knows the transaction]
        #[arg(long, value_name = "NETWORK")]
        network: Option<String>,
        /// How much of what arrived, such as "0.0001 MON" [default: all that has no payer yet]
        #[arg(long, value_name = "AMOUNT")]
        amount: Option<String>,
        /// Who says so [default: the system's user]
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
    /// Take payments again on a network that was halted because a final block had changed: once books --chain is clean on it, and its nodes agree.
    /// Exit 1, and why, if not
    Resume {
        /// By its table's name, slug or CAIP-2 id
        network: String,
    },
    /// In a checkout: write a new agent, src/agents/NAME.rs, that compiles, and put it on sale
    NewAgent {
        /// Such as tide-table
        name: String,
    },
}

fn main() -> ExitCode {
    apart::begin(&agents::apart());
    let cli = Coinslot::parse();
    if let Command::NewAgent { name } = &cli.command {
        return begin_agent(name);
    }
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(cause) => {
            eprintln!("coinslot: {cause}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Coinslot) -> ExitCode {
    let settings = match settings(&cli) {
        Ok(settings) => settings,
        Err(wrong) if matches!(cli.command, Command::Check) => {
            return tell(wrong.0.into_iter().map(|wrong| Line::bad("settings", wrong.0)).collect());
        }
        Err(wrong) => return fail(&wrong.into()),
    };
    let level = match cli.command {
        Command::Serve => "info",
        Command::Demo => "warn",
        // What they found is their answer.
        Command::Check | Command::Books { .. } | Command::Credit { .. } | Command::Resume { .. } | Command::NewAgent { .. } => {
            "error"
        }
    };
    logging::start(&settings, level);
    let opened = match cli.command {
        Command::Serve => serve(settings).await,
        Command::Demo => play(settings, cli.data.is_some()).await,
        Command::Check => {
            let sold = agents::ON_SALE.iter().map(|agent| agent.card).filter(|card| settings.have(card.needs));
            let cards: Vec<_> = sold.collect();
            return tell(check::check(&settings, &cards).await);
        }
        Command::Books { chain } => return tell(books::prove(&settings, chain).await),
        Command::Credit { transaction, payer, network, amount, by } => {
            let by = by.unwrap_or_else(credit::system_user);
            return tell(vec![credit::credit(&settings, &Claim { transaction, payer, network, amount, by }).await]);
        }
        Command::Resume { network } => return tell(resume::resume(&settings, &network).await),
        // It needs no settings: `main` has done it.
        Command::NewAgent { name } => return begin_agent(&name),
    };
    match opened {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => fail(&cause),
    }
}

fn settings(cli: &Coinslot) -> Result<Settings, WrongSettings> {
    let config = match &cli.config {
        Some(file) => Some((file.display().to_string(), read(file)?)),
        None => None,
    };
    // What is not UTF-8 is no setting of ours.
    let env =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect();
    Settings::read(&Sources { addr: cli.addr.clone(), data: cli.data.clone(), config, env })
}

fn read(file: &std::path::Path) -> Result<String, WrongSettings> {
    std::fs::read_to_string(file)
        .map_err(|cause| WrongSettings::one(format!("--config {} cannot be read: {cause}", file.display())))
}

async fn serve(settings: Settings) -> Result<(), CannotOpen> {
    let stop = opening::stop_on_signals();
    let (pay_to, networks) = (settings.pay_to_or_refuse()?, settings.sold_on());
    let listener = opening::bind(&settings).await?;
    let (agents, site) = (agents::workers(), site::site());
    opening::run(Opening { settings, kind: Kind::Serve, listener, networks, pay_to, agents, site, demo: None }, stop).await
}

/// The demo keeps what it was given a directory for, and nothing else.
async fn play(mut settings: Settings, keep: bool) -> Result<(), CannotOpen> {
    let stop = opening::stop_on_signals();
    let listener = opening::bind(&settings).await?;
    let bound = listener.local_addr().map_err(|cause| CannotOpen::Listen(settings.addr, cause))?;
    let home = demo::Home::of(&mut settings, keep)?;
    let ready = demo::prepare(home.chain_state(), &settings.public_url_at(bound)).await?;
    let opening = Opening {
        settings,
        kind: Kind::Demo,
        listener,
        networks: vec![ready.network],
        pay_to: demo::PAY_TO,
        agents: agents::workers(),
        site: site::site(),
        demo: Some((ready.demo, ready.routes)),
    };
    let ended = opening::run(opening, stop).await;
    ready.chain.stop().await;
    ended
}

fn begin_agent(name: &str) -> ExitCode {
    match new_agent::new_agent(std::path::Path::new("."), name) {
        Ok(written) => {
            println!("{}", new_agent::next_steps(&written));
            ExitCode::SUCCESS
        }
        Err(refused) => {
            eprintln!("coinslot: {refused}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the lines. Exit 1 if one is bad.
fn tell(lines: Vec<Line>) -> ExitCode {
    for line in &lines {
        println!("{line}");
    }
    let is_bad = lines.iter().any(|line| line.state == State::Bad);
    if is_bad { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn fail(cause: &CannotOpen) -> ExitCode {
    eprintln!("coinslot: {cause}");
    ExitCode::FAILURE
}
