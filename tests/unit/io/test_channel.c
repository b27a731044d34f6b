#include "unit/cmocka_prelude.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "io/channel.h"

struct fixture {
	char folder[64];
	char path[80];
	int listener;
	int client;
	int server;
	struct error err;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	snprintf(f->folder, sizeof(f->folder), "build/test-channel-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->path, sizeof(f->path), "%s/s", f->folder);
	f->listener = channel_listen(f->path, 0660, (uid_t)-1, (gid_t)-1, &f->err);
	assert_ok(f->listener, &f->err);
	f->client = channel_connect(f->path, &f->err);
	assert_ok(f->client, &f->err);
	f->server = channel_accept(f->listener, &f->err);
	assert_ok(f->server, &f->err);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close(f->listener);
	close_fdp(&f->client);
	close(f->server);
	unlink(f->path);
	rmdir(f->folder);
	free(f);
	return 0;
}

static size_t open_count(void)
{
	size_t count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void messages_arrive_whole_and_apart(void **state)
{
	struct fixture *f = *state;
	CLEANUP(freep)
	char *buffer = malloc(CHANNEL_MESSAGE_MAX);
	CLEANUP(freep)
	char *large = calloc(1, CHANNEL_MESSAGE_MAX);
	size_t fd_count = 9;

	assert_ok(channel_send(f->client, "one", 3, NULL, 0, &f->err), &f->err);
	assert_ok(channel_send(f->client, "three", 5, NULL, 0, &f->err), &f->err);
	assert_ok(channel_send(f->client, large, CHANNEL_MESSAGE_MAX, NULL, 0, &f->err), &f->err);
	assert_int_equal(channel_receive(f->server, buffer, NULL, 0, &fd_count, &f->err), 3);
	assert_int_equal(fd_count, 0);
	assert_int_equal(channel_receive(f->server, buffer, NULL, 0, &fd_count, &f->err), 5);
	assert_memory_equal(buffer, "three", 5);
	assert_int_equal(channel_receive(f->server, buffer, NULL, 0, &fd_count, &f->err),
			 CHANNEL_MESSAGE_MAX);
	assert_fails(channel_receive(f->server, buffer, NULL, 0, &fd_count, &f->err), &f->err,
		     ERROR_BUSY, "no message is waiting");
	assert_fails(channel_accept(f->listener, &f->err), &f->err, ERROR_BUSY,
		     "no connection is waiting");
}

static void a_closed_peer_is_told_on_both_sides(void **state)
{
	struct fixture *f = *state;
	char buffer[CHANNEL_MESSAGE_MAX];
	size_t fd_count;

	assert_ok(channel_send(f->server, "unread", 6, NULL, 0, &f->err), &f->err);
	close(f->client);
	f->client = -1;
	assert_int_equal(channel_receive(f->server, buffer, NULL, 0, &fd_count, &f->err), 0);
	assert_fails(channel_send(f->server, "x", 1, NULL, 0, &f->err), &f->err, ERROR_CLOSED,
		     "the peer is gone");
}

static void a_full_queue_is_busy(void **state)
{
	struct fixture *f = *state;
	CLEANUP(freep)
	char *large = calloc(1, CHANNEL_MESSAGE_MAX);
	int r = 0;

	for (int i = 0; i < 1000 && r == 0; i++)
		r = channel_send(f->server, large, CHANNEL_MESSAGE_MAX, NULL, 0, &f->err);
	assert_fails(r, &f->err, ERROR_BUSY, "does not take its messages");
}

static void descriptors_travel_and_close_on_exec(void **state)
{
	struct fixture *f = *state;
	char buffer[CHANNEL_MESSAGE_MAX];
	int fds[CHANNEL_FDS_MAX];
	int got[CHANNEL_FDS_MAX];
	struct stat sent;
	struct stat received;
	size_t fd_count = 0;

	for (int i = 0; i < CHANNEL_FDS_MAX; i++)
		fds[i] = f->listener;
	assert_ok(channel_send(f->client, "x", 1, fds, CHANNEL_FDS_MAX, &f->err), &f->err);
	assert_int_equal(
		channel_receive(f->server, buffer, got, CHANNEL_FDS_MAX, &fd_count, &f->err), 1);
	assert_int_equal(fd_count, CHANNEL_FDS_MAX);
	fstat(f->listener, &sent);
	for (int i = 0; i < CHANNEL_FDS_MAX; i++) {
		assert_int_equal(fstat(got[i], &received), 0);
		assert_int_equal(received.st_ino, sent.st_ino);
		assert_int_equal(fcntl(got[i], F_GETFD), FD_CLOEXEC);
		close(got[i]);
	}
}

/* What a peer without our manners can send. */
static void send_raw(int fd, size_t size, size_t fd_count)
{
	CLEANUP(freep)
	char *bytes = calloc(1, size + 1);
	union {
		char bytes[CMSG_SPACE(64 * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec part = {.iov_base = bytes, .iov_len = size};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};

	if (fd_count > 0) {
		struct cmsghdr *block = (struct cmsghdr *)&control;
		int fds[64];

		header.msg_control = &control;
		header.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		block->cmsg_level = SOL_SOCKET;
		block->cmsg_type = SCM_RIGHTS;
		block->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		for (size_t i = 0; i < fd_count; i++)
			fds[i] = STDERR_FILENO;
		memcpy(CMSG_DATA(block), fds, fd_count * sizeof(int));
	}
	assert_int_equal(sendmsg(fd, &header, 0), size);
}

static void too_many_descriptors_are_closed_and_refused(void **state)
{
	struct fixture *f = *state;
	char buffer[CHANNEL_MESSAGE_MAX];
	int got[CHANNEL_FDS_MAX];
	size_t fd_count = 0;

	for (size_t sent = 1; sent <= 64; sent++) {
		size_t before = open_count();
		size_t expected = sent <= CHANNEL_FDS_MAX ? sent - 1 : CHANNEL_FDS_MAX;

		send_raw(f->client, 1, sent);
		assert_fails(channel_receive(f->server, buffer, got, expected, &fd_count, &f->err),
			     &f->err, ERROR_DEFECT, "more descriptors than");
		assert_int_equal(open_count(), before);
	}
	send_raw(f->client, 3, 0);
	assert_int_equal(channel_receive(f->server, buffer, got, 4, &fd_count, &f->err), 3);
}

static void an_oversize_message_is_refused(void **state)
{
	struct fixture *f = *state;
	char buffer[CHANNEL_MESSAGE_MAX];
	int got[CHANNEL_FDS_MAX];
	size_t fd_count;
	size_t before = open_count();

	send_raw(f->client, CHANNEL_MESSAGE_MAX + 1, 2);
	assert_fails(channel_receive(f->server, buffer, got, 4, &fd_count, &f->err), &f->err,
		     ERROR_DEFECT, "more than 65536 bytes");
	assert_int_equal(open_count(), before);
	/* empty, with a descriptor: looks closed, and nothing leaks */
	send_raw(f->client, 0, 1);
	assert_int_equal(channel_receive(f->server, buffer, got, 4, &fd_count, &f->err), 0);
	assert_int_equal(fd_count, 0);
	assert_int_equal(open_count(), before);
}

static void the_socket_has_its_mode_and_only_a_dead_one_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct stat status;
	int fd;

	assert_int_equal(stat(f->path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0660);
	assert_fails(channel_listen(f->path, 0660, -1, -1, &f->err), &f->err, ERROR_EXISTS,
		     "another process already listens");
	close(f->listener);
	assert_fails(channel_connect(f->path, &f->err), &f->err, ERROR_UNAVAILABLE, f->path);
	f->listener = channel_listen(f->path, 0600, getuid(), getgid(), &f->err);
	assert_ok(f->listener, &f->err);
	assert_int_equal(stat(f->path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	close(f->listener);
	unlink(f->path);
	assert_fails(channel_connect(f->path, &f->err), &f->err, ERROR_UNAVAILABLE, "No such file");
	fd = open(f->path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_fails(channel_listen(f->path, 0660, -1, -1, &f->err), &f->err, ERROR_EXISTS,
		     "not a socket");
	f->listener = dup(STDERR_FILENO);
	assert_fails(channel_connect("/0123456789012345678901234567890123456789012345678901234567"
				     "89012345678901234567890123456789012345678901234567890123456",
				     &f->err),
		     &f->err, ERROR_USAGE, "1 to 107 are possible");
}

static void the_kernel_says_who_the_peer_is(void **state)
{
	struct fixture *f = *state;
	struct channel_peer peer;

	assert_ok(channel_peer(f->server, &peer, &f->err), &f->err);
	assert_int_equal(peer.pid, getpid());
	assert_int_equal(peer.uid, geteuid());
	assert_int_equal(peer.gid, getegid());
	assert_int_equal(channel_peer_in_group(f->server, getegid(), &f->err), 1);
	assert_int_equal(channel_peer_in_group(f->server, 54321, &f->err), 0);
	assert_fails(channel_peer(STDERR_FILENO, &peer, &f->err), &f->err, ERROR_FAILED,
		     "who the peer is");
}

static void supplementary_groups_count_however_many(void **state)
{
	struct fixture *f = *state;
	int exit_status;
	pid_t child;
	int server;

	if (geteuid() != 0)
		skip();
	child = fork();
	if (child == 0) {
		gid_t groups[300];
		char byte;

		for (int i = 0; i < 300; i++)
			groups[i] = 70000 + (gid_t)i;
		if (setgroups(300, groups) < 0)
			_exit(1);
		server = channel_connect(f->path, &f->err);
		_exit(server >= 0 && read(server, &byte, 1) == 1 ? 0 : 2);
	}
	do
		server = channel_accept(f->listener, &f->err);
	while (server == ERROR_BUSY);
	assert_ok(server, &f->err);
	assert_int_equal(channel_peer_in_group(server, 70000, &f->err), 1);
	assert_int_equal(channel_peer_in_group(server, 70299, &f->err), 1);
	assert_int_equal(channel_peer_in_group(server, 70300, &f->err), 0);
	assert_ok(channel_send(server, "x", 1, NULL, 0, &f->err), &f->err);
	waitpid(child, &exit_status, 0);
	assert_int_equal(exit_status, 0);
	close(server);
}

static void a_body_is_read_as_it_was_sealed(void **state)
{
	struct fixture *f = *state;
	size_t size = 3 * CHANNEL_MESSAGE_MAX;
	CLEANUP(freep)
	char *bytes = calloc(1, size);
	const void *mapped;
	size_t mapped_size;
	int fd;

	memset(bytes, 'b', size);
	fd = channel_body_new(bytes, size, &f->err);
	assert_ok(fd, &f->err);
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_ok(channel_body_map(fd, size, &mapped, &mapped_size, &f->err), &f->err);
	assert_int_equal(mapped_size, size);
	assert_memory_equal(mapped, bytes, size);
	munmap((void *)(uintptr_t)mapped, mapped_size);
	assert_fails(channel_body_map(fd, size - 1, &mapped, &mapped_size, &f->err), &f->err,
		     ERROR_DEFECT, "a body of 196608 bytes: 1 to 196607 are allowed");
	close(fd);
}

static void a_body_that_can_still_change_is_refused(void **state)
{
	struct fixture *f = *state;
	static const int seals[] = {0, F_SEAL_WRITE, F_SEAL_WRITE | F_SEAL_SHRINK,
				    F_SEAL_GROW | F_SEAL_SHRINK};
	const void *mapped;
	size_t size;
	int fd;

	for (size_t i = 0; i < sizeof(seals) / sizeof(seals[0]); i++) {
		fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		assert_int_equal(write(fd, "x", 1), 1);
		assert_int_equal(fcntl(fd, F_ADD_SEALS, seals[i]), 0);
		assert_fails(channel_body_map(fd, 100, &mapped, &size, &f->err), &f->err,
			     ERROR_DEFECT, "not a sealed memory file");
		close(fd);
	}
	assert_fails(channel_body_map(f->client, 100, &mapped, &size, &f->err), &f->err,
		     ERROR_DEFECT, "not a sealed memory file");
	fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_WRITE), 0);
	assert_fails(channel_body_map(fd, 100, &mapped, &size, &f->err), &f->err, ERROR_DEFECT,
		     "a body of 0 bytes");
	close(fd);
}

int main(void)
{
#define CHANNEL_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CHANNEL_TEST(messages_arrive_whole_and_apart),
		CHANNEL_TEST(a_closed_peer_is_told_on_both_sides),
		CHANNEL_TEST(a_full_queue_is_busy),
		CHANNEL_TEST(descriptors_travel_and_close_on_exec),
		CHANNEL_TEST(too_many_descriptors_are_closed_and_refused),
		CHANNEL_TEST(an_oversize_message_is_refused),
		CHANNEL_TEST(the_socket_has_its_mode_and_only_a_dead_one_is_replaced),
		CHANNEL_TEST(the_kernel_says_who_the_peer_is),
		CHANNEL_TEST(supplementary_groups_count_however_many),
		CHANNEL_TEST(a_body_is_read_as_it_was_sealed),
		CHANNEL_TEST(a_body_that_can_still_change_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
