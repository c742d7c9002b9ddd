//! The instructions of classic BPF that our own programs use (linux/bpf_common.h), and the fields of what they look at.

use seccompiler::sock_filter;

pub(super) const LOAD_WORD: u16 = 0x20;
pub(super) const JUMP: u16 = 0x05;
pub(super) const JUMP_IF_EQUAL: u16 = 0x15;
pub(super) const JUMP_IF_AT_LEAST: u16 = 0x35;
pub(super) const JUMP_IF_ANY_BIT: u16 = 0x45;
pub(super) const RETURN: u16 = 0x06;
pub(super) const XOR: u16 = 0xa4;
pub(super) const OR_INDEX: u16 = 0x4c;
pub(super) const COPY_TO_INDEX: u16 = 0x07;

// Offsets in struct seccomp_data.
pub(super) const NUMBER: u32 = 0;
pub(super) const ARCHITECTURE: u32 = 4;
pub(super) const ARGUMENTS: u32 = 16;

/// An instruction that does not jump.
pub(super) const fn statement(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}
