/*
 * UNIX SOCK_SEQPACKET sockets between our processes: a message arrives whole or not at all, with
 * at most CHANNEL_FDS_MAX descriptors beside it. Who the peer is, the kernel says (SO_PEERCRED),
 * never the peer.
 *
 * Owns: nothing; descriptors are plain ints, O_CLOEXEC. Received descriptors belong to the caller.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

#define CHANNEL_MESSAGE_MAX 65536u
#define CHANNEL_FDS_MAX	    4

/* Listen at @path (replacing a dead socket of ours), with @mode and, if not -1, owner and group.
 * ERROR_EXISTS while another process listens there. Non-blocking, as what is accepted. */
int channel_listen(const char *path, mode_t mode, uid_t owner, gid_t group,
		   struct error *err) MUST_CHECK;
/* Listen for one user, -1: our own. As root the socket is given to it. Only root can give files
 * away: otherwise everybody may connect, and whoever accepts sends away whom channel_peer() does
 * not name. */
int channel_listen_for(const char *path, uid_t peer, struct error *err) MUST_CHECK;
int channel_accept(int listen_fd, struct error *err) MUST_CHECK; /* non-blocking descriptor */

/* Connect, or ERROR_UNAVAILABLE (ERROR_REFUSED: not permitted) with a sentence that names @path.
 * Blocking descriptor. */
int channel_connect(const char *path, struct error *err) MUST_CHECK;

/* Send one message; ERROR_CLOSED if the peer is gone, ERROR_BUSY if its queue is full (on a
 * non-blocking descriptor). */
int channel_send(int fd, const void *message, size_t size, const int *fds, size_t fd_count,
		 struct error *err) MUST_CHECK;

/*
 * Receive one message into @message (CHANNEL_MESSAGE_MAX bytes); returns its size, 0 when the peer
 * has closed. ERROR_BUSY: nothing there (non-blocking). ERROR_DEFECT: truncated, or more
 * descriptors than @fds_max (they are closed).
 */
ssize_t channel_receive(int fd, void *message, int *fds, size_t fds_max, size_t *ret_fd_count,
			struct error *err) MUST_CHECK;

struct channel_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
};
int channel_peer(int fd, struct channel_peer *ret_peer, struct error *err) MUST_CHECK;

/* Is the peer a member of @group (primary or supplementary, SO_PEERGROUPS)? 1, 0 or an error. */
int channel_peer_in_group(int fd, gid_t group, struct error *err) MUST_CHECK;

/* A sealed memfd holding @bytes (at least one): for what does not fit a message. The reader checks
 * the seals; ERROR_DEFECT if one is missing or the size is 0 or over @size_max. */
int channel_body_new(const void *bytes, size_t size, struct error *err) MUST_CHECK;
int channel_body_map(int fd, size_t size_max, const void **ret_bytes, size_t *ret_size,
		     struct error *err) MUST_CHECK; /* unmap with munmap() */
