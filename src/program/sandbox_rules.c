#include "program/sandbox_rules.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/prctl.h>
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

/* clang-format off */
static const struct sandbox_rule life_rules[] = {
	CALL(exit), CALL(exit_group), CALL(restart_syscall), CALL(rt_sigaction),
	CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(sigaltstack), CALL(tgkill),
	CALL(getpid), CALL(gettid), CALL(getppid), CALL(getuid), CALL(geteuid), CALL(getgid),
	CALL(getegid), CALL(getgroups), CALL(getrusage), CALL(uname), CALL(sysinfo), CALL(umask),
	CALL(capget),
	CALL(futex), CALL(sched_yield), CALL(sched_getaffinity), CALL(getcpu),
	CALL(set_robust_list), CALL(rseq), CALL(membarrier),
	CALL(clock_gettime), CALL(clock_getres), CALL(clock_nanosleep), CALL(nanosleep),
	CALL(gettimeofday), CALL(time), CALL(getrandom),
	/* Reading limits, not setting them. */
	CALL_IF(prlimit64, 2, UINT64_MAX, 0), CALL(getrlimit),
	CALL_IF(prctl, 0, LOW, PR_SET_NAME),
#ifdef PR_SET_VMA
	CALL_IF(prctl, 0, LOW, PR_SET_VMA),
#endif
};
GROUP(life, "every process: signals, clocks, locks between threads, an end by abort()");

static const struct sandbox_rule memory_rules[] = {
	CALL(brk), CALL(munmap), CALL(mremap), CALL(madvise), CALL(mlock), CALL(mlock2),
	CALL(munlock),
	/* Nothing becomes code that was not code at the start. */
	CALL_IF(mmap, 2, PROT_EXEC, 0), CALL_IF(mprotect, 2, PROT_EXEC, 0),
};
GROUP(memory, "every process: memory, never executable");

static const struct sandbox_rule loading_rules[] = {CALL(mmap), CALL(mprotect)};
GROUP(loading, "loads libraries later: name service, authentication plugins, PKCS#11 modules");

static const struct sandbox_rule descriptors_rules[] = {
	CALL(read), CALL(write), CALL(readv), CALL(writev), CALL(pread64), CALL(preadv),
	CALL(preadv2), CALL(pwrite64), CALL(pwritev), CALL(pwritev2), CALL(lseek), CALL(close),
	CALL(close_range), CALL(fstat), CALL(newfstatat), CALL(stat), CALL(lstat), CALL(statx),
	CALL(fcntl), CALL(dup), CALL(dup2), CALL(dup3), CALL(poll), CALL(ppoll), CALL(select),
	CALL(pselect6), CALL(epoll_create1), CALL(epoll_ctl), CALL(epoll_wait), CALL(epoll_pwait),
	CALL(eventfd2), CALL(timerfd_create), CALL(timerfd_settime), CALL(pipe2),
	/* isatty(), and what a buffered stream asks its descriptor. */
	CALL_IF(ioctl, 1, LOW, TCGETS),
};
GROUP(descriptors, "every process: reading, writing and waiting on what is open");

static const struct sandbox_rule messages_rules[] = {
	CALL(sendmsg), CALL(recvmsg), CALL(sendto), CALL(recvfrom), CALL(shutdown),
	CALL(getsockopt), CALL(setsockopt), CALL(getsockname), CALL(getpeername),
	CALL(memfd_create), CALL(ftruncate),
};
GROUP(messages, "every process: messages on open sockets, their bodies as sealed memfds");

static const struct sandbox_rule ring_rules[] = {CALL(io_uring_enter)};
GROUP(ring, "runs the ring that was made and restricted before the filter");

static const struct sandbox_rule reading_rules[] = {
	CALL_IF(openat, 2, OPEN_CHANGES, O_RDONLY), CALL_IF(open, 1, OPEN_CHANGES, O_RDONLY),
	CALL(readlink), CALL(readlinkat), CALL(access), CALL(faccessat), CALL(faccessat2),
	CALL(getdents64), CALL(statfs), CALL(fstatfs), CALL(getcwd), CALL(fadvise64),
};
GROUP(reading, "opens files for reading: certificates, credentials, time zones, resolv.conf");

static const struct sandbox_rule unix_sockets_rules[] = {
	CALL_IF(socket, 0, LOW, AF_UNIX), CALL_IF(socketpair, 0, LOW, AF_UNIX), CALL(connect),
	CALL(accept4), CALL(accept),
};
GROUP(unix_sockets, "connects to another daemon, accepts its own clients; no other family");

static const struct sandbox_rule network_rules[] = {
	CALL_IF(socket, 0, LOW, AF_INET), CALL_IF(socket, 0, LOW, AF_INET6),
	/* getaddrinfo() asks the kernel which address families are up. */
	CALL_IF(socket, 0, LOW, AF_NETLINK), CALL(bind), CALL(sendmmsg), CALL(recvmmsg),
	CALL_IF(ioctl, 1, LOW, FIONREAD), CALL_IF(ioctl, 1, LOW, FIONBIO),
};
GROUP(network, "speaks TCP: to its servers (pull), to the HSM if it is in the network (hsm)");

static const struct sandbox_rule threads_rules[] = {
	CALL_IF(clone, 0, CLONE_VM | CLONE_THREAD, CLONE_VM | CLONE_THREAD), CALL(set_tid_address),
	CALL(sched_setaffinity), CALL(sched_getparam), CALL(sched_getscheduler), CALL(ioprio_set),
	CALL(setpriority),
};
GROUP(threads, "starts threads, never a process (clone3 answers ENOSYS, then glibc uses clone)");

static const struct sandbox_rule archive_rules[] = {
	CALL(openat), CALL(open), CALL(mkdir), CALL(mkdirat), CALL(unlink), CALL(unlinkat),
	CALL(rename), CALL(renameat), CALL(renameat2), CALL(link), CALL(linkat), CALL(chmod),
	CALL(fchmod), CALL(fchmodat), CALL(chown), CALL(lchown), CALL(fchown), CALL(fchownat),
	CALL(fsync), CALL(fdatasync), CALL(fallocate), CALL(flock), CALL(utimensat),
	CALL_IF(ioctl, 1, LOW, FS_IOC_GETFLAGS), CALL_IF(ioctl, 1, LOW, FS_IOC_SETFLAGS),
};
GROUP(archive, "the keeper makes, protects, renames and expires files; hsm keeps its state");

static const struct sandbox_rule share_rules[] = {
	/* Only below a directory descriptor (not negative, so not AT_FDCWD). */
	CALL_IF(openat, 0, UINT64_C(0x80000000), 0), CALL_IF(mkdirat, 0, UINT64_C(0x80000000), 0),
	CALL_IF(unlinkat, 0, UINT64_C(0x80000000), 0),
	CALL_IF_BOTH(renameat, 0, UINT64_C(0x80000000), 0, 2, UINT64_C(0x80000000), 0),
	CALL_IF_BOTH(renameat2, 0, UINT64_C(0x80000000), 0, 2, UINT64_C(0x80000000), 0),
	CALL(fsync), CALL(fdatasync), CALL(sync_file_range), CALL(fallocate), CALL(fchmod),
	CALL(utimensat), CALL(flock),
};
GROUP(share, "the exporter writes below the directory descriptor that it was given");

#ifdef BINVAULT_SANITIZED
static const struct sandbox_rule sanitizer_rules[] = {
	CALL(mmap), CALL(mprotect), CALL(clone), CALL(wait4), CALL(ptrace), CALL(prctl), CALL(kill),
	CALL(personality), CALL(setrlimit), CALL(prlimit64), CALL(process_vm_readv), CALL(mincore),
	CALL(pipe), CALL(sched_setaffinity), CALL(rt_sigtimedwait), CALL(arch_prctl),
	CALL(set_tid_address), CALL(msync), CALL(getdents), CALL(open), CALL(readlink),
};
GROUP(sanitizer, "tests only: shadow memory, the leak check's own process, thread tracking");
#define SANITIZER &sanitizer,
#else
#define SANITIZER
#endif

static const struct sandbox_group *const pull_groups[] = {
	&life, &memory, &loading, &descriptors, &messages, &ring, &reading, &unix_sockets, &network,
	SANITIZER NULL};
static const struct sandbox_group *const keeper_groups[] = {
	&life, &memory, &descriptors, &messages, &ring, &reading, &unix_sockets, &threads, &archive,
	SANITIZER NULL};
static const struct sandbox_group *const hsm_groups[] = {
	&life, &memory, &loading, &descriptors, &messages, &reading, &unix_sockets, &network,
	&threads, &archive, SANITIZER NULL};
static const struct sandbox_group *const export_groups[] = {
	&life, &memory, &descriptors, &messages, &reading, &share, SANITIZER NULL};

/* clang-format on */

const struct sandbox_group *const *sandbox_groups(enum sandbox_role role)
{
	static const struct sandbox_group *const *const groups[] = {
		[SANDBOX_PULL] = pull_groups,
		[SANDBOX_KEEPER] = keeper_groups,
		[SANDBOX_HSM] = hsm_groups,
		[SANDBOX_EXPORT] = export_groups,
	};

	return groups[role];
}
