//! Why the chain does not carry out an authorization, in the words of the official facilitator; and whether a token is
//! what its settings say.

use alloy::{
    primitives::U256,
    sol_types::{SolCall, SolValue},
};

use crate::{
    chain::{
        Chain, EXACT_PROXY, PERMIT2, Unavailable,
        token::{ContractWallet, Permit2, Token as Calls},
    },
    network::Token,
    x402::authorization::{Authorization, Method, Refused, SignedBy, alloy_address, number, token_domain},
};

/// What a look at the chain finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// The nonce is used: by whom and for what is another question.
    Used,
    Refused(Refused),
    /// Nothing that stands in its way.
    Nothing,
}

/// Looks for what stands in its way, in the order of the official checklist, but the nonce first: whoever was paid already
/// must not be told that the payer's balance is too low now.
pub(super) async fn diagnose(chain: &Chain, authorization: &Authorization) -> Result<Finding, Unavailable> {
    let (token, words) = (&authorization.token, authorization.method.words());
    let refused = |reason| Ok(Finding::Refused(Refused::new(reason)));
    if chain.code(token.address).await?.is_empty() {
        return refused("asset_not_deployed_contract");
    }
    if authorization.method == Method::Permit2
        && (chain.code(EXACT_PROXY).await?.is_empty() || chain.code(PERMIT2).await?.is_empty())
    {
        return refused("permit2_proxy_not_deployed");
    }
    let from = alloy_address(authorization.from);
    let nonce = match authorization.method {
        Method::Eip3009 => {
            let nonce = authorization.nonce.into();
            (token.address, Calls::authorizationStateCall { authorizer: from, nonce }.abi_encode())
        }
        Method::Permit2 => {
            let word = U256::from_be_bytes(authorization.nonce) >> 8;
            (PERMIT2, Permit2::nonceBitmapCall { owner: from, word }.abi_encode())
        }
    };
    let signed =
        ContractWallet::isValidSignatureCall { hash: authorization.digest(), signature: authorization.signature.clone().into() };
    let answers = chain
        .call_all(&[
            nonce,
            (token.address, Calls::balanceOfCall { account: from }.abi_encode()),
            (token.address, Calls::allowanceCall { owner: from, spender: alloy_address(PERMIT2) }.abi_encode()),
            (token.address, Calls::nameCall {}.abi_encode()),
            (token.address, Calls::versionCall {}.abi_encode()),
            (authorization.from, signed.abi_encode()),
        ])
        .await?;
    let answer = |at: usize| answers.get(at).cloned().flatten();
    let word = |at: usize| answer(at).and_then(|bytes| U256::abi_decode(&bytes).ok());
    let is_used = match (authorization.method, word(0)) {
        (Method::Eip3009, None) => return refused("invalid_exact_evm_eip3009_not_supported"),
        (Method::Eip3009, Some(state)) => !state.is_zero(),
        (Method::Permit2, bitmap) => bitmap.is_some_and(|bitmap| bitmap.bit(usize::from(authorization.nonce[31]))),
    };
    if is_used {
        return Ok(Finding::Used);
    }
    if authorization.method == Method::Eip3009 {
        // What it does not say of itself is no mismatch.
        if text(answer(3)).is_some_and(|name| name != token.name) {
            return refused("invalid_exact_evm_token_name_mismatch");
        }
        if text(answer(4)).is_some_and(|version| version != token.version) {
            return refused("invalid_exact_evm_token_version_mismatch");
        }
    }
    if authorization.method == Method::Permit2 && word(2).is_some_and(|allowed| allowed < number(authorization.value)) {
        return refused(Refused::ALLOWANCE);
    }
    if word(1).is_some_and(|balance| balance < number(authorization.value)) {
        return refused(words.balance);
    }
    if authorization.signed_by() == SignedBy::Unknown && !is_magic(answer(5)) {
        return refused(words.signature);
    }
    Ok(Finding::Nothing)
}

/// As [`diagnose`], and whether the chain would carry it out now: a token may have reasons of its own, such as a frozen account.
pub(super) async fn stands_in_its_way(chain: &Chain, authorization: &Authorization) -> Result<Finding, Unavailable> {
    let found = diagnose(chain, authorization).await?;
    if found != Finding::Nothing {
        return Ok(found);
    }
    let (to, data) = authorization.settlement();
    Ok(match chain.call(to, &data).await? {
        Some(_) => Finding::Nothing,
        None if is_used_by_now(chain, authorization).await? => Finding::Used,
        None => Finding::Refused(Refused::new(authorization.method.words().simulation)),
    })
}

/// To be asked where it was tried out in vain though nothing stood in its way: it may have been carried out in between.
pub(super) async fn is_used_by_now(chain: &Chain, authorization: &Authorization) -> Result<bool, Unavailable> {
    Ok(diagnose(chain, authorization).await? == Finding::Used)
}

/// Is the token what its settings say: its decimals, and the domain in which its payers sign? One that differs must not be
/// offered.
pub async fn token_is_as_configured(chain: &Chain, token: &Token) -> Result<bool, Unavailable> {
    let calls = [
        Calls::decimalsCall {}.abi_encode(),
        Calls::DOMAIN_SEPARATORCall {}.abi_encode(),
        Calls::nameCall {}.abi_encode(),
        Calls::versionCall {}.abi_encode(),
    ];
    let answers = chain.call_all(&calls.map(|call| (token.address, call))).await?;
    let answer = |at: usize| answers.get(at).cloned().flatten();
    let number = |at: usize| answer(at).and_then(|bytes| U256::abi_decode(&bytes).ok());
    if number(0) != Some(U256::from(token.decimals)) {
        return Ok(false);
    }
    if !token.eip3009 {
        return Ok(true); // through Permit2 it is Permit2's domain
    }
    Ok(match number(1) {
        Some(separator) => separator == U256::from_be_bytes(token_domain(token, chain.network().chain_id).separator().0),
        None => text(answer(2)) == Some(token.name.clone()) && text(answer(3)) == Some(token.version.clone()),
    })
}

fn text(answer: Option<Vec<u8>>) -> Option<String> {
    String::abi_decode(&answer?).ok()
}

/// ERC-1271: four bytes, padded to a word.
fn is_magic(answer: Option<Vec<u8>>) -> bool {
    answer.is_some_and(|bytes| bytes.len() >= 32 && bytes.starts_with(&ContractWallet::isValidSignatureCall::SELECTOR))
}
