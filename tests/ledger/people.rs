//! Who and what the tests are about: Ada pays, Bob pays too, a thief would rather not.

use coinslot::{
    error::{CallError, Code},
    evm::{Address, TxHash},
    ledger::{
        Books, Claimed, Deposit, HeldOrNot, How, Leased, Method, NewAuthorization, NewRun, Presented, Run, SealedTerms,
        watches::{WATCH_MS, Watch},
    },
    money::{Amount, Asset},
};
use sha2::{Digest, Sha256};

pub const NETWORK: &str = "eip155:31337";
pub const OTHER_NETWORK: &str = "eip155:10143";
/// The agent that most of them buy from.
pub const XRAY: &str = "contract-xray";
pub const INPUT: &str = r#"{"address":"0x01"}"#;
/// Some day in 2026, in milliseconds.
pub const NOON: i64 = 1_790_000_000_000;
pub const MINUTE: i64 = 60_000;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;
/// A worker's lease.
pub const LEASE: i64 = 30_000;

pub const ADA: Address = Address([0xad; 20]);
pub const BOB: Address = Address([0xb0; 20]);
pub const THIEF: Address = Address([0xff; 20]);

/// Where all of them pay to.
pub const SHOP: Address = Address([0x50; 20]);

pub fn mon(text: &str) -> Amount {
    Amount::parse_units(text, 18).expect("a price")
}

pub fn coin() -> Asset {
    Asset::native(NETWORK)
}

/// The `n`th transaction of the test.
pub fn payment(n: u64) -> String {
    let mut hash = [0; 32];
    hash[24..].copy_from_slice(&n.to_be_bytes());
    format!("tx/{}", TxHash(hash))
}

pub fn credit(n: u32) -> String {
    format!("credit/00000000-0000-4000-8000-{n:012x}")
}

pub fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Ada's, for the X-ray; change what is other.
pub fn call(proof: &str) -> NewRun {
    NewRun {
        id: uuid::Uuid::now_v7().to_string(),
        agent: XRAY.to_owned(),
        version: "1".to_owned(),
        payer: ADA,
        input: INPUT.to_owned(),
        input_sha256: sha256(INPUT),
        network: NETWORK.to_owned(),
        proof: proof.to_owned(),
        payment_id: None,
        terms: Some(SealedTerms {
            price: mon("0.0001"),
            asset: coin(),
            issued_ms: NOON - MINUTE,
            expires_ms: NOON + 4 * MINUTE,
            nonce_sha256: sha256("nonce"),
        }),
        key_sha256: sha256("key"),
    }
}

pub fn by(payer: Address, proof: &str) -> NewRun {
    NewRun { payer, ..call(proof) }
}

pub fn with_input(proof: &str, input: &str) -> NewRun {
    NewRun { input: input.to_owned(), input_sha256: sha256(input), ..call(proof) }
}

/// What the chain says of a payment, in block 7.
pub fn arrived(payer: Address, proof: &str, amount: &str) -> Deposit {
    Deposit {
        network: NETWORK.to_owned(),
        proof: proof.to_owned(),
        transaction: proof.strip_prefix("tx/").and_then(|hash| hash.parse().ok()).unwrap_or(TxHash([0x7a; 32])),
        payer,
        pay_to: SHOP,
        asset: coin(),
        amount: mon(amount),
        block: 7,
        block_time_ms: NOON,
        how: How::Hash,
    }
}

/// Ada asks for the X-ray, with the final head at 5.
pub fn watch() -> Watch {
    Watch {
        network: NETWORK.into(),
        wallet: ADA,
        from_block: 5,
        until_ms: NOON + WATCH_MS,
        agent: XRAY.into(),
        input: INPUT.into(),
        amount: Some(mon("0.0001")),
        next_nonce: Some(3),
    }
}

/// A token of the test's network, with six decimals.
pub const TOKEN: Address = Address([0x75; 20]);

pub fn dollar() -> Asset {
    Asset { network: NETWORK.to_owned(), token: Some(TOKEN) }
}

pub fn usd(text: &str) -> Amount {
    Amount::parse_units(text, 6).expect("a price")
}

/// The `n`th authorization of a payer.
pub fn authorization(payer: Address, n: u64) -> String {
    format!("eip3009/{TOKEN}/{payer}/{}", payment(n).trim_start_matches("tx/"))
}

/// What its payer signed for the X-ray, good for five minutes from noon.
pub fn signed() -> NewAuthorization {
    NewAuthorization {
        method: Method::Eip3009,
        asset: dollar(),
        pay_to: SHOP,
        amount: usd("0.001"),
        valid_before_ms: NOON + 5 * MINUTE,
        signed: r#"{"signature":"0x01"}"#.to_owned(),
        since_block: 6,
        settle_first: false,
        has: None,
    }
}

/// A call that is paid by a payer's `n`th authorization.
pub fn signed_call(payer: Address, n: u64) -> NewRun {
    let new = by(payer, &authorization(payer, n));
    let terms = new.terms.map(|terms| SealedTerms { price: usd("0.001"), asset: dollar(), ..terms });
    NewRun { terms, ..new }
}

/// What the chain says of it, once somebody sent it.
pub fn settlement(payer: Address, n: u64) -> Deposit {
    let arrived = arrived(payer, &authorization(payer, n), "0");
    Deposit { asset: dollar(), amount: usd("0.001"), how: How::Settlement, ..arrived }
}

pub fn agent_failed() -> CallError {
    CallError::agent_failed("no code there.")
}

pub fn too_low() -> CallError {
    Code::AmountTooLow.into()
}

/// Shorter words for what most tests do, at noon.
pub trait Shop {
    async fn shown(&self, new: &NewRun) -> Run;
    async fn pays(&self, payer: Address, proof: &str, amount: &str);
    async fn held(&self, run: &Run, price: &str) -> Run;
    /// Shown, paid with its price and held.
    async fn bought(&self, payer: Address, n: u64) -> Run;
    async fn leased(&self, token: &str, now_ms: i64) -> Run;
    /// Bought, worked on and failed.
    async fn fails_once(&self, run: &Run, now_ms: i64);
    async fn credit_of(&self, payer: Address) -> Amount;
    /// In dollars.
    async fn dollars_of(&self, payer: Address) -> Amount;
    /// Claimed, and held without an entry.
    async fn claimed(&self, payer: Address, n: u64) -> Run;
    /// Claimed, leased by this token and answered with `{}`: all but settled.
    async fn answered_for(&self, payer: Address, n: u64, token: &str) -> Run;
    async fn now(&self, run: &Run) -> Run;
}

impl Shop for Books {
    async fn shown(&self, new: &NewRun) -> Run {
        match self.present(new, NOON).await.expect("it is written") {
            Presented::New(run) | Presented::Same(run) => run,
            other => panic!("{other:?}"),
        }
    }

    async fn pays(&self, payer: Address, proof: &str, amount: &str) {
        assert!(self.deposit(&arrived(payer, proof, amount), NOON).await.expect("it is booked"), "it is new");
    }

    async fn held(&self, run: &Run, price: &str) -> Run {
        match self.hold(&run.id, &coin(), mon(price), NOON).await.expect("it is written") {
            HeldOrNot::Held(run) => run,
            other => panic!("{other:?}"),
        }
    }

    async fn bought(&self, payer: Address, n: u64) -> Run {
        let run = self.shown(&by(payer, &payment(n))).await;
        self.pays(payer, &payment(n), "0.0001").await;
        self.held(&run, "0.0001").await
    }

    async fn leased(&self, token: &str, now_ms: i64) -> Run {
        match self.lease_run(token, now_ms, LEASE).await.expect("it is written") {
            Some(Leased::Work { run, token: ours }) if ours == token => run,
            other => panic!("{other:?}"),
        }
    }

    async fn fails_once(&self, run: &Run, now_ms: i64) {
        match self.hold(&run.id, &coin(), mon("0.0001"), now_ms).await.expect("it is written") {
            HeldOrNot::Held(_) => {}
            other => panic!("{other:?}"),
        }
        let token = format!("fails at {now_ms}");
        assert_eq!(self.leased(&token, now_ms).await.id, run.id);
        assert!(self.release(&run.id, &token, &agent_failed(), now_ms).await.expect("it is written"));
    }

    async fn dollars_of(&self, payer: Address) -> Amount {
        self.balance(payer, &dollar()).await.expect("it can be read")
    }

    async fn claimed(&self, payer: Address, n: u64) -> Run {
        match self.claim(&signed_call(payer, n), &signed(), NOON).await.expect("it is written") {
            Claimed::New(run) => run,
            other => panic!("{other:?}"),
        }
    }

    async fn answered_for(&self, payer: Address, n: u64, token: &str) -> Run {
        let run = self.claimed(payer, n).await;
        assert_eq!(self.leased(token, NOON).await.id, run.id);
        assert!(self.answered(&run.id, token, "{}", "computed", NOON).await.expect("it is written"));
        run
    }

    async fn now(&self, run: &Run) -> Run {
        self.run(&run.id).await.expect("it can be read").expect("it is there")
    }

    async fn credit_of(&self, payer: Address) -> Amount {
        self.balance(payer, &coin()).await.expect("it can be read")
    }
}
