//! A transaction's calls, as `callTracer` tells them, and what coin they moved.
//!
//! Read without recursion: a stranger nests calls as deep as a chain lets him, and that must cost us no stack.

use crate::{evm::Address, money::Amount};

/// Calls of one transaction that are read: more than the fullest block of any chain we know pays for.
const FRAMES_MAX: usize = 200_000;

/// One call within another; the EVM itself ends at 1,024.
const DEPTH_MAX: usize = 1_100;

/// Coin that moved from one account to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    pub from: Address,
    pub to: Address,
    /// Wei, never zero.
    pub value: Amount,
}

#[derive(Default)]
struct Frame {
    parent: Option<usize>,
    moves: bool,
    from: Option<Address>,
    to: Option<Address>,
    value: Amount,
    failed: bool,
}

/// What moved to or from these accounts, in the order of the calls. Nothing of a call that failed, nor of what it called; nothing by running somebody
/// else's code as one's own (`DELEGATECALL`, `CALLCODE`), whatever value is told there.
///
/// # Errors
/// It is no trace of calls, or larger than what is read: a sentence.
pub(super) fn moves(trace: &str, of: &[Address]) -> Result<Vec<Move>, String> {
    let mut frames = read(trace)?;
    if frames.first().is_none_or(|root| root.from.is_none()) {
        return Err("a trace that is not of callTracer".to_owned());
    }
    let mut moved = Vec::new();
    for at in 0..frames.len() {
        // A caller stands before what it calls.
        frames[at].failed |= frames[at].parent.is_some_and(|parent| frames[parent].failed);
        let Frame { moves: true, from: Some(from), to: Some(to), value, failed: false, .. } = frames[at] else { continue };
        let is_ours = of.contains(&to) || of.contains(&from);
        if is_ours && from != to && !value.is_zero() {
            moved.push(Move { from, to, value });
        }
    }
    Ok(moved)
}

fn read(trace: &str) -> Result<Vec<Frame>, String> {
    let mut tokens = Tokens { text: trace.as_bytes(), at: 0 };
    let mut frames: Vec<Frame> = Vec::new();
    // Places of the calls that are being read, each within the one before.
    let mut open: Vec<usize> = Vec::new();
    if tokens.next()? != Token::Open(b'{') {
        return Err("a trace that is no object".to_owned());
    }
    begin(&mut frames, &mut open)?;
    while let Some(&frame) = open.last() {
        match tokens.next()? {
            Token::Comma => {}
            Token::Close(b'}') => {
                open.pop();
                if open.is_empty() {
                    break;
                }
                match tokens.next()? {
                    Token::Comma => tokens.expect(Token::Open(b'{')).and_then(|()| begin(&mut frames, &mut open))?,
                    Token::Close(b']') => {}
                    _ => return Err(odd()),
                }
            }
            Token::Text(key) => {
                tokens.expect(Token::Colon)?;
                let value = tokens.next()?;
                match (key, value) {
                    (b"calls", Token::Open(b'[')) => match tokens.next()? {
                        Token::Open(b'{') => begin(&mut frames, &mut open)?,
                        Token::Close(b']') => {}
                        _ => return Err(odd()),
                    },
                    (b"type", Token::Text(kind)) => frames[frame].moves = does_move(kind),
                    (b"from", Token::Text(text)) => frames[frame].from = Some(address(text)?),
                    (b"to", Token::Text(text)) if !text.is_empty() => frames[frame].to = Some(address(text)?),
                    (b"value", Token::Text(text)) => frames[frame].value = amount(text)?,
                    (b"error", Token::Text(text)) => frames[frame].failed |= !text.is_empty(),
                    (_, Token::Open(_)) => tokens.skip()?,
                    (_, Token::Text(_) | Token::Other) => {}
                    _ => return Err(odd()),
                }
            }
            _ => return Err(odd()),
        }
    }
    Ok(frames)
}

fn begin(frames: &mut Vec<Frame>, open: &mut Vec<usize>) -> Result<(), String> {
    if frames.len() >= FRAMES_MAX || open.len() >= DEPTH_MAX {
        return Err("a trace of more calls than are read".to_owned());
    }
    frames.push(Frame { parent: open.last().copied(), ..Frame::default() });
    open.push(frames.len() - 1);
    Ok(())
}

/// `SUICIDE` is the old name of a contract's end, which leaves what it had to somebody.
fn does_move(kind: &[u8]) -> bool {
    const KINDS: [&[u8]; 5] = [b"CALL", b"CREATE", b"CREATE2", b"SELFDESTRUCT", b"SUICIDE"];
    KINDS.iter().any(|known| kind.eq_ignore_ascii_case(known))
}

fn address(text: &[u8]) -> Result<Address, String> {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or_else(odd)
}

fn amount(text: &[u8]) -> Result<Amount, String> {
    match text {
        b"" | b"0x" => Ok(Amount::ZERO),
        text => std::str::from_utf8(text).ok().and_then(|text| Amount::from_hex_quantity(text).ok()).ok_or_else(odd),
    }
}

fn odd() -> String {
    "a trace that makes no sense".to_owned()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token<'t> {
    Open(u8),
    Close(u8),
    Comma,
    Colon,
    /// As it is written, escapes and all: what is read of it has none.
    Text(&'t [u8]),
    /// A number, `true`, `false`, `null`.
    Other,
}

/// The words of a JSON text. That it is one was found when the answer around it was read.
struct Tokens<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Tokens<'t> {
    fn next(&mut self) -> Result<Token<'t>, String> {
        let rest = &self.text[self.at..];
        let blank = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.at += blank;
        let rest = &rest[blank..];
        let Some(&first) = rest.first() else { return Err(odd()) };
        let (token, length) = match first {
            b'{' | b'[' => (Token::Open(first), 1),
            b'}' | b']' => (Token::Close(first), 1),
            b',' => (Token::Comma, 1),
            b':' => (Token::Colon, 1),
            b'"' => {
                let mut end = 1;
                while *rest.get(end).ok_or_else(odd)? != b'"' {
                    end += if rest[end] == b'\\' { 2 } else { 1 };
                }
                (Token::Text(&rest[1..end]), end + 1)
            }
            _ => {
                let end = rest.iter().position(|byte| b",:{}[]\"".contains(byte) || byte.is_ascii_whitespace());
                (Token::Other, end.unwrap_or(rest.len()))
            }
        };
        self.at += length;
        Ok(token)
    }

    fn expect(&mut self, wanted: Token<'_>) -> Result<(), String> {
        if self.next()? == wanted { Ok(()) } else { Err(odd()) }
    }

    /// To the end of what was just opened.
    fn skip(&mut self) -> Result<(), String> {
        let mut open = 1_usize;
        while open > 0 {
            match self.next()? {
                Token::Open(_) => open += 1,
                Token::Close(_) => open -= 1,
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;

    const SHOP: Address = Address([0x50; 20]);
    const ADA: Address = Address([0xad; 20]);
    const BOB: Address = Address([0xb0; 20]);
    const RELAYER: Address = Address([0x4e; 20]);

    fn call(kind: &str, from: Address, to: Address, value: u64, calls: Value) -> Value {
        json!({"type": kind, "from": from, "to": to, "value": format!("{value:#x}"), "gas": "0x1", "input": "0x", "calls": calls})
    }

    fn moved(trace: &Value) -> Vec<(Address, u128)> {
        let moves = moves(&trace.to_string(), &[SHOP]).unwrap();
        moves.iter().map(|one| (one.from, one.value.to_string().parse().unwrap())).collect()
    }

    fn relayed(calls: Value) -> Value {
        call("CALL", RELAYER, ADA, 0, calls)
    }

    #[test]
    fn p1_every_frame_to_us_that_did_not_fail_is_a_payment_of_its_caller() {
        let trace = relayed(json!([
            call("CALL", ADA, SHOP, 7, json!([])),
            call("CALL", ADA, BOB, 0, json!([call("CALL", BOB, SHOP, 5, json!([])), call("CALL", BOB, SHOP, 6, json!([]))])),
            call("CALL", ADA, BOB, 9, json!([])),
            call("CALL", BOB, SHOP, 0, json!([])),
            call("SELFDESTRUCT", BOB, SHOP, 3, json!([])),
        ]));
        assert_eq!(moved(&trace), [(ADA, 7), (BOB, 5), (BOB, 6), (BOB, 3)]);
        assert_eq!(moved(&call("CALL", ADA, SHOP, 4, json!([]))), [(ADA, 4)], "the outermost call too");
    }

    #[test]
    fn p1_what_failed_and_what_it_called_moved_nothing() {
        let mut failed = call("CALL", ADA, BOB, 0, json!([call("CALL", BOB, SHOP, 5, json!([]))]));
        failed["error"] = json!("execution reverted");
        let trace = relayed(json!([failed, call("CALL", ADA, SHOP, 1, json!([]))]));
        assert_eq!(moved(&trace), [(ADA, 1)]);
        // Told before or after what it called.
        let first = format!(r#"{{"error":"out of gas","from":"{RELAYER}","calls":[{}]}}"#, call("CALL", ADA, SHOP, 1, json!([])));
        let last = format!(r#"{{"from":"{RELAYER}","calls":[{}],"error":"out of gas"}}"#, call("CALL", ADA, SHOP, 1, json!([])));
        for whole in [first, last] {
            assert_eq!(moves(&whole, &[SHOP]).unwrap(), []);
        }
    }

    #[test]
    fn p1_borrowed_code_and_views_move_nothing_by_themselves() {
        for kind in ["DELEGATECALL", "CALLCODE", "STATICCALL"] {
            let inner = json!([call(kind, ADA, SHOP, 5, json!([call("CALL", ADA, SHOP, 2, json!([]))]))]);
            assert_eq!(moved(&relayed(inner)), [(ADA, 2)], "{kind}");
        }
        assert_eq!(moved(&relayed(json!([call("CALL", SHOP, SHOP, 5, json!([]))]))), [], "to oneself");
    }

    #[test]
    fn p1_depth_and_frames_are_bounded_and_deep_ones_cost_no_stack() {
        let nested = |depth: usize| {
            let open = format!(r#"{{"type":"CALL","from":"{ADA}","to":"{BOB}","value":"0x0","calls":["#);
            let inner = call("CALL", ADA, SHOP, 1, json!([]));
            format!("{}{inner}{}", open.repeat(depth), "]}".repeat(depth))
        };
        assert_eq!(moves(&nested(1_024), &[SHOP]).unwrap().len(), 1);
        assert!(moves(&nested(100_000), &[SHOP]).is_err());
        let flat = format!(r#"{{"from":"{ADA}","calls":[{}]}}"#, vec![r#"{"type":"CALL"}"#; FRAMES_MAX + 1].join(","));
        assert!(moves(&flat, &[SHOP]).is_err());
        let logs = format!(r#"{{"from":"{ADA}","logs":{}1{},"calls":null}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(moves(&logs, &[SHOP]).unwrap(), [], "what is not read may be as deep as it likes");
    }

    #[test]
    fn what_is_no_trace_of_calls_is_an_error_and_never_nothing() {
        for odd in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"gas":1,"structLogs":[]}"#,
            r#"{"from":"0x12"}"#,
            r#"{"from":"\""#,
            r#"{"from":"#,
            r#"{"calls":[1]}"#,
            &format!(r#"{{"from":"{ADA}","value":"seven"}}"#),
        ] {
            assert!(moves(odd, &[SHOP]).is_err(), "{odd}");
        }
        let spaced = format!(
            "{{ \"from\" : \"{ADA}\" , \"note\":\"a \\\" }} ] b\", \"to\":\"{SHOP}\",\"type\":\"call\",\n\"value\":\"0x2\" }}"
        );
        assert_eq!(moves(&spaced, &[SHOP]).unwrap().len(), 1);
    }
}
