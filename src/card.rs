//! What is on sale, written once: the page, the 402, the route, the schema and the history row all read it.

use std::time::Duration;

/// One agent's entry in the shop window. Every field is fixed at compile time, so no text of a visitor ever gets in.
#[derive(Debug, PartialEq, Eq)]
pub struct Card {
    /// The last part of its path, `/api/x402/<slug>` and `/agents/<slug>`: lower-case letters, digits and dashes.
    pub slug: &'static str,
    pub name: &'static str,
    pub category: Category,
    /// One sentence: what it answers.
    pub summary: &'static str,
    /// The same price in each asset that it is sold for, as a person writes it: `"0.0001 MON"`. The first is shown on the card.
    pub price: &'static [&'static str],
    /// After this the work is stopped and the run has failed. It never costs the payer anything.
    pub time_limit: Duration,
    /// Goes into every receipt; raised when the same input may give another answer.
    pub version: &'static str,
    /// Bytes of request body that are read, at most, before anything is paid.
    pub input_max: usize,
    /// When a signed token authorization is settled.
    pub settle: Settle,
    /// What a shop has to have, or it does not sell this agent. Mostly nothing.
    pub needs: &'static [Need],
}

/// Something that not every shop has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A language model (`model_url`).
    Model,
}

impl Need {
    /// As the end of a sentence: "it needs …".
    pub fn words(self) -> &'static str {
        match self {
            Self::Model => "a language model, and this shop has none",
        }
    }
}

/// When a signed token authorization is settled. Native coin is always paid first: its payer sends it himself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settle {
    /// After the work: a run that fails costs its payer nothing. The ordinary way.
    AfterWork,
    /// For agents whose work is dear: after the work for those who have bought here before with a key of their own; before it for a first purchase
    /// and for every account with code, of whom nobody knows whether their signature holds until the work is done.
    FirstFromStrangers,
    /// Before it, for agents whose work costs its seller a lot: an authorization can be cancelled while the agent works. A run that fails
    /// leaves its price as credit.
    First,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    Contract,
    Transaction,
    Wallet,
    Reading,
    /// Of anything that the others can look at.
    Question,
}

impl Category {
    pub fn name(self) -> &'static str {
        match self {
            Self::Contract => "Contract",
            Self::Transaction => "Transaction",
            Self::Wallet => "Wallet",
            Self::Reading => "Reading",
            Self::Question => "Question",
        }
    }
}

impl Card {
    /// Where the agent is called, relative to the shop's root.
    pub fn endpoint(&self) -> String {
        format!("/api/x402/{}", self.slug)
    }

    /// Where the agent's page is.
    pub fn page(&self) -> String {
        format!("/agents/{}", self.slug)
    }

    /// What the agent is called as an MCP tool: 1 to 64 letters, digits, `_` and `-`, as clients want it.
    pub fn mcp_tool(&self) -> &'static str {
        self.slug
    }

    /// Why a shop does not sell it, if it does not.
    pub fn not_on_sale(&self) -> String {
        match self.needs.first() {
            Some(need) => format!("{} is not on sale here: it needs {}.", self.name, need.words()),
            None => format!("{} is not on sale here.", self.name),
        }
    }

    /// The price as the card shows it.
    pub fn headline_price(&self) -> &'static str {
        self.price.first().copied().unwrap_or("free")
    }
}
