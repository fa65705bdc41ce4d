//! The EVM's instructions, as far as following code needs them (the yellow paper's numbers, up to Osaka).

pub const STOP: u8 = 0x00;
pub const ADD: u8 = 0x01;
pub const MUL: u8 = 0x02;
pub const SUB: u8 = 0x03;
pub const DIV: u8 = 0x04;
pub const EXP: u8 = 0x0a;
pub const SIGNEXTEND: u8 = 0x0b;
pub const LT: u8 = 0x10;
pub const GT: u8 = 0x11;
pub const SLT: u8 = 0x12;
pub const SGT: u8 = 0x13;
pub const EQ: u8 = 0x14;
pub const ISZERO: u8 = 0x15;
pub const AND: u8 = 0x16;
pub const OR: u8 = 0x17;
pub const XOR: u8 = 0x18;
pub const NOT: u8 = 0x19;
pub const SHL: u8 = 0x1b;
pub const SHR: u8 = 0x1c;
pub const KECCAK256: u8 = 0x20;
pub const ADDRESS: u8 = 0x30;
pub const CALLER: u8 = 0x33;
pub const CALLVALUE: u8 = 0x34;
pub const CALLDATALOAD: u8 = 0x35;
pub const CALLDATASIZE: u8 = 0x36;
pub const CALLDATACOPY: u8 = 0x37;
pub const CODESIZE: u8 = 0x38;
pub const CODECOPY: u8 = 0x39;
pub const RETURNDATACOPY: u8 = 0x3e;
pub const TIMESTAMP: u8 = 0x42;
pub const NUMBER: u8 = 0x43;
pub const POP: u8 = 0x50;
pub const MLOAD: u8 = 0x51;
pub const MSTORE: u8 = 0x52;
pub const SLOAD: u8 = 0x54;
pub const SSTORE: u8 = 0x55;
pub const JUMP: u8 = 0x56;
pub const JUMPI: u8 = 0x57;
pub const PC: u8 = 0x58;
pub const JUMPDEST: u8 = 0x5b;
pub const MCOPY: u8 = 0x5e;
pub const PUSH0: u8 = 0x5f;
pub const PUSH32: u8 = 0x7f;
pub const DUP1: u8 = 0x80;
pub const DUP16: u8 = 0x8f;
pub const SWAP1: u8 = 0x90;
pub const SWAP16: u8 = 0x9f;
pub const CREATE: u8 = 0xf0;
pub const CALL: u8 = 0xf1;
pub const CALLCODE: u8 = 0xf2;
pub const RETURN: u8 = 0xf3;
pub const DELEGATECALL: u8 = 0xf4;
pub const CREATE2: u8 = 0xf5;
pub const STATICCALL: u8 = 0xfa;
pub const REVERT: u8 = 0xfd;
pub const INVALID: u8 = 0xfe;
pub const SELFDESTRUCT: u8 = 0xff;

/// Bytes that follow in the code as its operand.
pub fn push_bytes(opcode: u8) -> usize {
    match opcode {
        PUSH0..=PUSH32 => usize::from(opcode - PUSH0),
        _ => 0,
    }
}

/// Words taken from the stack, and whether one is given back. `None`: no such instruction, or one that is handled by itself.
pub fn arity(opcode: u8) -> Option<(u8, bool)> {
    Some(match opcode {
        0x08 | 0x09 => (3, true), // ADDMOD, MULMOD
        0x01..=0x07 | 0x0a..=0x0b => (2, true),
        0x10..=0x14 | 0x16..=0x18 | 0x1a..=0x1d => (2, true),
        0x15 | 0x19 | 0x1e => (1, true), // ISZERO, NOT, CLZ
        0x30 | 0x32 | 0x34 => (0, true), // ADDRESS, ORIGIN, CALLVALUE
        0x31 | 0x3b | 0x3f => (1, true), // BALANCE, EXTCODESIZE, EXTCODEHASH
        0x3a | 0x3d => (0, true),        // GASPRICE, RETURNDATASIZE
        0x3c => (4, false),              // EXTCODECOPY
        0x40 | 0x49 => (1, true),        // BLOCKHASH, BLOBHASH
        0x41..=0x48 | 0x4a => (0, true),
        0x53 => (2, false),       // MSTORE8
        0x59 | 0x5a => (0, true), // MSIZE, GAS
        0x5c => (1, true),        // TLOAD
        0x5d => (2, false),       // TSTORE
        0xa0..=0xa4 => (2 + (opcode - 0xa0), false),
        _ => return None,
    })
}

/// Of those that are reported.
pub fn name(opcode: u8) -> &'static str {
    match opcode {
        CREATE => "CREATE",
        CREATE2 => "CREATE2",
        CALL => "CALL",
        CALLCODE => "CALLCODE",
        DELEGATECALL => "DELEGATECALL",
        STATICCALL => "STATICCALL",
        SELFDESTRUCT => "SELFDESTRUCT",
        _ => "other",
    }
}
