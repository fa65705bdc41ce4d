//! Why the chain does not carry out an authorization, in the words of the official facilitator; and whether a token is
//! what its settings say.

use alloy::{
    primitives::U256,
    sol_types::{SolCall, SolValue},
};

use crate::{
    chain::{
        Chain, EXACT_PROXY, Names, PERMIT2, Small, Unavailable,
        token::{ContractWallet, Permit2, Token as Calls},
    },
    evm::Address,
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

impl Finding {
    /// # Errors
    /// Something stands in its way.
    pub fn refuses(self, authorization: &Authorization) -> Result<(), Refused> {
        match self {
            Self::Used => Err(Refused::new(authorization.method.words().used)),
            Self::Refused(refused) => Err(refused),
            Self::Nothing => Ok(()),
        }
    }
}

/// Looks for what stands in its way, in the order of the official checklist, but the nonce first: whoever was paid already
/// must not be told that the payer's balance is too low now.
pub(super) async fn diagnose(chain: &Chain, authorization: &Authorization) -> Result<Finding, Unavailable> {
    match first_look(chain, authorization).await? {
        Finding::Nothing => its_contracts_word(chain, authorization).await,
        found => Ok(found),
    }
}

/// What most often stands in its way. It costs a node a few calls, in one batch with what others ask at this moment: what a stranger has made up ends
/// here.
pub(super) async fn first_look(chain: &Chain, authorization: &Authorization) -> Result<Finding, Unavailable> {
    let (token, words) = (&authorization.token, authorization.method.words());
    let refused = |reason| Ok(Finding::Refused(Refused::new(reason)));
    let [name, version] = match of_all(chain, authorization).await? {
        Ok(names) => names,
        Err(lacking) => return refused(lacking),
    };
    let from = alloy_address(authorization.from);
    let is_by_key = authorization.signed_by() == SignedBy::Payer;
    let mut views = vec![nonce_call(authorization), (token.address, Calls::balanceOfCall { account: from }.abi_encode())];
    if authorization.method == Method::Permit2 {
        views.push((token.address, Calls::allowanceCall { owner: from, spender: alloy_address(PERMIT2) }.abi_encode()));
    }
    let asked = Small { code_of: (!is_by_key).then_some(authorization.from), views };
    let told = chain.ask_small(asked).await?;
    let word = |at: usize| told.returned.get(at)?.as_ref().and_then(|bytes| U256::abi_decode(bytes).ok());
    // A signature that is not the payer's key's can only be a contract wallet's, and that has code.
    if !is_by_key && !told.has_code {
        return refused(words.signature);
    }
    match (authorization.method, is_used(authorization, word(0))) {
        (_, Some(true)) => return Ok(Finding::Used),
        (Method::Eip3009, None) => return refused("invalid_exact_evm_eip3009_not_supported"),
        _ => {}
    }
    if authorization.method == Method::Eip3009 {
        // What it does not say of itself is no mismatch.
        if name.is_some_and(|name| name != token.name) {
            return refused("invalid_exact_evm_token_name_mismatch");
        }
        if version.is_some_and(|version| version != token.version) {
            return refused("invalid_exact_evm_token_version_mismatch");
        }
    }
    if authorization.method == Method::Permit2 && word(2).is_some_and(|allowed| allowed < number(authorization.value)) {
        return refused(Refused::ALLOWANCE);
    }
    if word(1).is_some_and(|balance| balance < number(authorization.value)) {
        return refused(words.balance);
    }
    Ok(Finding::Nothing)
}

/// A contract wallet says itself whether the signature is its own. Of a key's nothing is asked.
pub(super) async fn its_contracts_word(chain: &Chain, authorization: &Authorization) -> Result<Finding, Unavailable> {
    if authorization.signed_by() == SignedBy::Payer {
        return Ok(Finding::Nothing);
    }
    let (hash, signature) = (authorization.digest(), authorization.signature.clone().into());
    let asked = ContractWallet::isValidSignatureCall { hash, signature }.abi_encode();
    Ok(match is_magic(chain.call(authorization.from, &asked).await?) {
        true => Finding::Nothing,
        false => Finding::Refused(Refused::new(authorization.method.words().signature)),
    })
}

/// What is true of all payments of this token, asked once a minute: what it calls itself, or (`Err`) which contract is not there.
async fn of_all(chain: &Chain, authorization: &Authorization) -> Result<Result<Names, &'static str>, Unavailable> {
    let token = authorization.token.address;
    let contracts = match authorization.method {
        Method::Eip3009 => vec![token],
        Method::Permit2 => vec![token, EXACT_PROXY, PERMIT2],
    };
    let known = || chain.known_names(token).filter(|_| contracts.iter().all(|contract| chain.is_known_contract(*contract)));
    if let Some(names) = known() {
        return Ok(Ok(names));
    }
    let _asking = chain.asking().await;
    if let Some(names) = known() {
        return Ok(Ok(names));
    }
    let calls = [(token, Calls::nameCall {}.abi_encode()), (token, Calls::versionCall {}.abi_encode())];
    let (have_code, answers) = chain.call_all_and_see(&contracts, &calls).await?;
    match have_code.iter().position(|has_code| !has_code) {
        Some(0) => return Ok(Err("asset_not_deployed_contract")),
        Some(_) => return Ok(Err("permit2_proxy_not_deployed")),
        None => contracts.iter().for_each(|contract| chain.note_contract(*contract)),
    }
    let mut answers = answers.into_iter();
    let names = [text(answers.next().flatten()), text(answers.next().flatten())];
    chain.note_names(token, names.clone());
    Ok(Ok(names))
}

/// The call that tells whether its nonce is used.
fn nonce_call(authorization: &Authorization) -> (Address, Vec<u8>) {
    let owner = alloy_address(authorization.from);
    match authorization.method {
        Method::Eip3009 => {
            let nonce = authorization.nonce.into();
            (authorization.token.address, Calls::authorizationStateCall { authorizer: owner, nonce }.abi_encode())
        }
        Method::Permit2 => {
            let word = U256::from_be_bytes(authorization.nonce) >> 8;
            (PERMIT2, Permit2::nonceBitmapCall { owner, word }.abi_encode())
        }
    }
}

/// What the answer to [`nonce_call`] says. `None`: nothing that makes sense.
fn is_used(authorization: &Authorization, said: Option<U256>) -> Option<bool> {
    said.map(|word| match authorization.method {
        Method::Eip3009 => !word.is_zero(),
        Method::Permit2 => word.bit(usize::from(authorization.nonce[31])),
    })
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
    let (to, data) = nonce_call(authorization);
    let said = chain.call(to, &data).await?.and_then(|bytes| U256::abi_decode(&bytes).ok());
    Ok(is_used(authorization, said) == Some(true))
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
    if answer(0).is_some_and(|bytes| !bytes.is_empty()) {
        chain.note_contract(token.address);
        chain.note_names(token.address, [text(answer(2)), text(answer(3))]);
    }
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
