#include "io/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"

#define LISTEN_BACKLOG 64
#define BODY_SEALS     (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* Room for what is allowed and one more, so that too many is told from exactly enough. */
union control {
	char bytes[CMSG_SPACE((CHANNEL_FDS_MAX + 1) * sizeof(int))];
	struct cmsghdr align;
};

/* What the kernel can put there: it uses the padding of the block as well. */
#define CONTROL_FDS ((sizeof(union control) - CMSG_LEN(0)) / sizeof(int))

static int address_set(struct sockaddr_un *address, const char *path, struct error *err)
{
	size_t length = strlen(path);

	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (length == 0 || length >= sizeof(address->sun_path))
		return error_set(err, ERROR_USAGE,
				 "socket path '%s' has %zu characters: 1 to %zu are possible", path,
				 length, sizeof(address->sun_path) - 1);
	memcpy(address->sun_path, path, length);
	return 0;
}

static int socket_new(struct error *err)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	return fd < 0 ? error_set_errno(err, ERROR_FAILED, errno, "making a socket") : fd;
}

/* Somebody answers: leave it. Nobody does: it is what a killed process left behind. */
static int remove_dead(const struct sockaddr_un *address, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = -1;
	struct stat status;

	if (lstat(address->sun_path, &status) < 0)
		return errno == ENOENT ? 0
				       : error_set_errno(err, ERROR_FAILED, errno,
							 "looking at '%s'", address->sun_path);
	if (!S_ISSOCK(status.st_mode))
		return error_set(err, ERROR_EXISTS, "'%s' is there and not a socket; remove it",
				 address->sun_path);
	fd = socket_new(err);
	if (fd < 0)
		return fd;
	/* a full backlog must not hold us: it is an answer too */
	if (fcntl(fd, F_SETFL, O_NONBLOCK) == 0 &&
	    (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
	     errno != ECONNREFUSED))
		return error_set(err, ERROR_EXISTS,
				 "another process already listens on '%s'; stop it first",
				 address->sun_path);
	if (unlink(address->sun_path) < 0 && errno != ENOENT)
		return error_set_errno(err, ERROR_FAILED, errno, "removing the dead socket '%s'",
				       address->sun_path);
	return 0;
}

int channel_listen(const char *path, mode_t mode, uid_t owner, gid_t group, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = -1;
	struct sockaddr_un address;
	int r = address_set(&address, path, err);

	if (r == 0)
		r = remove_dead(&address, err);
	if (r == 0)
		r = fd = socket_new(err);
	if (r < 0)
		return r;
	/* The name appears with mode 0 and is opened only when it belongs to whom it shall. */
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || fchmod(fd, 0) < 0 ||
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return error_set_errno(err, errno == EACCES ? ERROR_REFUSED : ERROR_FAILED, errno,
				       "binding socket '%s'", path);
	if (((owner != (uid_t)-1 || group != (gid_t)-1) && lchown(path, owner, group) < 0) ||
	    listen(fd, LISTEN_BACKLOG) < 0 || chmod(path, mode) < 0) {
		int saved_errno = errno;

		unlink(path);
		return error_set_errno(err, ERROR_FAILED, saved_errno,
				       "setting owner and mode of socket '%s'", path);
	}
	return TAKE_FD(fd);
}

int channel_listen_for(const char *path, uid_t peer, struct error *err)
{
	if (peer == (uid_t)-1 || geteuid() == 0)
		return channel_listen(path, 0600, peer, (gid_t)-1, err);
	return channel_listen(path, 0666, (uid_t)-1, (gid_t)-1, err);
}

int channel_accept(int listen_fd, struct error *err)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0)
		return fd;
	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return error_set(err, ERROR_BUSY, "no connection is waiting");
	return error_set_errno(err, ERROR_FAILED, errno, "accepting a connection");
}

int channel_connect(const char *path, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = -1;
	struct sockaddr_un address;
	int r = address_set(&address, path, err);

	if (r == 0)
		r = fd = socket_new(err);
	if (r < 0)
		return r;
	do
		r = connect(fd, (const struct sockaddr *)&address, sizeof(address));
	while (r < 0 && errno == EINTR);
	if (r < 0 && (errno == EACCES || errno == EPERM))
		return error_set_errno(err, ERROR_REFUSED, errno, "connecting to '%s'", path);
	if (r < 0)
		return error_set_errno(err, ERROR_UNAVAILABLE, errno, "connecting to '%s'", path);
	return TAKE_FD(fd);
}

int channel_send(int fd, const void *message, size_t size, const int *fds, size_t fd_count,
		 struct error *err)
{
	union control control = {0};
	struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = size};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
	ssize_t n;

	/* an empty message is how a closed peer looks */
	ASSERT(size > 0 && size <= CHANNEL_MESSAGE_MAX && fd_count <= CHANNEL_FDS_MAX);
	if (fd_count > 0) {
		struct cmsghdr *block;

		header.msg_control = control.bytes;
		header.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		block = CMSG_FIRSTHDR(&header);
		block->cmsg_level = SOL_SOCKET;
		block->cmsg_type = SCM_RIGHTS;
		block->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(block), fds, fd_count * sizeof(int));
	}
	do
		n = sendmsg(fd, &header, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)size)
		return 0;
	if (n >= 0)
		return error_set(err, ERROR_FAILED, "a message of %zu bytes was cut to %zd", size,
				 n);
	switch (errno) {
	case EPIPE:
	case ECONNRESET:
	case ENOTCONN:
		return error_set_errno(err, ERROR_CLOSED, errno, "the peer is gone");
	case EAGAIN:
	case ENOBUFS:
		return error_set(err, ERROR_BUSY, "the peer does not take its messages");
	default:
		return error_set_errno(err, ERROR_FAILED, errno, "sending a message");
	}
}

/* All descriptors of all control blocks, and how many. */
static size_t collect_fds(struct msghdr *header, int fds[static CONTROL_FDS])
{
	size_t count = 0;

	for (struct cmsghdr *block = CMSG_FIRSTHDR(header); block;
	     block = CMSG_NXTHDR(header, block)) {
		size_t size;

		if (block->cmsg_level != SOL_SOCKET || block->cmsg_type != SCM_RIGHTS)
			continue;
		size = block->cmsg_len - CMSG_LEN(0);
		ASSERT(count * sizeof(int) + size <= CONTROL_FDS * sizeof(int));
		memcpy(fds + count, CMSG_DATA(block), size);
		count += size / sizeof(int);
	}
	return count;
}

static void close_all(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
}

ssize_t channel_receive(int fd, void *message, int *fds, size_t fds_max, size_t *ret_fd_count,
			struct error *err)
{
	union control control = {0};
	struct iovec part = {.iov_base = message, .iov_len = CHANNEL_MESSAGE_MAX};
	struct msghdr header = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	int received[CONTROL_FDS];
	size_t count;
	ssize_t n;

	do
		n = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return error_set(err, ERROR_BUSY, "no message is waiting");
	/* a peer that died with our last message unread */
	if (n < 0 && errno == ECONNRESET) {
		*ret_fd_count = 0;
		return 0;
	}
	if (n < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "receiving a message");
	count = collect_fds(&header, received);
	if (n == 0) {
		close_all(received, count);
		*ret_fd_count = 0;
		return 0;
	}
	if (header.msg_flags & MSG_TRUNC) {
		close_all(received, count);
		return error_set(err, ERROR_DEFECT, "a message of more than %u bytes",
				 CHANNEL_MESSAGE_MAX);
	}
	if (header.msg_flags & MSG_CTRUNC || count > fds_max) {
		close_all(received, count);
		return error_set(err, ERROR_DEFECT,
				 "a message with more descriptors than the %zu expected", fds_max);
	}
	if (count > 0)
		memcpy(fds, received, count * sizeof(int));
	*ret_fd_count = count;
	return n;
}

int channel_peer(int fd, struct channel_peer *ret_peer, struct error *err)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || size != sizeof(peer))
		return error_set_errno(err, ERROR_FAILED, errno, "asking who the peer is");
	*ret_peer = (struct channel_peer){.pid = peer.pid, .uid = peer.uid, .gid = peer.gid};
	return 0;
}

int channel_peer_in_group(int fd, gid_t group, struct error *err)
{
	CLEANUP(freep)
	gid_t *groups = NULL;
	struct channel_peer peer = {0};
	socklen_t size = 64 * sizeof(gid_t);
	int r = channel_peer(fd, &peer, err);

	if (r < 0)
		return r;
	if (peer.gid == group)
		return 1;
	for (;;) {
		socklen_t had = size;

		free(groups);
		groups = malloc(size + sizeof(gid_t));
		ASSERT(groups);
		if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0)
			break;
		/* ERANGE says how much is needed; the peer's groups cannot change any more */
		if (errno != ERANGE || size <= had)
			return error_set_errno(err, ERROR_FAILED, errno,
					       "asking for the peer's groups");
	}
	for (size_t i = 0; i < size / sizeof(gid_t); i++) {
		if (groups[i] == group)
			return 1;
	}
	return 0;
}

int channel_body_new(const void *bytes, size_t size, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = -1;
	const uint8_t *in = bytes;
	size_t done = 0;

	ASSERT(size > 0);
	fd = memfd_create("binvault-body", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "making a memory file");
	while (done < size) {
		ssize_t n = write(fd, in + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(err, ERROR_FAILED, errno,
					       "writing %zu bytes to a memory file", size);
		done += (size_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, BODY_SEALS | F_SEAL_SEAL) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "sealing a memory file");
	return TAKE_FD(fd);
}

int channel_body_map(int fd, size_t size_max, const void **ret_bytes, size_t *ret_size,
		     struct error *err)
{
	struct stat status;
	void *bytes;
	int seals = fcntl(fd, F_GET_SEALS);

	/* Without these the sender could change or cut the bytes while they are read. */
	if (seals < 0 || (seals & BODY_SEALS) != BODY_SEALS)
		return error_set(err, ERROR_DEFECT, "a body that is not a sealed memory file");
	if (fstat(fd, &status) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "reading the size of a body");
	if (status.st_size <= 0 || (uint64_t)status.st_size > size_max)
		return error_set(err, ERROR_DEFECT, "a body of %jd bytes: 1 to %zu are allowed",
				 (intmax_t)status.st_size, size_max);
	/* private: Linux before 6.7 refuses a shared mapping of a sealed file, even to read */
	bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return error_set_errno(err, ERROR_FAILED, errno, "mapping a body");
	*ret_bytes = bytes;
	*ret_size = (size_t)status.st_size;
	return 0;
}
