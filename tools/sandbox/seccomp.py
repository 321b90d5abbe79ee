"""A filter of system calls: what code in a sandbox never needs and the kernel has been broken with is refused.

Namespaces do not cover all of it: a socket of the kind VSOCK reaches the host of a virtual machine from any network
namespace, keyrings are everybody's, and a new user namespace gives powers to anyone. Memory that is in no process and
in no file is refused, too, because nothing here would count it. The filter is classic BPF as ``bwrap --seccomp`` takes
it (seccomp(2)): refused calls give an error, they do not kill.
"""

from __future__ import annotations

import errno
import platform
import struct
from typing import NamedTuple

LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE, FIRST, SECOND = 0, 4, 16, 24
"""Offsets into ``seccomp_data``: the call's number, the machine, the low halves of two arguments."""
ALLOW, KILL = 0x7FFF0000, 0x80000000
REFUSE = 0x00050000
NAMESPACES = 0x7E020080
"""CLONE_NEW* but for time, which ``clone`` cannot ask for."""
SOCKETS = (1, 2, 10)
"""UNIX, INET and INET6; all else (VSOCK, NETLINK, ALG, PACKET, …) is no socket here."""
TTY_INPUT = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX, which type into a terminal."""
FIRST_X32 = 0x40000000


class Machine(NamedTuple):
    """A machine's name for the kernel and its numbers of system calls."""

    audit: int
    clone: int
    socket: int
    ioctl: int
    refused: tuple[int, ...]


EVERYWHERE = (*range(425, 434), 438, 442, 447)
"""io_uring, the new mount calls, pidfd_getfd, mount_setattr, memfd_secret: the same number on all machines."""
CLONE3 = 435
# ptrace mount umount2 pivot_root chroot unshare setns swapon swapoff reboot sethostname setdomainname init_module
# delete_module finit_module kexec_load kexec_file_load acct settimeofday clock_settime adjtimex clock_adjtime quotactl
# add_key request_key keyctl bpf perf_event_open userfaultfd open_by_handle_at name_to_handle_at process_vm_readv
# process_vm_writev kcmp syslog move_pages mbind set_mempolicy migrate_pages fanotify_init vhangup
# memfd_create shmget msgget (and iopl ioperm modify_ldt uselib lookup_dcookie)
X86 = """101 165 166 155 161 272 308 167 168 169 170 171 175 176 313 246 320 163 164 227 159 305 179 248 249 250 321
298 323 304 303 310 311 312 103 279 237 238 256 300 153 319 29 68 172 173 154 134 212"""
ARM = """117 40 39 41 51 97 268 224 225 142 161 162 105 106 273 104 294 89 170 112 171 266 60 217 218 219 280 241 282
265 264 270 271 272 116 239 235 237 238 262 58 279 194 186"""
MACHINES = {
    "x86_64": Machine(0xC000003E, 56, 41, 16, (*map(int, X86.split()), *EVERYWHERE)),
    "aarch64": Machine(0xC00000B7, 220, 198, 29, (*map(int, ARM.split()), *EVERYWHERE)),
}


def program(machine: str = "") -> bytes:
    """The filter for ``machine`` (default: this one); empty where its numbers are not known here."""
    known = MACHINES.get(machine or platform.machine())
    return b"" if known is None else b"".join(struct.pack("<HBBI", *line) for line in _lines(known))


def _lines(machine: Machine) -> list[tuple[int, int, int, int]]:
    """Instructions (code, jump if true, jump if false, value); each rule is a test that skips its own return."""
    lines = [(LOAD, 0, 0, ARCHITECTURE), (EQUAL, 1, 0, machine.audit), (RETURN, 0, 0, KILL), (LOAD, 0, 0, NUMBER)]
    if machine.audit == MACHINES["x86_64"].audit:
        lines += [(AT_LEAST, 0, 1, FIRST_X32), (RETURN, 0, 0, REFUSE | errno.ENOSYS)]
    lines += [(EQUAL, 0, 1, CLONE3), (RETURN, 0, 0, REFUSE | errno.ENOSYS)]  # the C library then takes clone
    for number in machine.refused:
        lines += [(EQUAL, 0, 1, number), (RETURN, 0, 0, REFUSE | errno.EPERM)]
    lines += _argument(machine.clone, FIRST, [(ANY_BIT, 0, 1, NAMESPACES), (RETURN, 0, 0, REFUSE | errno.EPERM)])
    typed = [(EQUAL, len(TTY_INPUT) - 1 - i, int(i == len(TTY_INPUT) - 1), v) for i, v in enumerate(TTY_INPUT)]
    lines += _argument(machine.ioctl, SECOND, [*typed, (RETURN, 0, 0, REFUSE | errno.EPERM)])
    kinds = [(EQUAL, len(SOCKETS) - i, 0, kind) for i, kind in enumerate(SOCKETS)]
    lines += _argument(machine.socket, FIRST, [*kinds, (RETURN, 0, 0, REFUSE | errno.EAFNOSUPPORT)])
    return [*lines, (RETURN, 0, 0, ALLOW)]


def _argument(number: int, which: int, tests: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """Tests on an argument of one call: what they let through is allowed, other calls skip them."""
    inner = [(LOAD, 0, 0, which), *tests, (RETURN, 0, 0, ALLOW)]
    return [(EQUAL, 0, len(inner), number), *inner]
