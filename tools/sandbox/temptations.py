"""Code that tries to get out of a sandbox, a snippet a promise. Each is harmless where it succeeds.

A snippet ends well when it was refused; ``sys.exit(words)`` says how it got through. ``bait`` is what of the host it is
told of (see ``bait.py``).
"""

from __future__ import annotations

PRELUDE = """
import ctypes, errno, json, os, platform, socket, sys
bait = json.load(sys.stdin)
try:
    libc = ctypes.CDLL(None, use_errno=True)
except OSError:
    libc = None
def refused(what, *given):
    try:
        what(*given)
    except OSError as error:
        print(error.strerror)
    else:
        sys.exit("it was let through")
def call(name, *given):
    if getattr(libc, name)(*given) == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
def connect(family, address, kind=socket.SOCK_STREAM):
    with socket.socket(family, kind) as one:
        one.settimeout(2)
        one.connect(address)
        one.send(b"x")
def unreachable(*given):
    try:
        connect(*given)
    except TimeoutError:
        sys.exit("there is a way out: it waited for an answer")
    except OSError as error:
        print(error.strerror)
    else:
        sys.exit("it was reached")
def readable(path):
    try:
        with open(path, "rb") as file:
            return file.read(4096)
    except OSError:
        return b""
def everywhere(name):
    return b" ".join(readable(f"/proc/{pid}/{name}") for pid in os.listdir("/proc") if pid.isdigit())
"""

NETWORK = {
    "tcp": "unreachable(socket.AF_INET, ('192.0.2.1', 80))",
    "tcp over ipv6": "unreachable(socket.AF_INET6, ('2001:db8::1', 80))",
    "udp": "unreachable(socket.AF_INET, ('192.0.2.1', 53), socket.SOCK_DGRAM)",
    "loopback of the host": "unreachable(socket.AF_INET, ('127.0.0.1', bait['tcp']))",
    "udp to the host": """
try:
    connect(socket.AF_INET, ('127.0.0.1', bait['udp']), socket.SOCK_DGRAM)
except OSError as error:
    print(error.strerror)
""",
    "dns": """
try:
    found = socket.getaddrinfo('example.com', 80)
except OSError as error:
    print(error.strerror)
else:
    sys.exit(f'it was told {found[0][4]}')
""",
    "network devices": """
names = {name for _, name in socket.if_nameindex()} if not os.path.exists('/proc/net/dev') else {
    line.split(':')[0].strip() for line in list(open('/proc/net/dev'))[2:]}
if names - {'lo', 'lo0'}:
    sys.exit(f'there is {sorted(names)}')
print('none but the loopback of its own')
""",
    "raw sockets": """
refused(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close())
refused(lambda: socket.socket(getattr(socket, 'AF_PACKET', 17), socket.SOCK_RAW).close())
""",
    "host of a virtual machine": "refused(lambda: socket.socket(40, socket.SOCK_STREAM).close())",
    "unix socket of the host": "refused(connect, socket.AF_UNIX, bait['unix'])",
    "abstract socket of the host": "refused(connect, socket.AF_UNIX, chr(0) + bait['abstract'])",
    "docker socket": """
for path in ('/var/run/docker.sock', '/run/docker.sock', '/run/containerd/containerd.sock'):
    refused(connect, socket.AF_UNIX, path)
""",
}

FILES = {
    "home and temporary files": """
for path in bait['files']:
    if bait['secret'].encode() in readable(path):
        sys.exit(f'it reads {path}')
print('not there')
""",
    "current folder": """
for path, *known in bait['here']:
    try:
        found = os.lstat(path)
    except OSError:
        continue
    if [found.st_dev, found.st_ino] == known:
        sys.exit(f'it sees {path}')
print('not there')
""",
    "passwords": """
for path in ('/etc/shadow', '/etc/gshadow', '/etc/sudoers'):
    if readable(path):
        sys.exit(f'it reads {path}')
print('not there')
""",
    "ssh keys": """
for home in ('/root', os.path.dirname(bait['files'][-1])):
    if os.path.isdir(os.path.join(home, '.ssh')):
        sys.exit(f'there is {home}/.ssh')
print('not there')
""",
    "system is read-only": """
for folder in ('/', '/usr', '/usr/bin', '/etc', '/dev', os.path.dirname(os.__file__), os.path.dirname(sys.executable)):
    path = os.path.join(folder, bait['secret'])
    try:
        open(path, 'w').close()
    except OSError as error:
        continue
    os.unlink(path)
    sys.exit(f'it writes to {folder}')
print('nothing can be written')
""",
    "roots of other processes": """
for pid in os.listdir('/proc'):
    for way in ('root', 'cwd'):
        for path in bait['files']:
            if pid.isdigit() and readable(f'/proc/{pid}/{way}{path}'):
                sys.exit(f'it reads {path} through /proc/{pid}/{way}')
print('none leads out')
""",
    "mount": """
os.mkdir('mnt')
def mount():
    call('mount', b'none', b'mnt', b'tmpfs', 0, None)
    libc.umount(b'mnt')
refused(mount)
""",
    "bind of the host": """
os.mkdir('host')
def mount():
    call('mount', b'/', b'host', None, 4096, None)
    libc.umount(b'host')
refused(mount)
""",
    "chroot": "refused(os.chroot, '.')",
    "raw devices": """
for path in ('/dev/mem', '/dev/kmem', '/dev/kmsg', '/dev/sda', '/dev/vda', '/dev/nvme0n1', '/dev/fuse', '/dev/kvm'):
    if os.access(path, os.R_OK):
        sys.exit(f'it reads {path}')
def make():
    os.mknod('disk', 0o060666, os.makedev(8, 0))
    os.unlink('disk')
refused(make)
""",
}

POWERS = {
    "environment": """
if bait['secret'] in repr(dict(os.environ)):
    sys.exit('it has the variable of the parent')
print(f'{len(os.environ)} variables: ' + ' '.join(sorted(os.environ)))
""",
    "environments of other processes": """
if bait['secret'].encode() in everywhere('environ'):
    sys.exit('it reads the variable of the parent in /proc')
print('none has the secret')
""",
    "command lines of the host": """
if bait['secret'].encode() in everywhere('cmdline'):
    sys.exit('it reads command lines of the host')
print('none to be seen')
""",
    "descriptors": """
import stat
for fd in range(3, 1024):
    try:
        found = os.fstat(fd)
    except OSError:
        continue
    sys.exit(f'descriptor {fd} was inherited')
print('none inherited')
""",
    "signals to the host": """
try:
    os.kill(bait['pid'], 0)
except OSError as error:
    print(error.strerror)
else:
    sys.exit('it can signal a process of the host')
""",
    "signals to all": """
try:
    os.kill(bait['pid'], 0)
except ProcessLookupError:
    pass
else:
    sys.exit('not tried: it can signal a process of the host')
if os.fork() == 0:
    os.setsid()
    os.kill(-1, 9)
""",
    "ptrace": """
if sys.platform == 'linux':
    refused(call, 'ptrace', 16, bait['pid'], 0, 0)
    refused(call, 'ptrace', 16, os.getppid(), 0, 0)
""",
    "root": """
if os.getuid() == 0:
    sys.exit('it runs as root')
refused(os.setuid, 0)
refused(os.setgid, 0)
""",
    "capabilities": """
lines = dict(line.split(':', 1) for line in open('/proc/self/status'))
for name in ('CapInh', 'CapPrm', 'CapEff', 'CapAmb'):
    if int(lines[name], 16):
        sys.exit(f'{name} is {lines[name].strip()}')
print('none')
""",
    "setuid programs": """
lines = dict(line.split(':', 1) for line in open('/proc/self/status'))
if lines['NoNewPrivs'].strip() != '1':
    sys.exit('a program with the setuid bit may gain powers')
print('gain nothing')
""",
    "new namespaces": """
for kind in (0x10000000, 0x20000, 0x40000000, 0x20000000):
    refused(call, 'unshare', kind)
""",
    "kernel settings": """
for name in ('kernel/core_pattern', 'kernel/hostname', 'vm/overcommit_memory', 'net/ipv4/ip_forward'):
    path = f'/proc/sys/{name}'
    try:
        with open(path, 'r+') as file:
            file.write(file.read())
    except OSError:
        continue
    sys.exit(f'it writes to {path}')
print('cannot be written')
""",
    "keyring": """
number = {'x86_64': 250, 'aarch64': 219}.get(platform.machine())
if number:
    refused(call, 'syscall', number, 0, -3, 0)
""",
    "kernel log": "refused(call, 'klogctl', 3, ctypes.create_string_buffer(4096), 4096)",
    "clock of the host": """
import time
refused(lambda: time.clock_settime(time.CLOCK_REALTIME, time.time()))
""",
    "name of the host": "refused(lambda: socket.sethostname(socket.gethostname()))",
    "priority": "refused(os.nice, -5)",
}

HIDDEN = {
    "files in memory": """
import os, time
held = []
for _ in range(80):
    held.append(os.memfd_create('held'))
    os.write(held[-1], b'x' * (4 << 20))
time.sleep(1)
print('it is held')
""",
    "segments": """
import ctypes, time
libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p
names = []
try:
    for _ in range(10):
        names.append(libc.shmget(0, 32 << 20, 0o1600))
        if names[-1] < 0:
            raise SystemExit(1)
        at = ctypes.c_void_p(libc.shmat(names[-1], None, 0))
        ctypes.memset(at, 1, 32 << 20)
        libc.shmdt(at)
    time.sleep(1)
    print('it is held')
finally:
    for name in names:
        libc.shmctl(name, 0, None)
""",
    "shared pages": """
import mmap, os, time
read, write = os.pipe()
for _ in range(6):
    if os.fork() == 0:
        pages = mmap.mmap(-1, 56 << 20)
        child = os.fork()
        if child == 0:
            for at in range(0, len(pages), mmap.PAGESIZE):
                pages[at] = 1
            os._exit(0)
        os.waitpid(child, 0)
        os.write(write, b'x')
        time.sleep(20)
        os._exit(0)
    os.read(read, 1)
time.sleep(1)
print('it is held')
""",
}
"""Each holds 320 MiB, and no process shows it as its own. (They need no prelude, and say ``it is held``.)"""
