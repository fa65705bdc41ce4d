//! `coinslot check`: each line says what is well, what is still to do, or what is wrong and how to mend it.

pub(super) mod arrivals;
mod model;
mod nodes;
mod settling;

use std::{
    fmt,
    path::{Path, PathBuf},
};

use super::{
    clock, network_state,
    opening::{self, CannotOpen, Kind},
    settings::{Settings, secret},
};
use crate::{
    card::Card,
    chain::{Chain, Finality},
    evm::Address,
    ledger::{Books, store},
    x402::desk::now_ms,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Ok,
    /// Not wrong; something is missing that a shop needs, or could have.
    Todo,
    Bad,
}

/// One line of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub state: State,
    pub subject: &'static str,
    pub sentence: String,
}

impl Line {
    pub fn ok(subject: &'static str, sentence: impl Into<String>) -> Self {
        Self { state: State::Ok, subject, sentence: sentence.into() }
    }

    pub fn todo(subject: &'static str, sentence: impl Into<String>) -> Self {
        Self { state: State::Todo, subject, sentence: sentence.into() }
    }

    pub fn bad(subject: &'static str, sentence: impl Into<String>) -> Self {
        Self { state: State::Bad, subject, sentence: sentence.into() }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Ok => "ok",
            State::Todo => "todo",
            State::Bad => "bad",
        };
        write!(f, "{state:<5} {:<8} {}", self.subject, self.sentence)
    }
}

/// Looks at everything a shop needs, in the order in which it is needed. The settings could be read, or there was nothing to look at.
/// `cards`: what is on sale.
pub async fn check(settings: &Settings, cards: &[&Card]) -> Vec<Line> {
    let mut lines = vec![recipient(settings)];
    lines.extend(the_secret(settings));
    lines.extend(settling::key(settings));
    lines.push(model::look_at(settings).await);
    let books = match books(settings).await {
        Ok((books, line)) => {
            lines.push(line);
            books
        }
        Err(line) => {
            lines.push(line);
            None
        }
    };
    for network in &settings.networks {
        let chain = Chain::new(network.clone());
        lines.extend(look_at(&chain, settings.pay_to, books.as_ref()).await);
        lines.extend(nodes::compared(&chain).await);
        lines.push(arrivals::who_traces(&chain).await);
        if let Some(books) = &books {
            lines.extend(arrivals::unexplained(books, &chain).await);
        }
        lines.extend(settling::look_at(settings, &chain, cards).await);
        lines.extend(settling::look_at_tokens(settings, &chain).await);
    }
    lines
}

fn recipient(settings: &Settings) -> Line {
    match settings.pay_to {
        Some(address) => Line::ok("settings", format!("visitors pay to {address}")),
        None => Line::bad("settings", "nobody to pay to: set COINSLOT_PAY_TO to an address that is used for nothing else"),
    }
}

/// Only worth a line where something is to be said about it.
fn the_secret(settings: &Settings) -> Option<Line> {
    let file = settings.data.join(secret::FILE);
    if settings.secret.is_some() || !file.exists() {
        return None;
    }
    if let Err(cause) = secret::of(&settings.data) {
        return Some(Line::bad("secret", cause.to_string()));
    }
    is_open(&file).then(|| Line::bad("secret", format!("{0} can be read by others: chmod 600 {0}", file.display())))
}

/// May others than its owner read it?
#[cfg(unix)]
fn is_open(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|file| file.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open(_file: &Path) -> bool {
    false
}

/// Opens the books if they are there, and adds them up. No books yet is no fault: `serve` makes them.
async fn books(settings: &Settings) -> Result<(Option<Books>, Line), Line> {
    let bad = |error: &dyn fmt::Display| Line::bad("books", error.to_string());
    if let Some(file) = missing_file(settings).map_err(|cause| bad(&cause))? {
        return Ok((None, Line::todo("books", format!("{} is not there yet: serve makes it", file.display()))));
    }
    let books = opening::open_books(settings, Kind::Serve).await.map_err(|cause| bad(&cause))?;
    books.ping().await.map_err(|cause| bad(&cause))?;
    books.try_to_write(now_ms()).await.map_err(|cause| bad(&cause))?;
    let audit = books.audit().await.map_err(|cause| bad(&cause))?;
    let place = match books.kind() {
        store::Kind::Sqlite => "SQLite",
        store::Kind::Postgres => "PostgreSQL",
    };
    match audit.findings.len() {
        0 => {
            Ok((Some(books), Line::ok("books", format!("{place}, in balance: {} deposits, {} runs", audit.deposits, audit.runs))))
        }
        findings => Ok((Some(books), Line::bad("books", format!("{place}, {findings} findings: coinslot books tells them")))),
    }
}

/// The SQLite file, where the settings name none, if it is not there.
///
/// # Errors
/// The working directory is gone.
pub fn missing_file(settings: &Settings) -> std::io::Result<Option<PathBuf>> {
    if settings.database_url.is_some() {
        return Ok(None);
    }
    settings.database_file().map(|file| (!file.exists()).then_some(file))
}

async fn look_at(chain: &Chain, pay_to: Option<Address>, books: Option<&Books>) -> Vec<Line> {
    let network = chain.network();
    let title = format!("{} ({})", network.name, network.chain_id);
    let mut lines = Vec::new();
    match reach(chain, books).await {
        Ok(head) => {
            let finality = match &chain.settings().finality {
                Finality::Tag(tag) => format!("final at `{tag}`"),
                Finality::Confirmations(count) => format!("final after {count} confirmations"),
            };
            lines.push(Line::ok("chain", format!("{title}, {finality}, block {head}")));
            let habits = chain.habits().await;
            lines.extend(
                habits.into_iter().map(|habit| Line::todo("nodes", format!("{title}: {habit}; another of rpc_urls may do more"))),
            );
        }
        Err(why) => lines.push(Line::bad("chain", format!("{title}: {why}"))),
    }
    match clock::beside(chain).await {
        Ok(Ok(fine)) => lines.push(Line::ok("clock", fine)),
        Ok(Err(trouble)) => lines.push(Line::todo("clock", trouble)),
        Err(_) => {} // said above
    }
    if let Some(books) = books {
        match books.halt_of(&network.id).await {
            Ok(None) => {}
            Ok(Some(halt)) => lines.push(Line::bad(
                "chain",
                format!(
                    "{title}: {}. Look at the chain; once coinslot books --chain is clean, coinslot resume {} opens it again",
                    network_state::sentence(&halt),
                    network.slug
                ),
            )),
            Err(cause) => lines.push(Line::bad("chain", format!("{title}: {cause}"))),
        }
    }
    if let Some(pay_to) = pay_to {
        match chain.code(pay_to).await {
            Ok(code) if code.is_empty() => lines.push(Line::ok("payTo", format!("{pay_to} has no code on {}", network.name))),
            Ok(_) => {
                lines.push(Line::bad("payTo", format!("{pay_to} has code on {}: pay to an account without code", network.name)))
            }
            Err(_) => {} // said above
        }
    }
    lines
}

/// The final head, if the chain is the one that the settings and the books mean.
async fn reach(chain: &Chain, books: Option<&Books>) -> Result<u64, String> {
    match books {
        Some(books) => match opening::meet(books, chain).await {
            Ok(Ok(())) => {}
            Ok(Err(away)) => return Err(format!("{away}; correct its rpc_urls or try again")),
            Err(wrong) => return Err(wrong.to_string()),
        },
        None => {
            let found = chain.chain_id().await.map_err(|away| format!("{away}; correct its rpc_urls or try again"))?;
            if found != chain.network().chain_id {
                return Err(CannotOpen::WrongChain { network: chain.network().name.clone(), found }.to_string());
            }
        }
    }
    chain.final_head().await.map_err(|cause| format!("it does not say what is final: {cause}; change `finality` or its rpc_urls"))
}
