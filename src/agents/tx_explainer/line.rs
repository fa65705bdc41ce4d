//! Signatures as Solidity writes them: `function f((address to, uint64[2] rates)[] orders) external`. The library's own reader knows no names
//! inside tuples, which viem and cast write.

use alloy::dyn_abi::DynSolType;

use super::shape::{NESTING_MAX, Parameter, Shape, in_lists, quoted};

/// Characters of one signature, at most.
const LINE_MAX: usize = 2_000;

/// What a signature is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    Function,
    Event,
    Error,
    /// Nothing that has a selector or topic: a constructor, an anonymous event.
    Nothing,
}

/// Reads one signature. Without a word before it, it is a function's.
pub fn read(line: &str) -> Result<(Of, Shape), String> {
    if line.len() > LINE_MAX {
        return Err(format!("it is longer than {LINE_MAX} characters"));
    }
    let odd = || format!("{} is no signature", quoted(line));
    let mut reader = Reader { rest: line };
    let first = reader.word();
    let (of, name) = match first {
        "function" => (Of::Function, reader.word()),
        "event" => (Of::Event, reader.word()),
        "error" => (Of::Error, reader.word()),
        "constructor" | "fallback" | "receive" => (Of::Nothing, first),
        "struct" => return Err("structs are not read: write their fields in parentheses, where they are used".to_owned()),
        name => (Of::Function, name),
    };
    if name.is_empty() || !reader.eat('(') {
        return Err(odd());
    }
    let parameters = reader.parameters(0)?.ok_or_else(odd)?;
    let of = if of == Of::Event && reader.word() == "anonymous" { Of::Nothing } else { of };
    Ok((of, Shape::new(name, parameters)?))
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    /// Letters, digits, `_` and `$`; empty where something else comes first.
    fn word(&mut self) -> &'a str {
        self.rest = self.rest.trim_start();
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '$').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn eat(&mut self, c: char) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Up to the closing parenthesis. `None`: it is not there, or something stands where nothing can.
    fn parameters(&mut self, depth: usize) -> Result<Option<Vec<Parameter>>, String> {
        if depth > NESTING_MAX {
            return Err(format!("types nest more than {NESTING_MAX} levels deep"));
        }
        let mut parameters = Vec::new();
        if self.eat(')') {
            return Ok(Some(parameters));
        }
        loop {
            let Some(parameter) = self.parameter(depth)? else { return Ok(None) };
            parameters.push(parameter);
            if self.eat(')') {
                return Ok(Some(parameters));
            }
            if !self.eat(',') {
                return Ok(None);
            }
        }
    }

    fn parameter(&mut self, depth: usize) -> Result<Option<Parameter>, String> {
        let word = self.word();
        let base = match word {
            "" | "tuple" => {
                if !self.eat('(') {
                    return Ok(None);
                }
                let Some(parts) = self.parameters(depth + 1)? else { return Ok(None) };
                DynSolType::Tuple(parts.into_iter().map(|part| part.kind).collect())
            }
            word => word.parse().map_err(|_| format!("{} is no type", quoted(word)))?,
        };
        let suffixes = self.suffixes();
        if suffixes.matches('[').count() > NESTING_MAX {
            return Err(format!("types nest more than {NESTING_MAX} levels deep"));
        }
        let kind = in_lists(base, suffixes)?;
        let (mut indexed, mut name) = (false, "");
        loop {
            match self.word() {
                "" => return Parameter::new(name, kind, indexed).map(Some),
                "indexed" => indexed = true,
                "calldata" | "memory" | "storage" | "payable" => {}
                word => name = word,
            }
        }
    }

    /// `[2][]`, as it is.
    fn suffixes(&mut self) -> &'a str {
        self.rest = self.rest.trim_start();
        let end = self.rest.find(|c: char| !matches!(c, '[' | ']' | ' ') && !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let end = self.rest[..end].rfind(']').map_or(0, |last| last + 1);
        let (suffixes, rest) = self.rest.split_at(end);
        self.rest = rest;
        suffixes
    }
}
