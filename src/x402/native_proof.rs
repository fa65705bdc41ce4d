//! How a program without a session shows that a native payment is its own: an EIP-712 signature over what it paid for
//! (docs/protocol.md, "The proof of a program").
//!
//! The signature binds the transaction to one payer, one offer, one resource and one body, for ten minutes at most, so that whoever reads the
//! hash in an explorer can do nothing with it. Whether the money is there, and is `from`'s, the chain says later. Pure judgement: no chain, no database;
//! where the signature is not by `from`'s key, its contract may say that it is its own (`signer`), and that comes after everything here.

use alloy::{
    primitives::{Address as EvmAddress, B256, U256, keccak256},
    sol_types::{Eip712Domain, SolStruct, eip712_domain},
};

use super::{
    signer::Claim,
    wire::{Offer, TransactionProof},
};
use crate::{
    error::{CallError, Code},
    evm::TxHash,
    money::Amount,
};

/// A proof is made for one call: long enough for slow finality, short enough that a copy of it is worth little.
const VALID_S_MAX: i64 = 10 * 60;
/// Who makes it for all of that time may have a clock that is ahead of ours.
const CLOCK_SLACK_S: i64 = 30;

mod typed {
    alloy::sol! {
        struct PaymentProof {
            bytes32 transaction;
            address from;
            address payTo;
            uint256 amount;
            string resource;
            bytes32 offerHash;
            bytes32 requestHash;
            uint256 validBefore;
        }
    }
}

/// Who says to be the payer, in a payload that is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub claim: Claim,
    /// What is answered where nobody who is that account has signed it.
    pub otherwise: CallError,
}

/// What a signed payload claims. `None`: it carries no signature, and only a session can say who shows it.
///
/// `offer` is the accepted one, already known to be ours and unchanged; `resource` is the `resource.url` of its 402; `body` the exact bytes of the
/// request (over MCP: the canonical JSON, RFC 8785, of the tool's arguments), `None` where there is no call and the payer signed for another one;
/// `chain_id` is that of the offer's network.
///
/// # Errors
/// [`Code::PayerNotProven`] with what is missing or wrong under `details`.
pub fn shown(
    proof: &TransactionProof,
    offer: &Offer,
    resource: &str,
    body: Option<&[u8]>,
    chain_id: u64,
    now_ms: i64,
) -> Result<Option<Shown>, CallError> {
    let Some(signature) = &proof.signature else { return Ok(None) };
    let refused = |details: &str| Err(not_proven(details).with_transaction(proof.transaction));
    let Some(from) = proof.from else { return refused("from is missing: the address that sent the transaction") };
    let Some(request_hash) = proof.request_hash else { return refused("requestHash is missing: keccak256 of the request body") };
    let Some(valid_before) = proof.valid_before else { return refused("validBefore is missing: Unix seconds") };
    let Some(seal) = &offer.extra.offer else { return refused("accepted.extra.offer is missing: echo the offer unchanged") };
    let now_s = now_ms.div_euclid(1000);
    let seconds = |at: i64| Amount::from_atomic(u128::try_from(at).unwrap_or(0));
    if valid_before <= seconds(now_s) {
        return refused("validBefore is over");
    }
    if valid_before > seconds(now_s.saturating_add(VALID_S_MAX + CLOCK_SLACK_S)) {
        return refused("validBefore is more than 600 seconds ahead");
    }
    let ours = body.map_or(B256::from(request_hash.0), keccak256);
    if ours.0 != request_hash.0 {
        return refused(&format!("requestHash belongs to another body: of this one it is {ours}"));
    }
    let digest = typed::PaymentProof {
        transaction: B256::from(proof.transaction.0),
        from: EvmAddress::from(from.0),
        payTo: EvmAddress::from(offer.pay_to.0),
        amount: U256::from_be_bytes(offer.amount.to_be_bytes()),
        resource: resource.to_owned(),
        offerHash: keccak256(seal),
        requestHash: ours,
        validBefore: U256::from_be_bytes(valid_before.to_be_bytes()),
    }
    .eip712_signing_hash(&domain(chain_id));
    let Some(claim) = Claim::read(from, digest, signature) else {
        return refused(
            "signature is no signature: 0x and the 65 bytes of a key's, or what a contract takes (ERC-1271, ERC-6492), 4 KiB at most",
        );
    };
    let otherwise = match claim.key() {
        Some(signer) => CallError::saying(
            Code::PayerMismatch,
            "The proof is signed by another key, or over something else than this call. The payment stays the credit of the wallet that sent it.",
        )
        .with_details(format_args!(
            "the digest {digest} was signed by {signer}, not by {from}; resource is {resource}, chainId {chain_id}"
        )),
        None => not_proven("signature is none of from: no key's, and no contract at that address says that it is its own"),
    };
    Ok(Some(Shown { claim, otherwise: otherwise.with_transaction(proof.transaction) }))
}

/// What a hash is answered with that comes with neither a session nor a signature.
pub fn nobody(transaction: TxHash) -> CallError {
    not_proven("no session, and payload.signature is missing: EIP-712, PaymentProof of docs/protocol.md, by the wallet that sent the transaction")
        .with_transaction(transaction)
}

fn not_proven(details: &str) -> CallError {
    CallError::saying(
        Code::PayerNotProven,
        "This payment is not shown to be yours. Sign in with the wallet that sent it, or sign the proof of payment with its key; then send it again.",
    )
    .with_details(details)
}

fn domain(chain_id: u64) -> Eip712Domain {
    eip712_domain! { name: "x402 Native Payment", version: "1", chain_id: chain_id, }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use alloy::signers::{SignerSync, local::PrivateKeySigner};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::evm::Address;

    const RESOURCE: &str = "https://coinslot.example/api/x402/contract-xray";
    const BODY: &[u8] = br#"{"address":"0x754704Bc059F8C67012fEd69BC8A327a5aafb603"}"#;
    const CHAIN: u64 = 143;
    const VALID_BEFORE: i64 = 1_795_476_418;
    const NOW: i64 = (VALID_BEFORE - 300) * 1000;
    const ADA: &str = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A";

    /// docs/protocol.md has it too; made with viem.
    fn proof() -> Value {
        json!({
            "transaction": format!("0x{}", "ab".repeat(32)),
            "from": ADA,
            "requestHash": "0xbaf2ca254251d32ab46f714b415c2367193e8f91946e5a90bd0185ec2371f1b6",
            "validBefore": VALID_BEFORE.to_string(),
            "signature": "0xc102ae43f8b824a9e89edf06c4f783d4dcef31070ad1ee2bad3c5e9a3499719b2f23516f4e6a07035a63dc68f198740a1bbfce3e3757f6f0aad949fd3c4f01471b",
        })
    }

    fn offer() -> Value {
        json!({"scheme": "exact", "network": "eip155:143", "amount": "100000000000000", "asset": "native",
            "payTo": "0x209693Bc6afc0C5328bA36FaF03C514EF312287C", "maxTimeoutSeconds": 300,
            "extra": {"assetTransferMethod": "transaction-proof", "paymentFlow": "upfront", "offer": "v1.abc.def"}})
    }

    /// One call: the vector's, changed by its test.
    struct Call {
        proof: Value,
        offer: Value,
        resource: &'static str,
        body: &'static [u8],
        chain: u64,
        now: i64,
    }

    impl Call {
        fn vector() -> Self {
            Self { proof: proof(), offer: offer(), resource: RESOURCE, body: BODY, chain: CHAIN, now: NOW }
        }

        fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
            change(&mut self);
            self
        }

        /// Where there is no contract anywhere.
        fn judged(self) -> Result<Option<Address>, CallError> {
            match self.read()? {
                Some(shown) if shown.claim.is_by_key() => Ok(Some(shown.claim.account)),
                Some(shown) => Err(shown.otherwise),
                None => Ok(None),
            }
        }

        fn read(self) -> Result<Option<Shown>, CallError> {
            let proof = serde_json::from_value(self.proof).unwrap();
            let offer = serde_json::from_value(self.offer).unwrap();
            shown(&proof, &offer, self.resource, Some(self.body), self.chain, self.now)
        }
    }

    #[track_caller]
    fn refused(shown: Call, code: Code, said: &str) {
        let why = shown.judged().unwrap_err();
        let details = why.details.unwrap_or_default();
        assert!(why.code == code && details.contains(said), "{}: {details}", why.code);
    }

    #[test]
    fn what_another_implementation_signed_is_its_payers() {
        assert_eq!(Call::vector().judged().unwrap(), Some(ADA.parse().unwrap()));
    }

    #[test]
    fn the_digest_is_the_documented_one() {
        let typed = typed::PaymentProof {
            transaction: B256::repeat_byte(0xab),
            from: ADA.parse().unwrap(),
            payTo: "0x209693Bc6afc0C5328bA36FaF03C514EF312287C".parse().unwrap(),
            amount: U256::from(100_000_000_000_000_u64),
            resource: RESOURCE.into(),
            offerHash: keccak256("v1.abc.def"),
            requestHash: keccak256(BODY),
            validBefore: U256::from(VALID_BEFORE),
        };
        let digest = "0x5036e2daa8e494c0ae34ebb34cbfb4844000510a8e0f3bcf4329b0a67b455c2e";
        assert_eq!(typed.eip712_signing_hash(&domain(CHAIN)).to_string(), digest);
    }

    #[test]
    fn every_field_is_signed() {
        let other = || format!("0x{}", "cd".repeat(32));
        let address = "0x00000000000000000000000000000000000000ee";
        let changed: [(&str, Call); 10] = [
            ("transaction", Call::vector().with(|shown| shown.proof["transaction"] = other().into())),
            ("from", Call::vector().with(|shown| shown.proof["from"] = address.into())),
            ("payTo", Call::vector().with(|shown| shown.offer["payTo"] = address.into())),
            ("amount", Call::vector().with(|shown| shown.offer["amount"] = "100000000000001".into())),
            ("resource", Call::vector().with(|shown| shown.resource = "https://coinslot.example/api/x402/another")),
            ("offer", Call::vector().with(|shown| shown.offer["extra"]["offer"] = "v1.abc.deg".into())),
            (
                "body",
                Call::vector().with(|shown| {
                    shown.body = b"{}";
                    shown.proof["requestHash"] = keccak256(b"{}").to_string().into();
                }),
            ),
            ("validBefore", Call::vector().with(|shown| shown.proof["validBefore"] = (VALID_BEFORE + 1).to_string().into())),
            ("chain", Call::vector().with(|shown| shown.chain = 10143)),
            (
                "signature",
                Call::vector().with(|shown| {
                    let text = shown.proof["signature"].as_str().unwrap().replacen("0xc1", "0xc0", 1);
                    shown.proof["signature"] = text.into();
                }),
            ),
        ];
        for (field, shown) in changed {
            let code = shown.judged().map_err(|why| why.code);
            assert!(matches!(code, Err(Code::PayerMismatch | Code::PayerNotProven)), "{field}: {code:?}");
        }
    }

    #[test]
    fn n29_a_foreign_signer_is_a_mismatch() {
        let eve: PrivateKeySigner = format!("0x{}", "22".repeat(32)).parse().unwrap();
        let digest = "0x5036e2daa8e494c0ae34ebb34cbfb4844000510a8e0f3bcf4329b0a67b455c2e".parse().unwrap();
        let by_eve = alloy::hex::encode_prefixed(eve.sign_hash_sync(&digest).unwrap().as_bytes());
        refused(Call::vector().with(|shown| shown.proof["signature"] = by_eve.into()), Code::PayerMismatch, "was signed by");
    }

    #[test]
    fn n29_another_body_is_named() {
        refused(Call::vector().with(|shown| shown.body = b"{}"), Code::PayerNotProven, "requestHash belongs to another body");
    }

    #[test]
    fn n29_a_proof_is_good_for_ten_minutes_at_most() {
        let at = |seconds: i64| Call::vector().with(|shown| shown.now = seconds * 1000);
        refused(at(VALID_BEFORE), Code::PayerNotProven, "validBefore is over");
        assert!(at(VALID_BEFORE - 1).judged().is_ok());
        assert!(at(VALID_BEFORE - 600).judged().is_ok());
        assert!(at(VALID_BEFORE - 630).judged().is_ok(), "by a clock that is ahead of ours");
        refused(at(VALID_BEFORE - 631), Code::PayerNotProven, "600 seconds");
        let never = Call::vector().with(|shown| shown.proof["validBefore"] = U256::MAX.to_string().into());
        refused(never, Code::PayerNotProven, "600 seconds");
    }

    #[test]
    fn what_is_missing_is_named() {
        for part in ["from", "requestHash", "validBefore"] {
            let without = Call::vector().with(|shown| {
                shown.proof.as_object_mut().unwrap().remove(part);
            });
            refused(without, Code::PayerNotProven, &format!("{part} is missing"));
        }
        let unsealed = Call::vector().with(|shown| shown.offer["extra"] = json!({}));
        refused(unsealed, Code::PayerNotProven, "accepted.extra.offer is missing");
        for text in ["", "0x", "0x00", "nonsense", &format!("0x{}", "00".repeat(65)), &format!("0x{}", "ff".repeat(65))] {
            refused(Call::vector().with(|shown| shown.proof["signature"] = text.into()), Code::PayerNotProven, "signature is n");
        }
    }

    #[test]
    fn without_a_signature_the_session_decides() {
        let unsigned = Call::vector().with(|shown| {
            shown.proof.as_object_mut().unwrap().remove("signature");
        });
        assert_eq!(unsigned.judged().unwrap(), None);
        let why = nobody(TxHash([1; 32]));
        assert_eq!((why.code.status(), why.details.unwrap().contains("signature is missing")), (401, true));
    }

    #[test]
    fn p5_what_no_key_signed_a_contract_may_have() {
        for signature in ["0x", "0x00", &format!("0x{}", "07".repeat(300))] {
            let shown = Call::vector().with(|shown| shown.proof["signature"] = signature.into()).read().unwrap().unwrap();
            assert_eq!((shown.claim.account, shown.claim.is_by_key()), (ADA.parse().unwrap(), false));
            assert_eq!(shown.claim.hash.to_string(), "0x5036e2daa8e494c0ae34ebb34cbfb4844000510a8e0f3bcf4329b0a67b455c2e");
            assert_eq!(shown.otherwise.code, Code::PayerNotProven);
        }
        // It says that it is ERC-6492, and is not: no node is asked.
        let text = proof()["signature"].as_str().unwrap().to_owned();
        let wrapped = Call::vector().with(|shown| shown.proof["signature"] = format!("{text}{}", "6492".repeat(16)).into());
        assert_eq!(wrapped.read().unwrap_err().code, Code::PayerNotProven);
    }

    proptest! {
        #[test]
        fn no_payload_panics(signature in "(0x)?[0-9a-fA-F]{0,140}|.{0,40}", hash: [u8; 32], before: u64, now: i64) {
            let shown = Call::vector().with(|shown| {
                shown.proof["signature"] = signature.into();
                shown.proof["requestHash"] = TxHash(hash).to_string().into();
                shown.proof["validBefore"] = before.to_string().into();
                shown.now = now;
            });
            prop_assert!(shown.judged().is_err());
        }

        #[test]
        fn no_signature_panics(signature: [u8; 32], s: [u8; 32], v: u8) {
            let bytes = [&signature[..], &s[..], &[v]].concat();
            prop_assert!(Call::vector().with(|shown| shown.proof["signature"] = alloy::hex::encode_prefixed(bytes).into()).judged().is_err());
        }
    }
}
