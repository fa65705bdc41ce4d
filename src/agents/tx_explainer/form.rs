//! How the visitor says what to explain: one field that takes a hash, a raw transaction or call data and says which it took it for.

use leptos::prelude::*;

use super::Input;
use crate::{
    agents::form::{Field, examples},
    error::FieldError,
    ui::Erase,
};

/// `approve(0x…dead, unlimited)`
pub(super) const EXAMPLE_APPROVAL: &str = "0x095ea7b3000000000000000000000000000000000000000000000000000000000000deadffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
/// The example of EIP-155: one coin, on chain 1.
const EXAMPLE_RAW: &str = "0xf86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83";
/// `multicall([transfer(0x11…11, 5), setApprovalForAll(0x22…22, true)])`
const EXAMPLE_BATCH: &str = "0xac9650d800000000000000000000000000000000000000000000000000000000000000200000000000000000000000000000000000000000000000000000000000000002000000000000000000000000000000000000000000000000000000000000004000000000000000000000000000000000000000000000000000000000000000c00000000000000000000000000000000000000000000000000000000000000044a9059cbb00000000000000000000000011111111111111111111111111111111111111110000000000000000000000000000000000000000000000000000000000000005000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000044a22cb46500000000000000000000000022222222222222222222222222222222222222220000000000000000000000000000000000000000000000000000000000000001000000000000000000000000000000000000000000000000000000000000";

/// What a text is taken for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Nothing,
    Hash,
    Raw,
    Calldata,
}

impl Kind {
    /// By its length and its first bytes: a raw transaction begins with its type and a list, or with a list that is as long as it says.
    fn of(text: &str) -> Self {
        let digits = text.strip_prefix("0x").unwrap_or(text).as_bytes();
        let byte = |at: usize| {
            let digit = |at: usize| digits.get(at).and_then(|digit| char::from(*digit).to_digit(16));
            Some(digit(at * 2)? * 16 + digit(at * 2 + 1)?)
        };
        match (digits.len(), byte(0), byte(1)) {
            (0, ..) => Self::Nothing,
            (64, ..) => Self::Hash,
            (_, Some(1..=4), Some(list @ 0xc0..)) if reaches_end(digits.len() / 2, 1, list, &byte) => Self::Raw,
            (_, Some(list @ 0xc0..), _) if reaches_end(digits.len() / 2, 0, list, &byte) => Self::Raw,
            _ => Self::Calldata,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Nothing => "A hash is looked up on the network that you pay on; anything else is read as it is.",
            Self::Hash => "Taken for a transaction’s hash.",
            Self::Raw => "Taken for a raw transaction.",
            Self::Calldata => "Taken for call data.",
        }
    }
}

/// Is there a list at this byte that ends where the bytes end?
fn reaches_end(bytes: usize, at: usize, head: u32, byte: &dyn Fn(usize) -> Option<u32>) -> bool {
    let (skip, length) = match head {
        0xf8.. => {
            let of_length = (head - 0xf7) as usize;
            let length = (0..of_length.min(4)).try_fold(0_usize, |length, place| Some(length * 256 + byte(at + 1 + place)? as usize));
            (1 + of_length, length.unwrap_or(usize::MAX))
        }
        _ => (1, (head.saturating_sub(0xc0)) as usize),
    };
    length.checked_add(at + skip) == Some(bytes)
}

fn read(text: &str, before: &Input) -> Input {
    // Copied bytes come in lines.
    let text: String = text.split_whitespace().collect();
    let abi = before.abi.clone();
    match Kind::of(&text) {
        Kind::Nothing => Input { abi, ..Input::default() },
        Kind::Hash => Input { hash: Some(text), abi, ..Input::default() },
        Kind::Raw => Input { raw: Some(text), abi, ..Input::default() },
        Kind::Calldata => Input { calldata: Some(text), abi, to: before.to.clone(), ..Input::default() },
    }
}

fn pasted(input: &Input) -> String {
    input.hash.as_ref().or(input.raw.as_ref()).or(input.calldata.as_ref()).cloned().unwrap_or_default()
}

fn optional(text: String) -> Option<String> {
    (!text.trim().is_empty()).then_some(text)
}

#[component]
pub fn Form(input: RwSignal<Input>, errors: Signal<Vec<FieldError>>) -> impl IntoView {
    // Whatever the text was taken for, its error belongs to the one field that it is in.
    let errors = Signal::derive(move || {
        let mut errors = errors.get();
        for error in errors.iter_mut().filter(|error| matches!(error.field.as_str(), "hash" | "raw" | "calldata")) {
            "pasted".clone_into(&mut error.field);
        }
        errors
    });
    let fill = move |text: &'static str| Callback::new(move |()| input.update(|input| *input = read(text, &Input::default())));
    let paste = Field {
        name: "pasted",
        label: "Hash, raw transaction or call data",
        hint: "Starts with 0x; 128 KB at most.",
        placeholder: "0x…",
        max: 263_000,
        errors,
    };
    let to = Field { name: "to", label: "Sent to (optional)", hint: "The contract that the call is for.", placeholder: "0x…", max: 64, errors };
    let abi = Field {
        name: "abi",
        label: "ABI (optional)",
        hint: "A JSON ABI, or signatures, one a line: function f(uint256 x), error E(), event V(address indexed by). Well-known ones need none.",
        placeholder: "function swap(address to, uint256 amount)",
        max: 65_536,
        errors,
    };
    let is_calldata = Memo::new(move |_| input.with(|input| input.calldata.is_some()));
    view! {
        {paste.paste(true, 5, Signal::derive(move || input.with(pasted)), Callback::new(move |text: String| input.update(|input| *input = read(&text, input))))}
        <p class="tx-taken" role="status">{move || input.with(|input| Kind::of(&pasted(input)).words())}</p>
        {examples(vec![("an unlimited approval", fill(EXAMPLE_APPROVAL)), ("a batch of calls", fill(EXAMPLE_BATCH)), ("a signed transaction", fill(EXAMPLE_RAW))])}
        <div hidden=move || !is_calldata.get()>
            {to.line(false, Signal::derive(move || input.with(|input| input.to.clone().unwrap_or_default())),
                Callback::new(move |text: String| input.update(|input| input.to = optional(text.trim().to_owned()))))}
        </div>
        {abi.paste(false, 3, Signal::derive(move || input.with(|input| input.abi.clone().unwrap_or_default())),
            Callback::new(move |text: String| input.update(|input| input.abi = optional(text))))}
    }
    .erase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pasted_is_taken_for_what_it_is() {
        let short_list = "0xc8808080808080808080";
        for (text, kind) in [
            ("", Kind::Nothing),
            (&*format!("0x{}", "ab".repeat(32)), Kind::Hash),
            (EXAMPLE_RAW, Kind::Raw),
            ("0x02f8", Kind::Calldata),
            (EXAMPLE_APPROVAL, Kind::Calldata),
            (EXAMPLE_BATCH, Kind::Calldata),
            // A selector that begins as a type and a list does, but whose list would end elsewhere.
            (&*format!("0x02f86000{}", "00".repeat(32)), Kind::Calldata),
            (short_list, Kind::Calldata),
            ("nonsense", Kind::Calldata),
        ] {
            assert_eq!(Kind::of(text), kind, "{text}");
        }
    }
}
