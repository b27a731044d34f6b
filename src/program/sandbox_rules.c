#include "program/sandbox_rules.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/prctl.h>
#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <seccomp.h>

#include "base/checked.h"

#define LOW UINT64_C(0xffffffff)
/* clang-format off */
#define CALL(name) {SCMP_SYS(name), 0, {{0, 0, 0}}}
#define CALL_IF(name, argument, mask, value) \
	{SCMP_SYS(name), 1, {{argument, mask, (value) & (mask)}}}
#define CALL_IF_BOTH(name, a, a_mask, a_value, b, b_mask, b_value) \
	{SCMP_SYS(name), 2, {{a, a_mask, (a_value) & (a_mask)}, {b, b_mask, (b_value) & (b_mask)}}}
/* clang-format on */
#define GROUP(name, why)                                                                           \
	static const struct sandbox_group name = {why, name##_rules, ARRAY_LENGTH(name##_rules)}

/* Flags of open that make or change a file; a call with none of them can only read. O_TMPFILE
 * holds O_DIRECTORY, which is harmless. */
#define OPEN_CHANGES (O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))

/* The argument is a directory descriptor: not negative, so not AT_FDCWD. */
#define BELOW UINT64_C(0x80000000)

/*
 * Where a call was not seen under strace, its line says who needs it. One cause has many lines: the
 * C library makes one of several calls of the same kind, by its version and by the processor (arm64
 * has no stat, access, poll or epoll_wait: its library makes newfstatat, faccessat, ppoll and
 * epoll_pwait of them), and clocks become calls where the machine's clock cannot be read without.
 */
/* clang-format off */
static const struct sandbox_rule life_rules[] = {
	CALL(exit), CALL(exit_group), CALL(restart_syscall), CALL(rt_sigaction),
	CALL(rt_sigprocmask), CALL(rt_sigreturn),
	/* abort(), of ASSERT and of the C library: it may say why, by writev(). */
	CALL(getpid), CALL(gettid), CALL(tgkill), CALL(writev),
	/* Libraries ask whether they run with another user's rights. */
	CALL(getuid), CALL(geteuid), CALL(getgid), CALL(getegid),
	/* Locks. How many processors there are decides how memory and locks are spread. */
	CALL(futex), CALL(sched_yield), CALL(sched_getaffinity), CALL(getcpu),
	CALL(clock_gettime), CALL(clock_getres), CALL(clock_nanosleep), CALL(nanosleep),
	CALL(gettimeofday), CALL(time), CALL(getrandom),
	/* Reading limits, not setting them: sysconf(), stacks of threads. */
	CALL_IF(prlimit64, 2, UINT64_MAX, 0),
};
GROUP(life, "every process: signals, clocks, locks, an end by abort()");

static const struct sandbox_rule memory_rules[] = {
	CALL(brk), CALL(munmap), CALL(mremap), CALL(madvise), CALL(mlock), CALL(munlock),
	/* qsort() asks how large the memory is. */
	CALL(sysinfo),
	/* Nothing becomes code that was not code at the start. */
	CALL_IF(mmap, 2, PROT_EXEC, 0), CALL_IF(mprotect, 2, PROT_EXEC, 0),
#ifdef PR_SET_VMA
	/* A later C library names its mappings, if it is told to. */
	CALL_IF(prctl, 0, LOW, PR_SET_VMA),
#endif
};
GROUP(memory, "every process: memory, never executable");

static const struct sandbox_rule loading_rules[] = {CALL(mmap), CALL(mprotect)};
GROUP(loading, "loads libraries later: the PKCS#11 module and OpenSSL's engine (hsm); name service "
	       "and authentication plugins, where the machine or the server wants one (pull, "
	       "forward)");

static const struct sandbox_rule descriptors_rules[] = {
	CALL(read), CALL(write), CALL(readv), CALL(pread64), CALL(lseek), CALL(close),
	CALL(fstat), CALL(newfstatat), CALL(stat), CALL(lstat), CALL(statx),
	CALL(fcntl), CALL(poll), CALL(ppoll),
	/* isatty(), and what a buffered stream asks its descriptor. */
	CALL_IF(ioctl, 1, LOW, TCGETS),
};
GROUP(descriptors, "every process: reading, writing and waiting on what is open");

static const struct sandbox_rule messages_rules[] = {CALL(sendmsg), CALL(recvmsg)};
GROUP(messages, "every process: messages on open sockets");

static const struct sandbox_rule bodies_rules[] = {CALL(memfd_create)};
GROUP(bodies, "makes messages that are too large for one: sealed memfds");

static const struct sandbox_rule ring_rules[] = {CALL(io_uring_enter)};
GROUP(ring, "runs the ring that was made and restricted before the filter");

static const struct sandbox_rule reading_rules[] = {
	CALL_IF(openat, 2, OPEN_CHANGES, O_RDONLY), CALL_IF(open, 1, OPEN_CHANGES, O_RDONLY),
	CALL(readlink), CALL(readlinkat), CALL(access), CALL(faccessat), CALL(faccessat2),
};
GROUP(reading, "opens files for reading: certificates, credentials, time zones, resolv.conf");

static const struct sandbox_rule directories_rules[] = {
	CALL(getdents64), CALL(statfs), CALL(fstatfs),
};
GROUP(directories, "lists directories, asks for free space");

static const struct sandbox_rule connecting_rules[] = {
	CALL_IF(socket, 0, LOW, AF_UNIX), CALL(connect),
};
GROUP(connecting, "connects to another daemon (or to name service's, or to the module's)");

static const struct sandbox_rule accepting_rules[] = {
	CALL(accept4), CALL(getsockopt), CALL(dup),
};
GROUP(accepting, "accepts its clients and asks the kernel who they are");

static const struct sandbox_rule network_rules[] = {
	CALL_IF(socket, 0, LOW, AF_INET), CALL_IF(socket, 0, LOW, AF_INET6),
	CALL(sendto), CALL(recvfrom), CALL(shutdown), CALL(getsockopt), CALL(setsockopt),
	CALL(getsockname), CALL(getpeername),
	/* getaddrinfo() asks the kernel which address families are up (netlink), sends both of its
	 * questions at once, asks how long the answer is, and names this host. */
	CALL_IF(socket, 0, LOW, AF_NETLINK), CALL(bind), CALL(sendmmsg), CALL(uname),
	CALL_IF(ioctl, 1, LOW, FIONREAD),
	/* How OpenSSL makes a socket non-blocking. */
	CALL_IF(ioctl, 1, LOW, FIONBIO),
};
GROUP(network, "speaks TCP: to its servers (pull), to the HSM if it is in the network (hsm), to "
	       "the SIEM (forward)");

static const struct sandbox_rule threads_rules[] = {
	CALL_IF(clone, 0, CLONE_VM | CLONE_THREAD, CLONE_VM | CLONE_THREAD), CALL(set_robust_list),
	CALL(rseq),
};
GROUP(threads, "starts threads, never a process (clone3 answers ENOSYS, then glibc uses clone)");

static const struct sandbox_rule loop_rules[] = {
	CALL(epoll_ctl), CALL(epoll_wait), CALL(epoll_pwait),
	/* The workers step back behind everybody else. */
	CALL(ioprio_set), CALL(setpriority),
	/* Is CAP_LINUX_IMMUTABLE there? */
	CALL(capget),
};
GROUP(loop, "the keeper's control loop and its workers");

static const struct sandbox_rule archive_rules[] = {
	CALL_IF(openat, 0, BELOW, 0), CALL_IF(mkdirat, 0, BELOW, 0), CALL_IF(unlinkat, 0, BELOW, 0),
	CALL_IF_BOTH(renameat2, 0, BELOW, 0, 2, BELOW, 0),
	CALL(pwritev2), CALL(fchmod), CALL(fchown), CALL(fsync), CALL(flock),
	CALL_IF(ioctl, 1, LOW, FS_IOC_GETFLAGS), CALL_IF(ioctl, 1, LOW, FS_IOC_SETFLAGS),
};
GROUP(archive, "the keeper makes, protects and removes files, each by a directory descriptor");

/* Of these, SoftHSM2 with its file store makes openat, flock, ftruncate and fsync; the rest is for
 * its other store (SQLite), and for what modules of network HSMs are known to do. */
static const struct sandbox_rule token_rules[] = {
	CALL(openat), CALL(open), CALL(mkdir), CALL(mkdirat), CALL(unlink), CALL(unlinkat),
	CALL(rename), CALL(renameat), CALL(renameat2), CALL(chmod), CALL(fchmod), CALL(fsync),
	CALL(fdatasync), CALL(ftruncate), CALL(flock), CALL(pwrite64),
	CALL(select), CALL(pselect6), CALL(epoll_create1), CALL(epoll_ctl), CALL(epoll_wait),
	CALL(epoll_pwait), CALL(eventfd2), CALL(timerfd_create), CALL(timerfd_settime),
	CALL(pipe2), CALL_IF(socketpair, 0, LOW, AF_UNIX), CALL_IF(prctl, 0, LOW, PR_SET_NAME),
};
GROUP(token, "hsm's own small state files, and whatever its PKCS#11 module does");

static const struct sandbox_rule share_rules[] = {
	CALL_IF(openat, 0, BELOW, 0), CALL_IF(unlinkat, 0, BELOW, 0), CALL(fsync),
	CALL(sync_file_range), CALL(ftruncate),
};
GROUP(share, "the exporter writes by the directory descriptor that it was given");

static const struct sandbox_rule forwarding_rules[] = {
	CALL_IF(openat, 0, BELOW, 0), CALL_IF(unlinkat, 0, BELOW, 0),
	CALL_IF_BOTH(renameat, 0, BELOW, 0, 2, BELOW, 0),
	CALL_IF_BOTH(renameat2, 0, BELOW, 0, 2, BELOW, 0), CALL(fsync), CALL(fchmod),
	/* How much the peer's host has not acknowledged. */
	CALL_IF(ioctl, 1, LOW, SIOCOUTQ),
};
GROUP(forwarding, "the forwarder's one small state file, and what of its stream has arrived");

#ifdef BINVAULT_SANITIZED
static const struct sandbox_rule sanitizer_rules[] = {
	CALL(mmap), CALL(mprotect), CALL(clone), CALL(wait4), CALL(ptrace), CALL(prctl), CALL(kill),
	CALL(personality), CALL(getrlimit), CALL(setrlimit), CALL(prlimit64),
	CALL(process_vm_readv), CALL(mincore), CALL(pipe), CALL(pipe2), CALL(dup), CALL(dup2),
	CALL(sched_setaffinity), CALL(rt_sigtimedwait), CALL(sigaltstack), CALL(arch_prctl),
	CALL(set_tid_address), CALL(set_robust_list), CALL(rseq), CALL(msync), CALL(getdents),
	CALL(getdents64), CALL(open), CALL(readlink), CALL(getcwd), CALL(getppid), CALL(uname),
	CALL(getrusage),
};
GROUP(sanitizer, "tests only: shadow memory, the leak check's own process, thread tracking");
#define SANITIZER &sanitizer,
#else
#define SANITIZER
#endif

static const struct sandbox_group *const pull_groups[] = {
	&life, &memory, &loading, &descriptors, &messages, &bodies, &ring, &reading, &connecting,
	&network,
	SANITIZER NULL};
static const struct sandbox_group *const keeper_groups[] = {
	&life, &memory, &descriptors, &messages, &bodies, &reading, &directories, &connecting,
	&accepting, &threads, &loop, &archive, SANITIZER NULL};
static const struct sandbox_group *const hsm_groups[] = {
	&life, &memory, &loading, &descriptors, &messages, &reading, &directories, &connecting,
	&accepting, &network, &threads, &token, SANITIZER NULL};
static const struct sandbox_group *const export_groups[] = {
	&life, &memory, &descriptors, &messages, &bodies, &reading, &share, SANITIZER NULL};
static const struct sandbox_group *const forward_groups[] = {
	&life, &memory, &loading, &descriptors, &messages, &reading, &directories, &connecting,
	&network, &forwarding, SANITIZER NULL};

/* clang-format on */

const struct sandbox_group *const *sandbox_groups(enum sandbox_role role)
{
	static const struct sandbox_group *const *const groups[] = {
		[SANDBOX_PULL] = pull_groups,	    [SANDBOX_KEEPER] = keeper_groups,
		[SANDBOX_HSM] = hsm_groups,	    [SANDBOX_EXPORT] = export_groups,
		[SANDBOX_FORWARD] = forward_groups,
	};

	return groups[role];
}

/* Of a credential command. Whoever has another user's memory, namespaces, modules, mounts or the
 * clock in mind finds EPERM; io_uring because a filter does not see what it does. */
/* clang-format off */
static const int forbidden[] = {
	SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
	SCMP_SYS(pidfd_getfd), SCMP_SYS(kcmp), SCMP_SYS(process_madvise),
	SCMP_SYS(perf_event_open), SCMP_SYS(bpf), SCMP_SYS(userfaultfd),
	SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
	SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot),
	SCMP_SYS(open_tree), SCMP_SYS(move_mount), SCMP_SYS(fsopen), SCMP_SYS(fsmount),
	SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(open_by_handle_at),
	SCMP_SYS(name_to_handle_at), SCMP_SYS(quotactl), SCMP_SYS(acct), SCMP_SYS(swapon),
	SCMP_SYS(swapoff), SCMP_SYS(reboot), SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load),
	SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module),
	SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(adjtimex),
	SCMP_SYS(clock_adjtime), SCMP_SYS(syslog), SCMP_SYS(add_key), SCMP_SYS(request_key),
	SCMP_SYS(keyctl), SCMP_SYS(iopl), SCMP_SYS(ioperm), SCMP_SYS(vhangup),
};
/* clang-format on */

const int *sandbox_forbidden(size_t *ret_count)
{
	*ret_count = ARRAY_LENGTH(forbidden);
	return forbidden;
}
